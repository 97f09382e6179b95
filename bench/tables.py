"""Put the measured figures of ``bench/results`` into README, between its markers; ``put`` serves other pages too.

python bench/tables.py
"""

import json
import re
from pathlib import Path

from machine import sentence

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"


def peers(result):
    """The table of ``make bench-peers``: seconds, and in brackets the median of the rounds' ratios to ours."""
    lines = [
        f"| {result['clips']} clips, {result['threads']} threads | training step | forward | one clip forward "
        "| memory over the import | start to the first step | installed |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in result["programs"].items():
        cells = [name]
        for job in ("step", "forward", "single"):
            found = row.get(job)
            cells.append(f"{_milliseconds(found['seconds'])} ms ({found['times_ours']:.2f}x)" if found else "")
        cells.append(f"{row['memory_mb']:.0f} MB" if "memory_mb" in row else "")
        cells += [f"{row['first_step']:.1f} s", f"{row['installed_mb']:.0f} MB"]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", f"({sentence(result['machine'])}; median of {result['rounds']} rounds in turns.)"]
    return "\n".join(lines)


def _milliseconds(seconds):
    return f"{1000 * seconds:,.0f}" if seconds > 0.01 else f"{1000 * seconds:.2f}"


def put(text, name, table):
    """``text`` with what stands between the markers of ``name`` replaced."""
    marked = rf"(<!-- {name}: .*? -->\n).*?(\n<!-- end of {name} -->)"
    if not re.search(marked, text, re.DOTALL):
        raise SystemExit(f"the page has no markers of {name}")
    return re.sub(marked, lambda found: found[1] + table + found[2], text, flags=re.DOTALL)


def written(text):
    """README's ``text`` with the tables that the results give."""
    return put(text, "peers", peers(json.loads((HERE / "results" / "peers.json").read_text())))


def main():
    README.write_text(written(README.read_text()))


if __name__ == "__main__":
    main()
