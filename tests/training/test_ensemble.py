"""Several runs and moved copies: the mean of the probabilities that each gives by itself, and nothing else."""

import json

import numpy as np
import pytest
from untrained import NAMES, SHAPE, clips_of, run_of

from emop3d_np.__main__ import main
from emop3d_np.datasets import Augmentation, normalize, open_set
from emop3d_np.errors import InputError
from emop3d_np.training import building
from emop3d_np.training.ensemble import Ensemble, combined
from emop3d_np.training.evaluation import evaluate_checkpoint
from emop3d_np.training.metrics import Evaluation
from emop3d_np.video.predict import Predictor
from kernels import reference

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Runs ``a``, ``b``, and ``c``, which sees the clips otherwise; clips in ``test`` and ``val``."""
    place = tmp_path_factory.mktemp("several")
    run_of(place / "a", seed=0, rotate=10.0, flip="w", brightness=0.5)
    run_of(place / "b", seed=1)
    run_of(place / "c", seed=2, shrink=2, normalize=False, receptive_field=[3, 2, 2], feature_maps=2)
    clips_of(place / "test", 40)
    clips_of(place / "val", 30, seed=1)
    return place


def alone(folder, clips):
    """Probabilities of a run by itself, float64 (n, k), from its network and settings alone."""
    net, settings = building.load_network(folder / "3dpyranet.ckpt")
    x = clips.astype(np.float64)
    if settings.shrink > 1:
        x = x.reshape(len(x), 8, 10, 2, 10, 2, 1).mean(axis=(3, 5))
    if settings.normalize:
        x = normalize(x, reference)
    return reference.softmax(net.forward(x).astype(np.float64))


def of_set(paths, folder, **options):
    """Probabilities that an ensemble gives to the clips in a folder."""
    ensemble = Ensemble(paths, **options)
    clips = open_set(folder / "x.npy", folder / "y.npy", ensemble.first.settings, "clips", "test")
    return reference.softmax(ensemble.logits_of_set(clips).astype(np.float64))


def test_one_run_and_one_look_are_the_network_to_the_bit(place):
    clips, labels = np.load(place / "test" / "x.npy"), np.load(place / "test" / "y.npy")
    net, _ = building.load_network(place / "a" / "3dpyranet.ckpt")
    # What evaluate and predict did before there were several.
    expected = Evaluation(class_names=NAMES)
    for part in (slice(0, 32), slice(32, 40)):
        logits = net.forward(normalize(clips[part], net.kernels, np.empty(clips[part].shape, np.float32)))
        expected.add(net.loss(logits, labels[part]), logits, labels[part])
    for paths in (place / "a", [place / "a"]):
        found = evaluate_checkpoint(paths, place / "test" / "x.npy", place / "test" / "y.npy", moved=1, temperature=1.0)
        for name, value in expected.as_dict().items():
            assert found[name] == value
        assert found["checkpoint"] == str(place / "a" / "3dpyranet.ckpt")
        assert "untempered" not in found
        answer = Predictor(paths).probabilities(clips)
        assert answer.tobytes() == net.predict_proba(normalize(clips, net.kernels)).tobytes()


def test_the_mean_of_runs_that_see_the_clips_in_different_ways(place):
    clips = np.load(place / "test" / "x.npy")
    paths = [place / name for name in "abc"]
    expected = np.mean([alone(path, clips) for path in paths], axis=0)
    assert np.abs(expected - alone(paths[0], clips)).max() > 0.02
    assert np.allclose(of_set(paths, place / "test"), expected, atol=1e-5)
    assert np.allclose(Predictor(paths).probabilities(clips), expected, atol=1e-5)
    assert np.allclose(of_set(paths[::-1], place / "test"), of_set(paths, place / "test"), rtol=1e-12)
    assert np.allclose(of_set([paths[0]] * 3, place / "test"), of_set(paths[0], place / "test"), rtol=1e-12)


def test_the_mean_of_answers_that_are_far_apart():
    """Probabilities that no float holds stay finite logarithms."""
    answers = [np.array([[2000.0, 0, 0]]), np.array([[0, 2000.0, 0]])]
    assert np.allclose(combined(answers), [[-np.log(2), -np.log(2), -2000]])


def test_moved_copies_are_averaged(place):
    clips = np.load(place / "test" / "x.npy")
    expected = []
    of_c = Augmentation((0, 0.04, 0.04), rotate=5.0, scale=0.05)  # it was trained with none
    for name, moves in (("a", Augmentation((0, 0, 0), "w", rotate=10.0)), ("c", of_c)):
        expected.append(np.mean([alone(place / name, moves.copy(clips, number)) for number in range(3)], axis=0))
        assert np.allclose(of_set(place / name, place / "test", moved=3), expected[-1], atol=1e-5)
    paths = [place / "a", place / "c"]
    assert np.allclose(of_set(paths, place / "test", moved=3), np.mean(expected, axis=0), atol=1e-5)
    assert np.allclose(Predictor(paths, moved=3).probabilities(clips), np.mean(expected, axis=0), atol=1e-5)
    assert np.abs(of_set(paths, place / "test", moved=3) - of_set(paths, place / "test")).max() > 1e-3


def test_a_temperature_divides_logits_and_the_logarithm_of_a_mean(place):
    clips = np.load(place / "test" / "x.npy")
    for paths in ([place / "a"], [place / "a", place / "b"]):
        mean = np.mean([alone(path, clips) for path in paths], axis=0)
        powers = mean ** (1 / 0.3)
        found = Predictor(paths, temperature=0.3).probabilities(clips)
        assert np.allclose(found, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)


def evaluated(capsys, place, *arguments):
    report = place / "result.json"
    assert main(["evaluate", *map(str, arguments), "--json", str(report)]) == 0
    return capsys.readouterr().out, json.loads(report.read_text())


@pytest.fixture
def guided(place, tmp_path):
    """Labels for the clips in ``val`` that the mean of two runs tells, most of the time."""
    answers = of_set([place / "a", place / "b"], place / "val").argmax(axis=1)
    answers[::4] = (answers[::4] + 1) % 3
    np.save(tmp_path / "y.npy", answers)
    return tmp_path / "y.npy"


def test_evaluate_several_with_a_fitted_temperature(capsys, place, guided):
    runs = [place / "a", place / "b"]
    own = [*runs, place / "test" / "x.npy", "--labels", place / "test" / "y.npy"]
    out, plain = evaluated(capsys, place, *own)
    files = [f"{path}/3dpyranet.ckpt" for path in runs]
    assert out.startswith(f"the mean of 2 runs ({', '.join(files)}) on clips_path {place}/test/x.npy, 40 clips:\n")
    assert f"calibration error {100 * plain['ece']:.1f} %\n" in out
    assert plain["checkpoint"] == files
    assert {"accuracy", "auc", "uar", "f1", "ece"} <= set(plain)
    assert sum(plain["reliability"]["counts"]) == 40
    fit = ["--fit_temperature", place / "val" / "x.npy", "--fit_labels", guided]
    out, fitted = evaluated(capsys, place, *own, *fit)
    assert f"temperature {fitted['temperature']:.4f}, fitted on {place}/val/x.npy (--temperature applies it)" in out
    assert 0 < fitted["temperature"] < 1  # most answers are right, and initial values are never sure
    assert {name: fitted["untempered"][name] for name in ("loss", "ece", "reliability")} == {
        name: plain[name] for name in ("loss", "ece", "reliability")
    }
    assert fitted["confusion"] == plain["confusion"]
    assert fitted["loss"] != plain["loss"]
    # The temperature, given by hand, does the same; on the clips that it was fitted on it lowers the loss.
    out, again = evaluated(capsys, place, *own, "--temperature", repr(fitted["temperature"]), "--moved", 1)
    assert again == fitted
    val = [*runs, place / "val" / "x.npy", "--labels", guided, "--temperature", repr(fitted["temperature"])]
    _, on_val = evaluated(capsys, place, *val)
    assert on_val["loss"] < on_val["untempered"]["loss"]
    out, moved = evaluated(capsys, place, *own, "--moved", 3)
    assert "), 3 moved copies of each clip, on clips_path" in out
    assert moved["moved"] == 3
    assert moved["loss"] != plain["loss"]


def test_picture(capsys, place):
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plots'")
    own = [place / "a", place / "test" / "x.npy", "--labels", place / "test" / "y.npy"]
    for more in ([], ["--temperature", 2]):
        out, _ = evaluated(capsys, place, *own, *more, "--picture", place / "test.png")
        assert out.endswith(f"drawn: {place}/test.png\n")
        assert (place / "test.png").read_bytes()[:4] == b"\x89PNG"
        (place / "test.png").unlink()


def test_predict_several(capsys, place):
    clips = np.load(place / "test" / "x.npy")
    paths = [place / "a", place / "b"]
    given = ["--checkpoint", *paths, "--moved", 2, "--temperature", 0.5, "--json"]
    assert main(list(map(str, ["predict", place / "test" / "x.npy", *given]))) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    expected = Predictor(paths, 2, 0.5).probabilities(clips)
    assert list(rows[0]["probabilities"]) == list(NAMES)
    assert np.allclose([list(row["probabilities"].values()) for row in rows], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"names": ("glad", "calm", "sad")}, "classes: {0} has calm, glad, sad, {1} has glad, calm, sad"),
        ({"names": ("a", "b"), "num_classes": 2}, "number of classes: {0} has 3, {1} has 2"),
        ({"height": 24}, "clips of (d, h, w, c): {0} has (8, 20, 20, 1), {1} has (8, 24, 20, 1)"),
        ({"depth_frames": 10}, "clips of (d, h, w, c): {0} has (8, 20, 20, 1), {1} has (10, 20, 20, 1)"),
    ],
)
def test_runs_that_cannot_be_averaged(capsys, place, tmp_path, other, words):
    odd = run_of(tmp_path / "odd", **other)
    x = place / "test" / "x.npy"
    files = [folder / "3dpyranet.ckpt" for folder in (place / "a", odd)]
    expected = f"runs that are averaged must have the same {words.format(*files)}"
    for arguments in (["evaluate", place / "a", place / "b", odd, x], ["predict", x, "--checkpoint", place / "a", odd]):
        assert main(list(map(str, arguments))) == 2
        assert capsys.readouterr().err == f"python -m emop3d_np: error: {expected}\n"


def test_names_come_from_the_first_run_that_has_them(place, tmp_path):
    """A run on an .npy knows numbers only, one of an older version nothing: both go with any names."""
    numbers, older = run_of(tmp_path / "numbers", ("0", "1", "2")), run_of(tmp_path / "older", None)
    assert Ensemble([older, numbers, place / "a"]).stored_names == NAMES
    assert Ensemble([numbers, older]).stored_names == ("0", "1", "2")
    assert Predictor([older, place / "a"]).class_names == NAMES
    x, y = place / "test" / "x.npy", place / "test" / "y.npy"
    (note,) = evaluate_checkpoint([place / "a", older], x, y)["notes"]
    assert note.startswith(f"{older}/3dpyranet.ckpt is of an older version")


def test_mistakes_are_named(capsys, place, tmp_path):
    own = [place / "a", place / "test" / "x.npy", "--labels", place / "test" / "y.npy"]
    x, y = clips_of(tmp_path / "right")

    def failing(words, *arguments):
        assert main(list(map(str, ["evaluate", *own, *arguments]))) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1

    failing("argument --moved: 0 is not a number of at least 1", "--moved", 0)
    failing("argument --temperature: 0 is not a number above 0", "--temperature", 0)
    failing("argument --temperature: inf is not a number above 0", "--temperature", "inf")
    failing("give one of them", "--temperature", 2, "--fit_temperature", x, "--fit_labels", y)
    failing("--fit_temperature, the clips they belong to, is missing", "--fit_labels", y)
    failing("an .npy of clips needs a second one with their labels", "--fit_temperature", x)
    np.save(y, of_set(place / "a", tmp_path / "right").argmax(axis=1))
    failing("12 clips that are all answered rightly", "--fit_temperature", x, "--fit_labels", y)
    np.save(x, np.zeros((12, *SHAPE[:2], 22, 1), np.uint8))
    failing("clips have (d, h, w, c) = (8, 20, 22, 1)", "--fit_temperature", x, "--fit_labels", y)
    own[1] = x
    failing("clips have (d, h, w, c) = (8, 20, 22, 1), the flags say (8, 20, 20, 1)", "--moved", 3)
    with pytest.raises(InputError, match="there is no checkpoint"):
        Ensemble([place / "a", place / "absent"])
