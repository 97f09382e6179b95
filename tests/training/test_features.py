"""``features``: what the dense layer is given, and a linear classifier that is trained on it."""

import numpy as np
import pytest
from untrained import NAMES, clips_of, run_of

from emop3d_np import datasets
from emop3d_np.__main__ import main
from emop3d_np.datasets import normalize
from emop3d_np.training import building, features
from emop3d_np.training.evaluation import evaluate_checkpoint

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("runs") / "run")


def prepared(folder, names, count=14):
    """A prepared folder of bytes, three clips a subject, one class brighter in places."""
    x, y = clips_of(folder, count)
    clips, labels = np.load(x), np.load(y)
    for clip, label in zip(clips, labels, strict=True):
        clip[:, 6 * NAMES.index(names[label]) :][:, :6] //= 4
    x.unlink()
    y.unlink()
    np.save(folder / "Training.npy", clips)
    np.save(folder / "labels.npy", labels)
    (folder / "classes.txt").write_text("\n".join(names))
    rows = [f"{clip},{clip}.mp4,0,s{clip // 3},{label}" for clip, label in enumerate(labels)]
    (folder / "index.csv").write_text("\n".join(["clip,source,first_frame,subject,label", *rows, ""]))
    return folder


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_logits_are_a_line_through_the_features(run, tmp_path, backend):
    net, settings = building.load_network(run / "3dpyranet.ckpt")
    other = building.build_network(building.merge(vars(settings) | {"backend": backend}))
    x = np.load(clips_of(tmp_path, 6)[0])
    x = normalize(x, net.kernels).astype(np.float32)
    found = other.features(x)
    assert found.shape == (6, net.feature_count)
    weights, bias = (net.parameters[f"FC_OUT/{name}"] for name in ("weights", "bias"))
    assert np.allclose(found @ weights + bias, net.forward(x), atol=1e-4)
    maps = found.reshape(6, *net.layers[-1].input_shape)
    assert np.allclose(maps.mean(axis=(2, 3)), 0, atol=1e-5)
    assert np.allclose(maps.var(axis=(2, 3)), 1, atol=1e-3)


def test_files(run, tmp_path, capsys):
    """Labels stand in the network's order; groups are those of subjects."""
    names = ("sad", "calm", "glad")
    data, out = prepared(tmp_path / "data", names, 40), tmp_path / "deep" / "out"
    assert main(["features", str(run), str(data), str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{data}, 40 clips: written: {out}/features.npy, ")
    net, _ = building.load_network(run / "3dpyranet.ckpt")
    clips = np.load(data / "Training.npy")
    saved = np.load(out / "features.npy", mmap_mode="r")
    assert saved.dtype == np.float32
    assert np.allclose(saved, net.features(normalize(clips, net.kernels)), atol=1e-5)
    labels = [NAMES.index(names[label]) for label in np.load(data / "labels.npy")]
    assert np.load(out / "labels.npy").tolist() == labels
    assert (out / "classes.txt").read_text().split() == list(NAMES)
    groups = np.load(out / "groups.npy")
    assert np.array_equal(groups[:, None] == groups, np.arange(40)[:, None] // 3 == np.arange(40) // 3)
    # Of an .npy nobody knows who is seen: what another set left is taken away.
    x, y = clips_of(tmp_path / "plain", 5)
    assert main(["features", str(run), str(x), str(out), "--labels", str(y)]) == 0
    assert len(np.load(out / "features.npy")) == 5
    assert not (out / "groups.npy").exists()


def test_a_linear_classifier_beside_the_network(run, tmp_path, capsys):
    data, val = prepared(tmp_path / "data", NAMES, 30), prepared(tmp_path / "val", NAMES, 12)
    assert main(["features", str(run), str(data), str(tmp_path / "out"), "--classify", str(val)]) == 0
    first, second = capsys.readouterr().out.splitlines()[-2:]
    network = evaluate_checkpoint(run, val)
    assert first.startswith(f"  the network: accuracy {100 * network['accuracy']:.1f} %, AUC {network['auc']:.3f}")
    assert second.startswith("  ridge regression on its features: accuracy 100.0 %, AUC 1.000")
    clips, (saved, *_) = features.write_features(run, data, tmp_path / "out")
    found = features.classify(run, clips, saved, val)
    assert found["network"]["accuracy"] == network["accuracy"] < 0.9  # what was not trained tells little itself
    assert found["linear"]["accuracy"] == 1
    # The labels of the clips that judge change nothing about what is answered.
    np.save(val / "labels.npy", np.zeros(12, np.int64))
    (val / "index.csv").unlink()
    rows = [f"{clip},{clip}.mp4,0,s{clip},0" for clip in range(12)]
    (val / "index.csv").write_text("\n".join(["clip,source,first_frame,subject,label", *rows, ""]))
    again = features.classify(run, clips, saved, val)
    assert again["penalty"] == found["penalty"]
    assert again["linear"]["accuracy"] == pytest.approx(4 / 12)


def test_mistakes_are_named(run, tmp_path, capsys, monkeypatch):
    data = prepared(tmp_path / "data", NAMES)
    x, y = clips_of(tmp_path / "plain", 5)

    def failing(words, *arguments):
        assert main(list(map(str, ["features", *arguments]))) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1

    failing("data: holds clips or labels, which features would be written over", run, data, data)
    np.save(tmp_path / "plain" / "labels.npy", np.load(y))
    failing("plain: holds clips", run, x, tmp_path / "plain", "--labels", tmp_path / "plain" / "labels.npy")
    failing("out: cannot be written: File exists", run, data, _file(tmp_path / "out"))
    failing("--classify, the clips they belong to, is missing", run, data, tmp_path / "o", "--classify_labels", y)
    failing("needs a second one with their labels", run, x, tmp_path / "o")
    failing("holds no 3dpyranet.ckpt", tmp_path, data, tmp_path / "o")
    clips = datasets.load_prepared(data, (8, 20, 20, 1), 3)
    val = prepared(tmp_path / "val", NAMES, 40)
    monkeypatch.setattr("emop3d_np.memory.free_bytes", lambda: 100_000)  # a network, and no more
    with pytest.raises(features.InputError, match=r"a linear classifier of 14 x \d+ features needs .* leave out --cl"):
        features.classify(run, clips, tmp_path / "absent.npy", val)


def _file(path):
    path.write_text("")
    return path
