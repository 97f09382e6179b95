"""Put the measured figures of ``bench/results`` into ``docs/speed.md``, and the peers' in four rows into README.

``put`` serves other pages with markers too.

python bench/tables.py
"""

import json
import re
from pathlib import Path

import numpy as np
from machine import sentence
from scipy.optimize import nnls

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
SPEED = HERE.parent / "docs" / "speed.md"


JOBS = {"step": "training step", "forward": "forward", "single": "one clip forward"}


def peers(result, names=None):
    """The table of ``make bench-peers``: seconds, and in brackets the median of the rounds' ratios to ours.

    ``names``: only these programs, and no memory.
    """
    head = [f"{result['clips']} clips, {result['threads']} threads", *JOBS.values()]
    rows = [
        [name, *(_compared(row.get(job)) for job in JOBS)]
        for name, row in result["programs"].items()
        if name in (names or result["programs"])
    ]
    if not names:
        head += ["memory over the import", "start to the first step", "installed"]
        for row in rows:
            found = result["programs"][row[0]]
            row.append(f"{found['memory_mb']:.0f} MB" if "memory_mb" in found else "")
            row += [f"{found['first_step']:.1f} s", f"{found['installed_mb']:.0f} MB"]
    note = f"({sentence(result['machine'])}; median of {result['rounds']} rounds in turns.)"
    return f"{table(head, rows)}\n\n{note}"


def fastest_of_each(result):
    """The names of four programs: ours, and the form with the fastest step of each framework that trains."""
    fastest = {}
    for name, row in result["programs"].items():
        kind = name.split(",")[0]
        if "step" in row and (kind not in fastest or row["step"]["seconds"] < fastest[kind][0]):
            fastest[kind] = row["step"]["seconds"], name
    return [name for _, name in fastest.values()]


def _compared(found):
    return f"{_milliseconds(found['seconds'])} ms ({found['times_ours']:.2f}x)" if found else ""


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
    result = read("peers")
    return put(text, "peers", peers(result, fastest_of_each(result)))


def read(name):
    """The results that a script of this folder wrote."""
    return json.loads((HERE / "results" / f"{name}.json").read_text())


def table(header, rows):
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (header, ["---"] * len(header), *rows))


def away_from_line(points):
    """The line ``seconds = a + b operations``, neither below 0, nearest to the points, in shares of each; and how far
    the farthest is from it."""
    _, seconds, operations = np.array(points).T
    (a, b), _ = nnls(np.column_stack([1 / seconds, operations / seconds]), np.ones(len(points)))
    return a, b, np.abs((a + b * operations) / seconds - 1).max()


def speed_page(speed, ablations, beside):
    """The page of ``make bench`` and ``make bench-peers``."""
    sections = [
        f"# How fast it is on one machine\n\nWritten by `make bench`; do not edit. {sentence(speed['machine'])}.",
        *limits_section(speed),
        *passes_section(speed),
        *parts_section(speed),
        *growth_section(speed),
        *ablations_section(ablations),
        *peers_section(beside),
        "## References",
        "- S. Williams, A. Waterman, D. Patterson, *Roofline: an insightful visual performance model for multicore "
        "architectures*, Communications of the ACM 52(4), 2009.\n"
        "- J. D. McCalpin, *Memory bandwidth and machine balance in current high performance computers*, IEEE TCCA "
        "Newsletter, 1995: the triad.",
    ]
    return "\n\n".join(sections) + "\n"


def limits_section(speed):
    limits = speed["limits"]
    rows = [
        [f"{count} thread{'s' * (count != 1)}"]
        + [f"{limits[str(count)][name]:.0f}" for name in ("memory_read", "memory_triad", "cache_read", "sgemm")]
        for count in sorted({1, speed["threads"]})
    ]
    head = ["threads", "memory read, GB/s", "triad, GB/s", "cache read, GB/s", "matrix product, GFLOP/s"]
    return ["## What the machine can do", table(head, rows)]


