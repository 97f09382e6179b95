"""Vectors for ports: what is written, and what ``compare`` says of typical mistakes."""

import numpy as np
import pytest

from emop3d_np import EmoP3D
from emop3d_np.errors import InputError
from emop3d_np.gradcheck import vectors
from emop3d_np.gradcheck.mistakes import MISTAKES, changed
from emop3d_np.network import strict_pyramid

pytestmark = pytest.mark.once

SETTINGS = {"input_shape": (8, 16, 16, 1), "feature_maps": 2, "num_classes": 3}
DECAY = 0.01


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("vectors") / "ours.npz"
    return path, vectors.export(path, batch_size=3, weight_decay=DECAY, **SETTINGS)


def port(arrays, functions=None):
    """What a port that reads the file gives: the reference edition, or one with a mistake in it."""
    net = EmoP3D(dtype="float64", backend="reference", **SETTINGS)
    if functions:
        net.kernels = changed(**functions)
        net.layers = strict_pyramid(net.kernels, net.input_shape, 2, 3, (3, 4, 4), (1, 1, 1), (3, 2, 2), "max")
    net.load_parameters({name: arrays[f"parameters/{name}"] for name in net.parameters})
    loss, gradients = net.loss_and_gradients(arrays["input"], arrays["labels"], DECAY)
    given = {f"activations/{name}": values for name, values in net.activations(arrays["input"]).items()}
    return given | {"loss": np.array(loss)} | {f"gradients/{name}": values for name, values in gradients.items()}


def compared(exported, tmp_path, theirs):
    path = tmp_path / "theirs.npz"
    np.savez(path, **theirs)
    return vectors.compare(exported[0], path)


def test_a_right_port_agrees(exported, tmp_path):
    theirs = port(exported[1])
    assert compared(exported, tmp_path, theirs).agree
    single = {name: values.astype(np.float32) for name, values in theirs.items()}
    assert compared(exported, tmp_path, single).agree
    needed = {name: values for name, values in theirs.items() if not name.startswith("activations")}
    assert compared(exported, tmp_path, needed).agree


@pytest.mark.parametrize("words", MISTAKES)
def test_mistakes_of_an_operation_are_named(exported, tmp_path, words):
    with np.errstate(all="ignore"):
        found = compared(exported, tmp_path, port(exported[1], MISTAKES[words]))
    # No maxima tie in what is exported, so that any rule for ties is right.
    assert found.agree == words.startswith("wrong tie")
    assert found.suspicion == ("" if found.agree else words)


def test_no_maxima_tie_in_what_is_exported(exported):
    """The two largest values of every pooling window are further apart than any rounding."""
    maps = exported[1]["activations/NORM_2"]
    n, d, h, w, f = maps.shape
    cells = maps[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, d, h // 2, 2, w // 2, 2, f).transpose(0, 2, 4, 6, 1, 3, 5)
    windows = np.stack([cells[..., i : d - 2 + i, :, :] for i in range(3)], -1).reshape(-1, 12)
    largest = np.sort(windows, axis=1)[:, -2:]
    assert np.diff(largest, axis=1).min() > 1e-7


def square(values, axes):
    return values.transpose(axes).copy()


ARRAYS = {
    # name: (array that is changed, how, the first array that must be named, words of the suspicion)
    "axes h and w swapped": ("gradients/L1WS/weights", lambda g: square(g, (0, 2, 1, 3, 4)), "transposed axes"),
    "stored column by column": (
        "gradients/L5WS/bias", lambda g: g.transpose(3, 0, 1, 2).reshape(g.shape), "transposed axes"
    ),
    "features flattened f first": (
        "gradients/FC_OUT/weights",
        lambda g: g.reshape(2, 3, 3, 2, 3).transpose(3, 0, 1, 2, 4).reshape(g.shape),
        "transposed axes",
    ),
    "sum for mean": ("gradients/FC_OUT/bias", lambda g: 3 * g, "sum for mean"),
    "factor": ("gradients/L3P/weights", lambda g: 1.001 * g, "missing factor: 1.001"),
    "sign": ("gradients/L3P/bias", lambda g: -g, "the sign is wrong"),
    "window flipped": ("gradients/L5WS/weights", lambda g: g[:, ::-1, ::-1], "flipped along axes"),
    "window moved": ("gradients/L1WS/weights", lambda g: np.roll(g, 1, 1), "off-by-one window"),
    "last column left out": ("gradients/L1WS/bias", lambda g: np.where(np.arange(13)[:, None] == 12, 0, g), "border"),
    "not collected": ("gradients/L1WS/bias", lambda g: 0 * g, "all zeros"),
    "not finite": ("gradients/L1WS/bias", lambda g: np.nan * g, "not finite"),
    "loss": ("loss", lambda loss: 2.5 * loss, "2.5 times ours"),
}  # fmt: skip


@pytest.mark.parametrize("case", ARRAYS)
def test_patterns_of_an_array_are_named(exported, tmp_path, case):
    name, change, words = ARRAYS[case]
    theirs = port(exported[1])
    theirs[name] = np.array(change(theirs[name]))
    found = compared(exported, tmp_path, theirs)
    assert found.first == name
    assert words in found.suspicion


def test_weight_decay(exported, tmp_path):
    for times, words in ((-1, "weight decay is missing"), (1, "weight decay is counted twice")):
        theirs = port(exported[1])
        name = "gradients/FC_OUT/weights"
        theirs[name] = theirs[name] + times * DECAY * exported[1]["parameters/FC_OUT/weights"]
        assert words in compared(exported, tmp_path, theirs).suspicion


def test_files_that_do_not_fit(exported, tmp_path):
    theirs = port(exported[1])

    def refused(words, **changes):
        given = {name: v for name, v in (theirs | changes).items() if v is not None}
        with pytest.raises(InputError, match=words):
            compared(exported, tmp_path, given)

    name = "gradients/L1WS/weights"
    refused("missing gradients/L1WS/weights", **{name: None})
    refused("unknown gradients/L9", **{"gradients/L9": np.zeros(1)})
    refused("transpose its axes", **{name: theirs[name].transpose(4, 0, 1, 2, 3)})
    refused("reshape it", **{name: theirs[name].ravel()})
    refused(r"has shape \(2,\)", **{name: np.zeros(2)})
    refused("pickles", **{name: np.array([{}], object)})
    refused("must be real numbers", **{name: theirs[name] + 1j})
    (tmp_path / "text.npz").write_text("no archive")
    for path, words in ((tmp_path / "absent.npz", "No such file"), (tmp_path / "text.npz", "cannot be read")):
        with pytest.raises(InputError, match=words):
            vectors.compare(exported[0], path)
    with pytest.raises(InputError, match="cannot be written"):
        vectors.export(tmp_path / "nowhere" / "x.npz", **SETTINGS)
