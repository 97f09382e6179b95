"""How MkDocs builds these pages: code is included from its source, numbers are computed, formulas become MathML.

In a page, ``{= expression =}`` is evaluated with the names of :func:`names`:

    {= net.parameter_count =}                                   a number, with commas
    {= code("kernels/reference/dense.py", "dense") =}           a function without its docstring
    {= code("kernels/reference/dense.py", "dense", "return") =} the statement of it that begins so
    {= figure("pyramid", "what it shows") =}                    a picture that figures.py draws
    {= output("docs/walks/train.py") =}                         what a script prints

A piece of code that is not found, or found twice, ends the build: text and source cannot drift apart.
"""

import ast
import html
import re
import subprocess
import sys
import textwrap
from functools import cache
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import jinja2
import numpy as np
from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))
import figures
import reference

import emop3d_np as emo

ROOT = Path(__file__).resolve().parents[2]
FONT = "fonts/math.woff"


@cache
def names():
    """What expressions in pages may use."""
    net = emo.EmoP3D(backend="reference")
    layers = {layer.name: layer for layer in net.layers}
    sizes = {name: layer.output_shape for name, layer in layers.items()}
    counts = {name: sum(net.parameters[each].size for each in layer.parameter_shapes) for name, layer in layers.items()}
    return {
        "net": net,
        "sizes": sizes,
        "counts": counts,
        "by": lambda shape: "×".join(map(str, shape)),
        "code": code,
        "figure": figure,
        "output": output,
        "layer_table": lambda: layer_table(net),
        "field": figures.receptive_field_size(net),
        "compare_layers": figures.compare_layers,
    }


def layer_table(net):
    lines = ["| layer | parameters | of shape | output of 100 clips in float32, MB |", "|---|---|---|---|"]
    for layer in net.layers:
        shapes = ", ".join(map(str, layer.parameter_shapes.values()))
        count = sum(net.parameters[name].size for name in layer.parameter_shapes)
        megabytes = np.prod(layer.output_shape) * 4 * 100 / 1e6
        lines.append(f"| {layer.name} | {f'{count:,}' if count else ''} | {shapes} | {megabytes:,.1f} |")
    return "\n".join(lines)


def code(path, function, starts=None):
    """A fenced block of a function, or of the one statement in it that begins with ``starts``."""
    source = (ROOT / path).read_text()
    found = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == function
    ]
    node = only(found, f"{path}: {function}")
    lines = source.splitlines()
    if starts is None:
        first, end = node.lineno, node.end_lineno
        body = lines[first - 1 : end]
        if ast.get_docstring(node):
            doc = node.body[0]
            del body[doc.lineno - first : doc.end_lineno - first + 1]
        return fenced(textwrap.dedent("\n".join(body)), "python", f"{path}, line {first}")
    statements = [
        each
        for each in ast.walk(node)
        if isinstance(each, ast.stmt) and lines[each.lineno - 1][each.col_offset :].startswith(starts)
    ]
    each = only(statements, f"{path}: {function}: a statement that starts with {starts!r}")
    text = "\n".join(lines[each.lineno - 1 : each.end_lineno])
    return fenced(textwrap.dedent(text), "python", f"{Path(path).parent.name}/{Path(path).name}:{each.lineno}")


def only(found, what):
    if len(found) != 1:
        raise PluginError(f"{what}: found {len(found)} times, must be once")
    return found[0]


def fenced(text, language, title):
    return f'```{language} title="{title}"\n{text}\n```'


def figure(name, caption):
    """The picture that the function ``name`` of figures.py draws."""
    if not hasattr(figures, name):
        raise PluginError(f"figures.py draws no {name!r}")
    return f"![{caption}](figures/{name}.svg)\n{{ .figure }}\n\n*{caption}*{{ .caption }}"


@cache
def output(path):
    """What the script prints; it runs once a build."""
    done = subprocess.run([sys.executable, path], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PluginError(f"{path} failed:\n{done.stderr}")
    return fenced(done.stdout.rstrip(), "text", f"python {path}")


def mathml(match):
    """MathML of one formula that arithmatex marked; what \\qquad keeps apart may stand on lines of its own."""
    tex = html.unescape(match["tex"])
    if match["open"] == "(":
        return converted(tex, "inline")
    parts = " ".join(converted(part, "block") for part in tex.split(r"\qquad"))
    return f'<div class="formula">{parts}</div>'


def converted(tex, display):
    """One formula, with the converter's marks exchanged for such as browsers draw well."""
    try:
        root = ElementTree.fromstring(convert(tex, display=display))
    except ElementTree.ParseError:
        root = None
    if root is None or any("\\" in (each.text or "") for each in root.iter()):
        raise PluginError(f"the converter does not know all of {tex}")
    for parent in list(root.iter()):
        for place, each in enumerate(parent):
            if each.tag == f"{MATHML}mover" and each[1].text == "\N{HORIZONTAL BAR}":
                # A bar as long as what is under it: a border.
                parent[place] = each[0]
                each[0].set("class", "bar")
            elif each.tag == f"{MATHML}msup" and each[1].text in PRIMES:
                # The font draws a prime raised already; as a superscript it would be raised twice.
                each.tag, each[1].tag = f"{MATHML}mrow", f"{MATHML}mo"
                each[1].attrib.update(lspace="0", rspace="0")
    return ElementTree.tostring(root, encoding="unicode")


MATHML = "{http://www.w3.org/1998/Math/MathML}"
ElementTree.register_namespace("", MATHML[1:-1])
PRIMES = ("\N{PRIME}", "\N{DOUBLE PRIME}", "\N{TRIPLE PRIME}")
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def math_font():
    """STIX Two Math out of the package ziamath, only the signs that a page may show, as a web font."""
    import ziamath
    from fontTools import subset

    options = subset.Options(flavor="woff", layout_features=["*"], notdef_outline=True)
    path = Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf"
    font = subset.load_font(str(path), options)
    subsetter = subset.Subsetter(options)
    ranges = [(0x20, 0x17F), (0x370, 0x3FF), (0x2000, 0x22FF), (0x2308, 0x230B), (0x23B0, 0x23E1), (0x1D400, 0x1D7FF)]
    subsetter.populate(unicodes=[sign for first, last in ranges for sign in range(first, last + 1)])
    subsetter.subset(font)
    written = BytesIO()
    subset.save_font(font, written, options)
    return written.getvalue()


# --- What MkDocs calls.


def on_files(files, config):
    files.append(File.generated(config, FONT, content=math_font()))
    for name in figures.FIGURES:
        files.append(File.generated(config, f"figures/{name}.svg", content=figures.draw(name)))
    for path, made in reference.PAGES.items():
        files.append(File.generated(config, path, content=made()))
    return files


def on_page_markdown(markdown, page, config, files):
    environment = jinja2.Environment(
        variable_start_string="{=", variable_end_string="=}",
        block_start_string="{=%", block_end_string="%=}",
        comment_start_string="{=#", comment_end_string="#=}",
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: f"{value:,}" if isinstance(value, int) else value,
    )  # fmt: skip
    try:
        return environment.from_string(markdown).render(names())
    except jinja2.TemplateError as error:
        raise PluginError(f"{page.file.src_path}: {error}") from None


def on_page_content(content, page, config, files):
    return FORMULA.sub(mathml, content)
