"""README and the pages: their examples and commands, what they take from the code, their links; the walks; the site."""

import contextlib
import doctest
import io
import json
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from conftest import JIT

import emop3d_np as emo
from emop3d_np import commands, exercises
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
        of_jobs = re.sub(r"\$SLURM_ARRAY_TASK_\w+", "2", re.sub(r"\$\{last:\+(.*?)\}", r"\1", block))
        for line in of_jobs.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] in ("mpiexec", "srun"):
                words = words[words.index("python") :]
            if words[:3] == ["python", "-m", "mpi4py.futures"]:
                words = ["python", *words[3:]]
            if words:
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
        elif words[0] in ("export", "[", "exit") or re.match(r"(last|code)=", words[0]):
            pass  # of a job
        elif words[0].endswith("python"):
            assert (ROOT / words[1]).exists(), words
        else:
            assert words[:2] in (["pip", "install"], ["pip", "download"]), words


def test_readme_is_a_front_door():
    readme = (ROOT / "README.md").read_text()
    assert readme.count("\n") <= 120
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", readme):
        assert (ROOT / link).exists(), link


@pytest.fixture(scope="module")
def tool():
    """The script ``docs/tools/pages.py`` as a module; it draws pictures."""
    pytest.importorskip("matplotlib", reason="the pictures need the extra 'plots'")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS / "tools")
        import pages
    return pages


@pytest.mark.once
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_and_values_are_as_in_the_source(tool, page):
    """What a page holds of code, and of numbers that follow from it, is what the code says today: else `make pages`."""
    text = page.read_text()
    assert tool.written(text, run_scripts=False) == text, "run `make pages`"


@pytest.mark.once
def test_every_lesson_has_its_page():
    pages = {path.stem for path in (DOCS / "course").glob("lesson_*.md")}
    assert pages == {f"lesson_{each.number}" for each in exercises.lessons()}, "run `make pages`"


@pytest.mark.once
def test_exercises_are_markdown_as_it_is_meant():
    """A power is not bold print, a product not slanted: what is code stands in backticks or is indented."""
    for each in exercises.all_of():
        for text in (each.task, *each.hints):
            prose = re.sub(r"^    .*$|`[^`]*`", "", text, flags=re.MULTILINE)
            assert not re.search(r"\w\s?\*\*\s?\w|<\w", prose), f"{each.name}: {prose}"


@pytest.mark.once
def test_a_page_follows_the_source(tool):
    """A changed line and a changed number are put right, and what is not found is an error."""
    text = (DOCS / "fully_connected.md").read_text()
    for right, wrong in (("return a @ weights + bias", "return a @ weights"), ("979,590<!--", "979,591<!--")):
        assert right in text
        assert tool.written(text.replace(right, wrong), run_scripts=False) == text
    with pytest.raises(SystemExit, match="found 0 times"):
        tool.written(text.replace("dense: return", "dense: retrun"), run_scripts=False)


@pytest.mark.once
def test_pictures_are_as_drawn(tool):
    """Every picture is drawn anew and compared; that of the trained plane of weights only for being there."""
    if not JIT:
        pytest.skip("drawing faces is for compiled kernels")
    kept = {path.stem: path.read_text() for path in (DOCS / "figures").glob("*.svg")}
    assert set(kept) == set(tool.figures.FIGURES)
    for name in set(kept) - {"learned_plane"}:
        assert tool.figures.alike(kept[name], tool.figures.draw(name).decode()), f"{name}.svg: run `make pages`"


def test_pictures_have_a_text_besides_their_caption():
    for page in PAGES:
        for alt, caption in re.findall(r"^!\[(.*)\]\(figures/\w+\.svg\)\n\n\*(.*)\*$", page.read_text(), re.MULTILINE):
            assert len(alt) > 60, f"{page.name}: {alt!r} says little of what is in the picture"
            assert alt != caption, f"{page.name}: {alt!r}"
        assert "](figures/" not in re.sub(
            r"^!\[.*\]\(figures/\w+\.svg\)\n\n\*.*\*$", "", page.read_text(), flags=re.MULTILINE
        )


