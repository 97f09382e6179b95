"""README and the pages: their examples, commands and links, what they load; the walks.  Building them is a test."""

import doctest
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import JIT

from emop3d_np import commands
from emop3d_np.training import flags

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if not {"tools", "walks"} & set(page.relative_to(DOCS).parts))
FENCE = re.compile(r"^```pycon\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CHANCE = 1 / 6


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_examples(page, monkeypatch):
    """The examples of a page in their order, as one session from the folder of the checkout."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(ROOT)
    # A blank line for every other, so that a mistake is reported at its line of the page.
    text = page.read_text()
    kept = [match.span(1) for match in FENCE.finditer(text)]
    session = "".join(
        char if char == "\n" or any(start <= at < end for start, end in kept) else " " for at, char in enumerate(text)
    )
    test = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    assert len(test.examples) == text.count("\n>>> "), "an example stands outside of ```pycon"
    reported = []
    results = doctest.DocTestRunner(verbose=False).run(test, out=reported.append)
    assert not results.failed, "".join(reported)


def shell_lines(page):
    """The commands in a page's shell blocks, as words; what is continued on the next line is one command."""
    for block in re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_commands_are_such_as_there_are(page):
    """Every command shown names flags, scripts and targets that exist, with values that are accepted."""
    targets = re.findall(r"^(\S+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for words in shell_lines(page):
        if words[:2] == ["python", "run.py"]:
            flags.parse(words[2:])
        elif words[:3] == ["python", "-m", "emop3d_np"]:
            _, rest = commands.parsers("emop3d")[words[3]].parse_known_args(words[4:])
            assert words[3] in commands.TAKE_FLAGS or not rest, words
        elif words[0] == "make":
            assert set(words[1:]) <= {*targets, ".venv-peers/ready"}, words
        elif words[0].endswith("python"):
            assert (ROOT / words[1]).exists(), words
        else:
            assert words[:2] == ["pip", "install"], words


def test_readme_is_a_front_door():
    readme = (ROOT / "README.md").read_text()
    assert readme.count("\n") <= 120
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", readme):
        assert (ROOT / link).exists(), link


class Links(HTMLParser):
    """What a page links to and loads, and its anchors."""

    def __init__(self, page):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], set()
        self.feed(page.read_text())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.append(given["href"])
        elif given.get("src"):
            self.loads.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built; in strict mode, so that a page that no menu names, or code that is not found, fails."""
    pytest.importorskip("mkdocs", reason="the pages need the extra 'docs'")
    if not JIT:
        pytest.skip("the build draws faces and trains, which is for compiled kernels")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {page.relative_to(folder).as_posix(): Links(page) for page in folder.rglob("*.html")}, folder


def test_every_page_is_built(site):
    pages, _ = site
    assert {page.relative_to(DOCS).with_suffix(".html").as_posix() for page in PAGES} <= set(pages)
    assert {"reference/api.html", "reference/commands.html"} <= set(pages)


def test_links(site):
    """Every link inside the site leads to a file, and to an anchor where it names one."""
    pages, folder = site
    for name, page in pages.items():
        if name == "404.html":
            continue
        for link in page.links + page.loads:
            address = urlsplit(link)
            if address.scheme:
                continue
            target = (folder / name).parent / unquote(address.path) if address.path else folder / name
            assert target.exists(), f"{name} links to {link}"
            if address.fragment and target.suffix == ".html":
                anchors = pages[target.resolve().relative_to(folder.resolve()).as_posix()].anchors
                assert unquote(address.fragment) in anchors, f"{name} links to {link}"


def test_nothing_comes_from_elsewhere(site):
    """Pages are read without a network: scripts, styles, fonts and pictures are the site's own."""
    pages, folder = site
    for name, page in pages.items():
        for load in page.loads:
            assert load.startswith("data:") or not urlsplit(load).netloc, f"{name} loads {load}"
    for style in folder.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", style.read_text()), style.name


def test_formulas_and_expressions_are_all_rendered(site):
    pages, folder = site
    for name in pages:
        text = (folder / name).read_text()
        assert "arithmatex" not in text, name
        # In text, not in code: no TeX, no expression, no directive is left.
        prose = re.sub(r"<(pre|code|script|style).*?</\1>", "", text, flags=re.DOTALL)
        assert not re.search(r"\{=|=\}|^///|\$\$|\\[a-z]+\{", prose, re.MULTILINE), name
    assert "<math" in (folder / "normalisation.html").read_text()


@pytest.mark.parametrize("page", ["walk_layer", "walk"])
def test_walks_learn(site, page):
    """What a walk printed when the pages were built: on people never seen, it is right far oftener than by chance."""
    _, folder = site
    shares = re.findall(r"never seen +([\d.]+)%", (folder / f"{page}.html").read_text())
    assert float(shares[-1]) / 100 > 2 * CHANCE
