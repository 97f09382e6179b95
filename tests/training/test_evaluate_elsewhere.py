"""``evaluate`` by an executor: the figures of one process, to the bit, and whatever is wrong told as there."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import PATIENCE
from test_executors import ENVIRONMENT, needs_mpi, start
from untrained import clips_of, run_of

from emop3d_np.errors import InputError
from emop3d_np.tasks import Lost
from emop3d_np.training import evaluation
from emop3d_np.training.evaluation import EVALUATED_TOGETHER, evaluate_checkpoint

pytestmark = pytest.mark.once


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Runs ``a`` and ``b``, and 70 clips; a task has 32 of them."""
    run_of(tmp_path / "a", seed=0, rotate=10.0)
    run_of(tmp_path / "b", seed=1)
    clips_of(tmp_path, 70)
    monkeypatch.setattr(evaluation, "HANDED_OUT_TOGETHER", EVALUATED_TOGETHER)
    monkeypatch.chdir(tmp_path)  # paths are relative to it
    return tmp_path


def test_the_same_figures(place, monkeypatch, capsys):
    asked = []
    logits_of = evaluation._logits_of
    monkeypatch.setattr(evaluation, "_logits_of", lambda *given: asked.append(given[2]) or logits_of(*given))
    with ThreadPoolExecutor(2) as pool:
        for runs, options in (("a", {"moved": 2}), (["a", "b"], {"temperature": 2.0})):
            here = evaluate_checkpoint(runs, "x.npy", "y.npy", **options)
            assert evaluate_checkpoint(runs, "x.npy", "y.npy", **options, executor=pool) == here
        assert sorted(asked, key=lambda each: each.start)[::2] == [range(32), range(32, 64), range(64, 70)]
        assert "70/70" in capsys.readouterr().err
        run_of(place / "a", seed=7)
        evaluated = evaluate_checkpoint(runs, "x.npy", "y.npy", **options, executor=pool)
        assert evaluated == evaluate_checkpoint(runs, "x.npy", "y.npy", **options) != here


def test_a_part_that_is_lost_twice(place, monkeypatch):
    def lost(*_):
        raise Lost("it died")

    monkeypatch.setattr(evaluation, "_logits_of", lost)
    with ThreadPoolExecutor(2) as pool, pytest.raises(InputError, match=r"clips \d+ to \d+ were lost twice: it died"):
        evaluate_checkpoint("a", "x.npy", "y.npy", executor=pool)


@pytest.mark.long
@pytest.mark.parametrize("executor", ["processes", pytest.param("mpi", marks=needs_mpi), "dask"])
def test_by_command(place, executor):
    clips_of(place, 2100)
    words = ["-m", "emop3d_np", "evaluate", place / "a", place / "x.npy", "--labels", place / "y.npy", "--json"]
    for each in (
        start("processes", 1, *words, place / "here.json"),
        start(executor, 2, *words, place / "there.json", "--executor", executor),
    ):
        subprocess.run(each, env=ENVIRONMENT, check=True, capture_output=True, timeout=PATIENCE)
    assert json.loads((place / "there.json").read_text()) == json.loads((place / "here.json").read_text())
