"""How MkDocs makes the site of these pages, without a network.

Formulas become MathML, pictures get captions, and a page loads the scripts of the figures that move on it.  It needs
the extra ``docs`` only, not the package: what pages take from the code stands in them (``pages.py``).
"""

import html
import re
import sys
from collections import Counter
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url

sys.path.insert(0, str(Path(__file__).parent))
import narrow
import python_in_page
from notebooks import written as notebooks

FONT = "fonts/math.woff"

# --- Marks for those who read the source.

DOCSTRINGS = re.compile(r"^`[\w.]+`\n\n<!--: ([\w.]+) -->$", re.MULTILINE)
"""A name whose docstring, and those of what is in it, the site shows in its place."""

VALUE_MARKS = re.compile(r"<!--= .*? -->|<!--/-->", re.DOTALL)
STEP = re.compile(r'^<div class="step">$(.*?)^</div>$', re.DOTALL | re.MULTILINE)
"""What stands in one is Markdown, as it is on a Git host; here that takes a block, since a formula may hold a `<`."""

DETAILS = re.compile(r"^<details>\n<summary>(.*?)</summary>$(.*?)^</details>$", re.DOTALL | re.MULTILINE)
"""Folded; what stands in one is Markdown, too."""

STATEMENT = re.compile(r'(title="(?:\w+/)*(\w+/\w+\.py)): [^"]*"')
"""Of a title that names a source and what is taken from it, the place is shown and not how the statement begins."""

MENU = re.compile(r'(<nav class="md-nav"[^>]* aria-label=")([^"]+)(")')

# --- Pictures.

PICTURE = re.compile(r"<p>(<img [^>]*>)</p>(?:\s*<p><em>((?:(?!</p>).)*)</em></p>)?", re.DOTALL)


def figure(match):
    """A picture that can be moved sideways where it is wider than the screen, with its caption if it has one."""
    picture = f'<div class="scroll">{match[1]}</div>'
    return f"<figure>\n{picture}\n<figcaption>{match[2]}</figcaption>\n</figure>" if match[2] else picture


# --- Figures that move: a page loads the scripts of those that it holds.

MOVING = re.compile(r'<div class="moving" data-figure="(\w+)"')
MOVED = "scripts/figures/{}.js"

# --- Formulas.

MATHML = "{http://www.w3.org/1998/Math/MathML}"
ElementTree.register_namespace("", MATHML[1:-1])
DOT = "\N{DOT ABOVE}"
BARS = ("|", "\N{DOUBLE VERTICAL LINE}")
PRIMES = ("\N{PRIME}", "\N{DOUBLE PRIME}", "\N{TRIPLE PRIME}")
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


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
        before = None
        for place, each in enumerate(parent):
            drawn_well(parent, place, each)
            if each.tag == f"{MATHML}mo":
                spaced(each, before, parent[place + 1 : place + 2])
            before = each
    return ElementTree.tostring(root, encoding="unicode")


def drawn_well(parent, place, each):
    """Bars as long as what is under them, dots close to their letter, primes raised once."""
    if each.tag == f"{MATHML}mover" and each[1].text == "\N{HORIZONTAL BAR}":
        parent[place] = each[0]
        each[0].set("class", "bar")
    elif each.tag == f"{MATHML}mover" and each[1].text == DOT:
        each.set("accent", "true")
        each[1].set("class", "dot")
    elif each.tag == f"{MATHML}msup" and each[1].text in PRIMES:
        # The font draws a prime raised already; as a superscript it would be raised twice.
        each.tag, each[1].tag = f"{MATHML}mrow", f"{MATHML}mo"
        each[1].attrib.update(lspace="0", rspace="0")


def spaced(operator, before, after):
    """The room around a sign that is no binary operator here: bars of a norm, a minus in front, a function's name."""
    follows = before is None or (before.tag == f"{MATHML}mo" and before.text not in (")", "]", *BARS, *PRIMES))
    if operator.text in BARS:
        operator.attrib.update(stretchy="false", lspace="0", rspace="0")
    elif operator.text == "\N{MINUS SIGN}" and follows:
        operator.set("form", "prefix")
    elif (operator.text or "").isalpha():
        opens = bool(after) and after[0].tag == f"{MATHML}mo"
        operator.attrib.update(lspace="0" if follows else "0.167em", rspace="0" if opens else "0.167em")


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


# --- Python in the page.

SCRIPTS = "scripts/python"
TO_RUN = re.compile(r'<span class="filename">(?:exercise [\w-]+|your own layer)</span>')
"""Code that a page with Python makes an editor of (``in_page/exercises.js``)."""

WITHOUT = """<div class="admonition note">
<p class="admonition-title">No Python in this copy of the pages</p>
<p>It was built without npm or without a network, so the code below is to be read only. Where you have both,
<code>make docs</code> makes editors of it.</p>
</div>
"""


def with_python(content, page, config):
    """A page's code made editors, where there is Python for it; else the page says why it is not."""
    if not TO_RUN.search(content):
        return content
    if not config["python_in_page"]:
        return WITHOUT + content
    script = get_relative_url(f"{SCRIPTS}/{python_in_page.BUNDLE}", page.url)
    return f'{content}<script src="{script}" defer></script>'


# --- What MkDocs calls.


def on_files(files, config):
    files.append(File.generated(config, FONT, content=math_font()))
    config["python_in_page"] = python_in_page.packed()
    for name, script in config["python_in_page"].items():
        files.append(File.generated(config, f"{SCRIPTS}/{name}", content=script))
    for name, text in notebooks().items():
        files.append(File.generated(config, f"notebooks/{name}", content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    markdown = DOCSTRINGS.sub(r"::: \1", markdown)
    markdown = STEP.sub(r"/// html | div.step\1///", VALUE_MARKS.sub("", markdown))
    markdown = DETAILS.sub(r"/// details | \1\2///", markdown)
    return STATEMENT.sub(r'title="\2"', markdown)


def numbered_menus(output):
    """Parts of the menu that sound alike, as a module and a class of it may, are told apart by numbers."""
    seen = Counter()

    def number(match):
        name = match[2].lower()
        seen[name] += 1
        return match[0] if seen[name] == 1 else f"{match[1]}{match[2]} {seen[name]}{match[3]}"

    return MENU.sub(number, output)


def on_post_page(output, page, config):
    # The theme forgets to name its dialog.
    return numbered_menus(output).replace('role="dialog"', 'role="dialog" aria-label="Search"')


def on_page_content(content, page, config, files):
    content = PICTURE.sub(figure, content)
    scripts = ["figure"] * ("data-figure" in content)
    for name in MOVING.findall(content):
        scripts += [each for each in (f"{name}_data", name) if files.get_file_from_path(MOVED.format(each))]
    loads = (get_relative_url(MOVED.format(name), page.url) for name in scripts)
    content += "".join(f'\n<script src="{load}"></script>' for load in loads)
    return with_python(narrow.readable(FORMULA.sub(mathml, content)), page, config)