@pytest.mark.once
def test_figures_that_move_have_a_place_a_sentence_and_their_data(tool):
    """Each stands on one page, with words for those who read it without scripts, and is compared in a browser."""
    scripts = {path.stem: path.read_text() for path in (DOCS / "scripts" / "figures").glob("*.js")}
    places = [
        place
        for page in PAGES
        for place in re.findall(r'^<div class="moving" data-figure="(\w+)">(.+)</div>$', page.read_text(), re.MULTILINE)
    ]
    assert len(places) == len(dict(places)) == 5
    assert all(len(sentence) > 60 for _, sentence in places)
    assert set(scripts) == {"figure", *dict(places), *(f"{name}_data" for name in tool.moving.DATA)}
    assert all(f'movingFigure("{name}", ' in scripts[name] for name in dict(places))
    assert sum(map(len, scripts.values())) < 100_000
    if not JIT:
        pytest.skip("drawing faces is for compiled kernels")
    assert set(tool.moving.expected()) == set(dict(places))
    for name in tool.moving.DATA:
        kept = scripts[f"{name}_data"]
        assert tool.moving.alike(kept, tool.moving.script(name)), "run `make pages`"
        assert not tool.moving.alike(kept, re.sub(r"A[^A/+]{8}", "A12345678", kept, count=1))


def test_reading_order_names_every_page_once_in_the_order_of_the_menu():
    menu = re.findall(r"^ +- (\w+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    order = re.findall(r"^\| \[[^\]]+\]\((\w+\.md)\)", (DOCS / "index.md").read_text(), re.MULTILINE)
    assert ["index.md", *order] == menu
    assert set(menu) == {page.name for page in DOCS.glob("*.md")}


@pytest.mark.once
@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("is 5 % or 3 ± 1 MB", "is 5\xa0% or 3\xa0±\xa01\xa0MB"),
        ("<code>12 % 5</code>", "<code>12 % 5</code>"),
        ("as of :meth:<code>~a.b</code>", "as of <code>a.b</code>"),
        (
            '<td><code><span title="n.a">a,</span></code></td> <td><code>(b, <span title="n.c">c</span>)</code></td>',
            '<td><code><span title="n.a">a</span>, b, <span title="n.c">c</span></code></td> <td></td>',
        ),
        ("give --flip, not -", 'give <span class="together">--flip</span>, not -'),
        ("<code>run --flip w</code>", '<code>run <span class="together">--flip</span> w</code>'),
        ("<pre><code>5 % --flip</code></pre>", "<pre><code>5 % --flip</code></pre>"),
        (
            '<div class="language-sh highlight"><pre><code>a --flip w</code></pre></div>',
            '<div class="language-sh highlight"><pre><code>a <span class="together">--flip</span> w</code></pre></div>',
        ),
        (
            '(<math display="inline">x</math>), <math display="inline">y</math> z',
            '<span class="together">(<math display="inline">x</math>),</span> <math display="inline">y</math> z',
        ),
        ("<td>5</td><td>2,297 ms (54.93x)</td>", "<td>5</td><td>2,297 ms (54.93x)</td>".replace(" ms", "\xa0ms")),
        (f"<td>{'words ' * 6}</td>", f'<td class="words">{"words " * 6}</td>'),
        (
            "<td><code>tests/files.py::test_that_there_are_some</code></td>",
            '<td class="words"><code class="long">tests/<wbr>files.py::<wbr>'
            "test_<wbr>that_<wbr>there_<wbr>are_<wbr>some</code></td>",
        ),
    ],
)
def test_where_lines_and_tables_of_the_site_may_break(monkeypatch, written, shown):
    monkeypatch.syspath_prepend(DOCS / "tools")
    import narrow

    assert narrow.readable(written) == shown


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
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {page.relative_to(folder).as_posix(): Links(page) for page in folder.rglob("*.html")}, folder


def test_every_page_is_built(site):
    pages, folder = site
    assert {page.relative_to(DOCS).with_suffix(".html").as_posix() for page in PAGES} <= set(pages)
    assert "training_pass" in (folder / "reference/api.html").read_text()


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


