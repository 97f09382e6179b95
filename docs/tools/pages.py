"""What pages take from elsewhere, written into them: code, computed values, what scripts print, pictures.

    python docs/tools/pages.py                writes all of it anew where it differs (make pages)

A page holds everything that it shows, so that it also reads well where its source is read, on a Git host, say; and so
that the site is built without NumPy (``docs/tools/site.py``).  ``tests/test_docs.py`` compares what stands in the pages
with what this script would write.  It knows where to write by three marks:

- a block whose title is a source and a function, and perhaps how the one statement begins that is meant, is code:
  ```` ```python title="kernels/reference/dense.py: dense: return" ````
- a block whose title is a command is what a script prints: ```` ```text title="python docs/walks/train.py" ````
- what stands between ``<!--= expression -->`` and ``<!--/-->`` is the value of the expression, which may use the names
  of :func:`names`; readers of the page do not see the comments.

A piece of code that is not found, or found twice, is an error: text and source cannot drift apart.
"""

import argparse
import ast
import json
import re
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import figures
import figures_chain
import lessons
import measured
import moving

import emop3d_np as emo
from emop3d_np import commands
from emop3d_np.training import flags

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

CODE = re.compile(
    r'(?P<head>```python title="(?P<path>[\w/]+\.py): (?P<function>\w+)(?:: (?P<starts>[^"]+))?"\n).*?(?P<tail>^```$)',
    re.DOTALL | re.MULTILINE,
)
OUTPUT = re.compile(
    r'(?P<head>```text title="python (?P<command>[^"]+)"\n).*?(?P<tail>^```$)', re.DOTALL | re.MULTILINE
)
VALUE = re.compile(r"(?P<head><!--= (?P<expression>.*?) -->\n*).*?(?P<tail>\n*<!--/-->)", re.DOTALL)


@cache
def names():
    """What expressions in pages may use."""
    net = emo.EmoP3D(backend="reference")
    layers = {layer.name: layer for layer in net.layers}
    field = figures.receptive_field_size(net)
    return {
        "net": net,
        "sizes": {name: layer.output_shape for name, layer in layers.items()},
        "counts": {name: sum(net.parameters[each].size for each in layers[name].parameter_shapes) for name in layers},
        "by": lambda shape: "×".join(map(str, shape)),
        "size": lambda shape: int(np.prod(shape)),
        "megabytes": lambda name, clips=1: np.prod(layers[name].output_shape) * 4 * clips / 1e6,
        "layer_table": lambda: layer_table(net),
        "lesson": lessons.lesson,
        "lesson_table": lessons.table,
        "exercise_count": lessons.count(),
        "own_layer": own_layer,
        "chain_table": lambda: figures_chain.chain_table(net),
        "costs": figures_chain.costs(net),
        "flags": flags.markdown,
        "measured": measured,
        "ranks_measured": lambda: json.loads((ROOT / "bench/results/ranks.json").read_text())["words"],
        "commands": command_sections,
        "field": field,
        "field_share": 100 * np.prod(field) / np.prod(net.input_shape),
        "layers_compared": figures.compare_layers(net),
    }


def layer_table(net):
    """A table of every layer's parameters and of the memory that its output takes."""
    lines = ["| layer | parameters | of shape | output of 100 clips in float32, MB |", "|---|---|---|---|"]
    for layer in net.layers:
        shapes = ", ".join(map(str, layer.parameter_shapes.values()))
        count = sum(net.parameters[name].size for name in layer.parameter_shapes)
        megabytes = np.prod(layer.output_shape) * 4 * 100 / 1e6
        lines.append(f"| {layer.name} | {f'{count:,}' if count else ''} | {shapes} | {megabytes:,.1f} |")
    return "\n".join(lines)


def own_layer():
    """The example of a layer with two mistakes, as code that the page runs; what its head says is for the shell."""
    source = (ROOT / "emop3d_np/gradcheck/my_layer.py").read_text()
    start = ast.parse(source).body[1].lineno
    return lessons.code("\n".join(source.splitlines()[start - 1 :]), "your own layer")


def command_sections():
    """A section per command: its help, as it prints it."""
    sections = []
    for name, parser in commands.parsers("emop3d").items():
        parser.formatter_class = _Help
        sections.append(f"## {name}\n\n```text\n{parser.format_help().rstrip()}\n```")
    return "\n\n".join(sections)


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the page, whatever terminal it is made in."""

    def __init__(self, prog):
        super().__init__(prog, max_help_position=28, width=100)


def value(expression):
    """The value of an expression as text, a whole number with commas."""
    found = eval(expression, dict(names()))
    return f"{found:,}" if isinstance(found, int) else str(found)


def code(path, function, starts=None):
    """A function without its docstring, or the one statement in it that begins with ``starts``."""
    source = (ROOT / path).read_text()
    found = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == function
    ]
    node = only(found, f"{path}: {function}")
    lines = source.splitlines()
    if starts is None:
        first = node.lineno
        body = lines[first - 1 : node.end_lineno]
        if ast.get_docstring(node):
            doc = node.body[0]
            del body[doc.lineno - first : doc.end_lineno - first + 1]
        return textwrap.dedent("\n".join(body))
    statements = [
        each
        for each in ast.walk(node)
        if isinstance(each, ast.stmt) and lines[each.lineno - 1][each.col_offset :].startswith(starts)
    ]
    each = only(statements, f"{path}: {function}: a statement that starts with {starts!r}")
    return textwrap.dedent("\n".join(lines[each.lineno - 1 : each.end_lineno]))


def only(found, what):
    if len(found) != 1:
        raise SystemExit(f"{what}: found {len(found)} times, must be once")
    return found[0]


@cache
def output(command):
    """What the script prints; it runs once."""
    done = subprocess.run([sys.executable, *command.split()], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"python {command} failed:\n{done.stderr}")
    return done.stdout.rstrip()


def written(text, run_scripts=True):
    """A page's text with all of it as it should be; scripts take seconds each and may be left out."""
    text = CODE.sub(lambda m: f"{m['head']}{code(m['path'], m['function'], m['starts'])}\n{m['tail']}", text)
    text = VALUE.sub(lambda m: f"{m['head']}{value(m['expression'])}{m['tail']}", text)
    if run_scripts:
        text = OUTPUT.sub(lambda m: f"{m['head']}{output(m['command'])}\n{m['tail']}", text)
    return text


def main():
    lessons.begin(DOCS / "course")
    for page in sorted(DOCS.glob("**/*.md")):
        text = page.read_text()
        if (new := written(text)) != text:
            page.write_text(new)
            print(f"{page.relative_to(ROOT)} written")
    figures.write(DOCS / "figures")
    moving.write(DOCS / "scripts" / "figures")


if __name__ == "__main__":
    main()