def passes_section(speed):
    names = {
        "step": "training step, 100 clips",
        "forward": "forward, 100 clips",
        "single": "forward, one clip",
    }
    rows = [
        [
            names[job],
            f"{_milliseconds(row['seconds'])} ms",
            f"{(1 if job == 'single' else 100) / row['seconds']:,.0f}",
            f"{row['gflops']:.0f}",
            f"{_milliseconds(row['seconds_one_thread'])} ms",
            f"{row['times_one_thread']:.2f}",
        ]
        for job, row in speed["speed"].items()
    ]
    head = ["what", f"{speed['threads']} threads", "clips per second", "GFLOP/s", "one thread", "one thread / all"]
    once = (
        f"Compiling all kernels of a training run, once: {speed['compile_seconds']:.0f} s. From the start of a process "
        f"to the end of its first step on 100 clips, compiled before: {speed['first_step_seconds']:.1f} s. "
        "Memory of a training run on a memory-mapped set at batch 100, validation included, over what the imports "
        f"take: {speed['run_megabytes']:.0f} MB at most."
    )
    return ["## Steps and passes", table(head, rows), once]


def parts_section(speed):
    rows = [
        [
            number,
            name,
            f"{1e6 * row['seconds']:.0f}",
            f"{row['operations'] / 1e6:.1f}",
            f"{row['bytes'] / 1e6:.1f}",
            f"{row['gflops']:.0f}",
            f"{row['gbytes']:.0f}",
            f"{row['times_limit']:.1f}",
        ]
        for number, (name, row) in enumerate(speed["parts"].items(), 1)
    ]
    head = ["no.", "part, one clip, one thread", "µs", "million operations", "MB", "GFLOP/s", "GB/s", "times the limit"]
    return [
        "## Every part against the limit",
        "Operations are those of the form that takes products first (`bench/work.py`); MB are the numbers that a part "
        "must read or write at least once. The limit is the longer of the two: operations at the rate of the matrix "
        "product, MB at the rate of the cache.",
        table(head, rows),
        "![Eight numbered discs below a roof: a slanted line for what the cache can read, another for the memory, and "
        "a flat one for the matrix product. All discs lie below the roof.](figures/roofline.svg)",
        "*The parts, numbered as in the table, under the roof of this machine; a larger disc takes longer, orange is "
        "backward.*",
    ]


def growth_section(speed):
    rows = []
    for what, points in speed["growth"].items():
        a, b, worst = away_from_line(points)
        rows.append(
            [what, f"{points[0][0]} to {points[-1][0]}", f"{1e3 * a:.2f}", f"{1 / b / 1e9:.0f}", f"{100 * worst:.0f} %"]
        )
    head = ["varied", "from, to", "ms per step, whatever the size", "GFLOP/s of the rest", "farthest from that line"]
    return [
        "## Growth",
        "Time of a training step along one size, the others at their default (100 clips where the batch is not "
        "varied), against its operations. A line is laid through the points. Where the time grows faster than the "
        "operations, the parameters, a part's gradients and a clip's maps no longer fit into the last cache: every "
        "clip fetches them anew.",
        table(head, rows),
    ]


def ablations_section(ablations):
    rows = [
        [name, f"{_milliseconds(ablations['seconds'][name])} ms", f"{times:.2f}"]
        for name, times in ablations["times_as_it_is"].items()
    ]
    return [
        "## What each idea gives",
        "A training step on 100 clips, with one idea taken back in a copy of the package (`bench/ablations.py`), "
        f"beside the step as it is; median of {ablations['rounds']} rounds in turns. What the ideas are: "
        f"[How the fast kernels work](fast_kernels.md).",
        table(["variant", "step", "times the step as it is"], rows),
    ]


def peers_section(beside):
    return [
        "## Beside the frameworks",
        "The same network, written to be fast in each framework, on the same clips in turns; logits and gradients of "
        "each were compared with the reference edition's first (`make bench-peers`). In brackets: how many times our "
        "time.",
        peers(beside),
        '"Start to the first step" is of a new process, with our kernels compiled before. The first line of peers is '
        "the network by the operations of the original program; the others are written to be fast, in the form of our "
        "kernels: product first, then the window. One clip on two threads is the network's latency, without decoding "
        "or faces.",
    ]


def main():
    README.write_text(written(README.read_text()))
    SPEED.write_text(speed_page(read("speed"), read("ablations"), read("peers")))


if __name__ == "__main__":
    main()