def test_code_to_run_has_python_or_the_page_says_why_not(site):
    """Where the build had no npm or no network the page says so; else it loads the editors. Hints are folded."""
    pages, folder = site
    for page in (DOCS / "course").glob("*.md"):
        name = f"course/{page.stem}.html"
        text = (folder / name).read_text()
        loads = "../scripts/python/exercises.js" in pages[name].loads
        assert loads != ("No Python in this copy of the pages" in text), name
        assert text.count("<details") == page.read_text().count("<details>"), name
        blocks = re.findall(r'^```python title="(?:exercise|your own)', page.read_text(), re.MULTILINE)
        assert len(re.findall(r'<span class="filename">(?:exercise [\w-]+|your own layer)</span>', text)) == len(blocks)
    assert not any("exercises.js" in load for load in pages["index.html"].loads)


def test_formulas_and_expressions_are_all_rendered(site):
    pages, folder = site
    for name in pages:
        text = (folder / name).read_text()
        assert "arithmatex" not in text, name
        # In text, not in code: no TeX, no expression, no directive is left, and no role before a name in code.
        assert not re.search(r":\w+:<code>", text), name
        prose = re.sub(r"<(pre|code|script|style).*?</\1>", "", text, flags=re.DOTALL)
        assert not re.search(r"<!--=|^///|\$\$|\\[a-z]+\{|^\*.*\*$", prose, re.MULTILINE), name
    assert "<math" in (folder / "normalisation.html").read_text()


@pytest.mark.once
@pytest.mark.parametrize(
    ("page", "script"),
    [("chain_rule", "chain"), ("walk_layer", "layer"), ("walk", "train"), ("walk_descent", "descent")],
)
def test_walks_print_what_the_page_says(tool, page, script):
    """The same words, and the same share of people never seen, to what other orders of sums may make of it."""
    if not JIT:
        pytest.skip("training and drawing faces is for compiled kernels")
    printed = tool.output(f"docs/walks/{script}.py")
    (said,) = (
        match[0].split("\n", 1)[1].rsplit("\n", 1)[0]
        for match in tool.OUTPUT.finditer((DOCS / f"{page}.md").read_text())
    )
    number = re.compile(r" *-?\d+(\.\d+)?(e[-+]\d+)?%?")
    assert number.sub("", printed) == number.sub("", said)
    shares = [[float(share) / 100 for share in re.findall(r"never seen +([\d.]+)%", text)] for text in (printed, said)]
    if script in ("layer", "train"):
        assert abs(shares[0][-1] - shares[1][-1]) < 0.1
        assert shares[0][-1] > 2 * CHANCE


@pytest.mark.once
@pytest.mark.parametrize("script", ["chain", "descent", "layer", "train"])
def test_notebooks_print_what_the_walks_print(tool, monkeypatch, tmp_path, script):
    """The notebook that `make docs` makes of a walk: whole, valid, and run cell by cell; the longest for one epoch."""
    monkeypatch.setattr(sys, "path", [str(DOCS / "tools"), *sys.path])
    import notebooks

    path = DOCS / "walks" / f"{script}.py"
    made = json.loads(notebooks.written()[f"{script}.ipynb"])
    assert (made["nbformat"], made["nbformat_minor"], made["metadata"]["kernelspec"]["name"]) == (4, 5, "python3")
    ids = [cell["id"] for cell in made["cells"]]
    assert len(set(ids)) == len(ids) > 6
    assert all(re.fullmatch(r"[\w-]{1,64}", each) for each in ids)
    code = ["".join(cell["source"]) for cell in made["cells"] if cell["cell_type"] == "code"]
    for cell in made["cells"]:
        due = {"cell_type", "id", "metadata", "source"}
        assert set(cell) == due | ({"execution_count", "outputs"} if cell["cell_type"] == "code" else set())
        assert not cell.get("outputs")
    # All of the script is there, in its order: code as it is, comments and words as text.
    ours = "\n".join("".join(cell["source"]) for cell in made["cells"])
    _, *lines = (line for line in path.read_text().splitlines() if line.strip(' ".'))
    at = 0
    for line in lines:
        at = ours.index(re.sub(r"^# --- (.*)\.$", r"## \1", line), at)
    if not JIT:
        pytest.skip("training and drawing faces is for compiled kernels")
    monkeypatch.chdir(tmp_path)
    if script != "chain":
        with pytest.raises(AssertionError, match="start Jupyter in the checkout"):
            exec(code[0], {})
    monkeypatch.chdir(DOCS)
    namespace, whole = {"__name__": "__main__"}, tool.output(f"docs/walks/{script}.py")
    if script == "train":
        epochs = "EPOCHS, BATCH, RATE, MOMENTUM, DECAY = "
        code = [cell.replace(f"{epochs}20", f"{epochs}1") for cell in code]
        whole = "\n".join(whole.splitlines()[:2])
    with contextlib.redirect_stdout(io.StringIO()) as said:
        for cell in code:
            exec(cell, namespace)
    assert said.getvalue().rstrip() == whole


