"""The walks as notebooks, made from the scripts that the tests run: ``make docs`` writes them into the site.

    python docs/tools/notebooks.py FOLDER      writes a .ipynb for each script of docs/walks

A script is cut where its statements are parted by blank lines: each part is a cell, the comments above it are text,
and ``# --- Words.`` is a heading.  Nothing is left out; in front of what a script
imports stands the search for the checkout.
"""

import ast
import json
import sys
from pathlib import Path

WALKS = Path(__file__).resolve().parents[1] / "walks"

FIND = """\
from pathlib import Path

# Where the checkout is: this folder or one above it. The scripts look for what they import beside themselves.
above = [Path.cwd(), *Path.cwd().parents]
found = [each for each in above if (each / "docs" / "walks" / "{name}").exists()]
assert found, "start Jupyter in the checkout of EmoP3D, or in a folder inside of it"
__file__ = str(found[0] / "docs" / "walks" / "{name}")
"""
INTRODUCTION = """\
# {title}

{rest}

*Made from `docs/walks/{name}`. Start Jupyter in a checkout in which the package is installed, and run the cells in \
their order.*"""


def cells(path):
    """Pairs of a kind, ``markdown`` or ``code``, and a text: the script at ``path`` in its order."""
    source = path.read_text()
    lines, (doc, *statements) = source.splitlines(), ast.parse(source).body
    title, _, rest = ast.literal_eval(doc.value).partition("\n")
    yield "markdown", INTRODUCTION.format(title=title.rstrip("."), rest=rest.strip("\n"), name=path.name)
    imports = [place for place, each in enumerate(statements) if isinstance(each, ast.Import | ast.ImportFrom)]
    end, code = doc.end_lineno, []
    if imports:
        end = statements[imports[-1]].end_lineno
        yield "code", FIND.format(name=path.name) + "\n" + "\n".join(lines[doc.end_lineno : end]).strip("\n")
        del statements[: imports[-1] + 1]
    for each in statements:
        first = min([each.lineno, *(decorator.lineno for decorator in getattr(each, "decorator_list", []))]) - 1
        if between := lines[end:first]:
            if code:
                yield "code", "\n".join(code)
            code = []
            if text := "\n".join(words(line) for line in between if line):
                yield "markdown", text
        code += lines[first : each.end_lineno]
        end = each.end_lineno
    yield "code", "\n".join(code)


def words(comment):
    text = comment.removeprefix("#").strip()
    return f"## {text.removeprefix('---').strip().rstrip('.')}" if text.startswith("---") else text


def notebook(path):
    """The notebook of the script at ``path``, as text: nbformat 4.5, nothing run."""
    made = []
    for number, (kind, text) in enumerate(cells(path)):
        entry = {
            "cell_type": kind,
            "id": f"{path.stem}-{number}",
            "metadata": {},
            "source": text.splitlines(keepends=True),
        }
        made.append(entry | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def written():
    """Name and text of every notebook."""
    return {f"{path.stem}.ipynb": notebook(path) for path in sorted(WALKS.glob("*.py"))}


if __name__ == "__main__":
    for name, text in written().items():
        (Path(sys.argv[1]) / name).write_text(text)
