"""Python in the pages, without a browser: what is fetched is what it must be, what is packed is enough, judgements."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from emop3d_np import exercises

ROOT = Path(__file__).resolve().parents[1]
LAYER = (ROOT / "emop3d_np/gradcheck/my_layer.py").read_text()
MENDED = LAYER.replace("(d * u).mean(axis=0)", "(d * u).sum(axis=0)").replace(
    "(du - u", "(du - du.mean(axis=1, keepdims=True) - u"
)
FIRST = exercises.find("chain_of_two")
ASK = """
import json, sys
for name in ("numba", "scipy", "tqdm", "matplotlib"):
    sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
import judge
assert judge.__file__.startswith(sys.argv[1])
print(json.dumps([json.loads(judge.judged(*each)) for each in json.load(sys.stdin)]))
"""
pytestmark = pytest.mark.once


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """The script ``docs/tools/python_in_page.py`` as a module, which keeps what it fetches in a folder of its own."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "tools")
    import python_in_page

    monkeypatch.setattr(python_in_page, "KEPT", tmp_path)
    monkeypatch.setattr(python_in_page, "PYODIDE", tmp_path)
    return python_in_page


def test_judgements_of_what_is_packed(tool, tmp_path):
    """With NumPy and what the page gets of this checkout, nothing else: right, wrong, errors, each in words."""
    zipfile.ZipFile(io.BytesIO(tool.sources())).extractall(tmp_path)
    texts = [
        ("", MENDED),
        ("", LAYER),
        ("", "print('so far')\nx = 1 / 0\n"),
        ("", "forward = 1\n"),
        ("", "def forward(\n"),
        ("no_such_exercise", ""),
        (FIRST.name, FIRST.solution + "print('seen')\n"),
        (FIRST.name, FIRST.start),
    ]
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path)],
        input=json.dumps(texts), capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    right, wrong, error, missing, syntax, unknown, solution, start = json.loads(done.stdout)
    assert right["right"]
    assert "gradient of gain: right." in right["words"]
    assert "gradient check: right" in right["report"]
    assert not any(each["right"] for each in (wrong, error, missing, syntax, unknown))
    assert "lacks the way through the mean over axis 1" in wrong["words"]
    assert "gradient of shift: right." in wrong["words"]
    assert "line 2" in error["report"]
    assert "ZeroDivisionError" in error["report"]
    assert "judge.py" not in error["report"]
    assert error["printed"] == "so far\n"
    assert missing["words"].startswith("the text does not define backward, inputs")
    assert "line 1" in syntax["report"]
    assert "no_such_exercise" in unknown["words"]
    assert solution["right"]
    assert solution["printed"] == "seen"
    assert "seen" not in solution["words"]
    assert not start["right"]
    assert "still to be written" in start["words"]


def test_another_numpy_is_refused(tool, tmp_path):
    wheel = tmp_path / "numpy.whl"
    wheel.write_bytes(b"as it was made")
    lock = {"packages": {"numpy": {"file_name": wheel.name, "sha256": hashlib.sha256(b"as it was made").hexdigest()}}}
    (tmp_path / "pyodide-lock.json").write_text(json.dumps(lock))
    assert tool.numpy_wheel() == wheel
    wheel.write_bytes(b"changed")
    with pytest.raises(tool.Missing, match="refused"):
        tool.numpy_wheel()
    assert not wheel.exists()


def test_without_npm_it_is_said_and_nothing_is_packed(tool, tmp_path, monkeypatch, capsys):
    """What an earlier build packed goes, too: it may be of another version."""
    monkeypatch.setenv("PATH", "")
    for name in (tool.BUNDLE, tool.LICENCES, *(f"{name}.js" for name in tool.FIXED)):
        path = tmp_path / "packed" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("old")
    assert set(tool.packed()) == {path.name for path in (tmp_path / "packed").iterdir()} | {"sources.zip.js"}
    tool.main()
    assert "built without Python in them, which needs npm and a network once: npm" in capsys.readouterr().err
    assert tool.packed() == {}


def test_what_npm_gives_is_fixed():
    """Every package by its digest, and none from an address that only some machines reach."""
    folder = ROOT / "docs/tools/in_page"
    lock = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert lock.pop("")["dependencies"] == json.loads((folder / "package.json").read_text())["dependencies"]
    for name, each in lock.items():
        assert each["integrity"].startswith("sha512-"), name
        assert "resolved" not in each, name
    assert lock["node_modules/pyodide"]["version"] == "0.27.7"