@pytest.fixture(scope="module")
def walks():
    """The scripts layer.py and train.py as modules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS / "walks")
        import layer
        import train
    return layer, train


@pytest.mark.once
@pytest.mark.parametrize(
    ("field", "strides", "block"),
    [
        ((3, 4, 4), (1, 1, 1), (2, 2)),
        ((3, 3, 3), (1, 1, 1), (2, 2)),
        ((3, 5, 5), (1, 1, 1), (2, 3)),
        ((2, 3, 4), (1, 2, 1), (1, 2)),
    ],
)
def test_windows_decide_the_sizes_of_the_walks(walks, monkeypatch, field, strides, block):
    """Other windows make another network, the one that the package calls so, and its loss and gradients."""
    layer, train = walks
    for walk in walks:
        monkeypatch.setattr(walk, "FIELD", field)
        monkeypatch.setattr(walk, "STRIDES", strides)
    monkeypatch.setattr(train, "BLOCK", block)
    monkeypatch.setattr(train, "CLIP", (9, 20, 19, 1))
    net = emo.EmoP3D(
        (9, 20, 19, 1), receptive_field=field, strides=strides, pool=(3, *block), dtype="float64", backend="reference"
    )
    rng = np.random.default_rng(0)
    p = train.initial_parameters(rng)
    net.load_parameters(p)
    x, labels = rng.standard_normal((2, 9, 20, 19, 1)), np.array([1, 5])
    logits, saved = train.forward(x, p)
    dx, g = train.backward(logits, labels, saved, p)
    _, due = net.loss_and_gradients(x, labels, input_gradient=True)
    np.testing.assert_allclose(dx, due["input"], rtol=0, atol=1e-12)
    for name in p:
        np.testing.assert_allclose(g[name], due[name], rtol=0, atol=1e-12, err_msg=name)
    z = layer.k.weighted_sum(x[:1], p["L1WS/weights"], p["L1WS/bias"], field, strides)
    for way in (layer.as_loops, layer.as_product_and_box_sum):
        np.testing.assert_allclose(way(x[:1], p["L1WS/weights"], p["L1WS/bias"]), z, rtol=0, atol=1e-12)
    monkeypatch.setattr(layer, "CLIP", (9, 20, 19, 1))
    assert layer.parameters(rng)["bias"].shape[:-1] == p["L1WS/bias"].shape[:-1]


@pytest.mark.once
def test_digits_are_read_on_every_colour(tool):
    """White on pale cells was not."""
    colours = tool.figures.matplotlib.colormaps
    for name in ("Greens", "Oranges", "BrBG", "turbo"):
        for paper in colours[name](np.linspace(0, 1, 101)):
            assert tool.figures.contrast(tool.figures.ink(paper), paper) >= 4.5
    for words in (tool.figures.ORANGE_TEXT, tool.figures.GREY_TEXT, tool.figures.TEAL, tool.figures.INK):
        assert tool.figures.contrast(words, "white") >= 4.5
    assert round(tool.figures.contrast("white", "black"), 6) == 21
