"""Wrong calls of what others may call: each is refused, in one line with the value seen, and has changed nothing."""

import math

import numpy as np
import pytest

import emop3d_np as emo
import kernels
from emop3d_np import layers, optimizers
from emop3d_np.datasets.clips import normalize
from emop3d_np.errors import InputError
from kernels.operations import OPERATIONS

NAN, INF = math.nan, math.inf
RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 4, 6, 7, 3))
RIGHT = {
    "average_pool_frames": (X, 2),
    "average_pool_frames_backward": (X[:, 1:], X, 2),
    "average_pool_space": (X, (2, 3)),
    "average_pool_space_backward": (X[:, :, :3, :2], X, (2, 3)),
    "dense": (X[0, 0, :, :, 0], X[0, 0, 1:, :, 0].T.copy(), X[0, 0, 1:, 0, 0]),
    "dense_backward": (X[0, 0, :, 1:3, 0], X[0, 0, :, :, 0], X[0, 0, :2, :, 0].T.copy()),
    "leaky_relu": (X,),
    "leaky_relu_backward": (X, X),
    "max_pool_frames": (X, 2),
    "max_pool_frames_backward": (X[:, 1:], X, 2),
    "max_pool_space": (X, (2, 3)),
    "max_pool_space_backward": (X[:, :, :3, :2], X, (2, 3)),
    "scale_shift": (X, X[:1, 0], X[0, :, :1, :1]),
    "scale_shift_backward": (X, X, X[:1, 0]),
    "softmax": (X[:, 0, 0, 0],),
    "softmax_cross_entropy": (X[:, 0, 0, 0], [0, 2]),
    "softmax_cross_entropy_backward": (X[:, 0, 0, 0, 0], X[:, 0, 0, 0], [0, 2]),
    "standardize": (X,),
    "standardize_backward": (X, X),
    "weighted_sum": (X, RNG.standard_normal((2, 6, 7, 3, 2)), RNG.standard_normal((3, 5, 5, 2)), (2, 2, 3), (1, 1, 1)),
    "weighted_sum_backward": (
        RNG.standard_normal((2, 3, 5, 5, 2)), X, RNG.standard_normal((2, 6, 7, 3, 2)), (2, 2, 3), (1, 1, 1),
    ),
    "affine": (X, np.tile(np.eye(3, 4), (2, 1, 1))),
    "block_means": (X[:, :, :, 1:], 2),
}  # fmt: skip
RIGHT = {
    name: tuple(a.copy() if isinstance(a, np.ndarray) else a for a in arguments) for name, arguments in RIGHT.items()
}
INTEGERS = ("affine", "block_means", "standardize")
"""They take clips as they are stored."""

SPOILT = {
    "a list": lambda a: a.tolist(),
    "a number": lambda a: 1.0,
    "None": lambda a: None,
    "another axis": lambda a: a[..., np.newaxis],
    "an axis less": lambda a: a[0],
    "nothing in it": lambda a: a[:0],
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "objects": lambda a: a.astype(object),
    "texts": lambda a: a.astype(str),
    "truth values": lambda a: a > 0,
    "masked": lambda a: np.ma.masked_less_equal(a, np.median(a)),
}


def edition(name):
    return kernels.edition(name)


def refused(call, *arguments, words=".", **named):
    with pytest.raises(InputError, match=words) as error:
        call(*arguments, **named)
    assert "\n" not in str(error.value)


def test_the_right_calls_are_right():
    assert set(RIGHT) == {name for names in OPERATIONS.values() for name in names} - {"fuse"} | {
        "affine",
        "block_means",
    }
    for name in ("reference", "cpu"):
        for operation, arguments in RIGHT.items():
            getattr(edition(name), operation)(*arguments)


@pytest.mark.parametrize("backend", kernels.EDITIONS)
@pytest.mark.parametrize("name", RIGHT)
def test_arrays_of_another_kind(backend, name):
    if not hasattr(edition(backend), name):
        return  # it runs on the host
    operation = getattr(edition(backend), name)
    for which, array in enumerate(RIGHT[name]):
        if not isinstance(array, np.ndarray):
            continue
        for how, spoil in SPOILT.items():
            if name.startswith("leaky_relu") and how in ("another axis", "an axis less") and len(RIGHT[name]) == 1:
                continue  # of any shape
            if (name, how, backend) == ("leaky_relu", "a number", "reference"):
                continue  # NumPy's equation takes one number, too
            arguments = list(RIGHT[name])
            arguments[which] = spoil(array)
            refused(operation, *arguments)
        if backend != "reference" and not (name in INTEGERS and which == 0):
            for dtype in (np.float16, np.int64, complex):
                arguments = list(RIGHT[name])
                arguments[which] = array.astype(dtype)
                refused(operation, *arguments, words="dtype")


SHAPES = [
    ("average_pool_frames", (X, 5), "no runs of 5 along d, where x has 4"),
    ("max_pool_frames", (X, 0), "frames is 0"),
    ("max_pool_frames", (X, True), "frames is True"),
    ("max_pool_frames_backward", (X, X, 2), "dm has 4 runs of 2 along d; x has 3"),
    ("max_pool_frames_backward", (X[:, 1:, :, :5], X, 2), "w must be 5"),
    ("max_pool_space", (X, (7, 1)), "no blocks of 7 along h"),
    ("max_pool_space", (X, (2, -1)), r"pool is \(2, -1\)"),
    ("max_pool_space", (X, (2, 2, 2)), "2 whole numbers"),
    ("average_pool_space", (X, (2, 1.5)), "pool is"),
    ("average_pool_space_backward", (X[:, :, :2, :2], X, (2, 3)), "dm has 2 blocks of 2 along h; x has 3"),
    ("dense", (np.ones((3, 4)), np.ones((5, 2)), np.ones(2)), "j must be 4; a is .n, j., weights is .j, k."),
    ("dense", (np.ones((3, 4)), np.ones((4, 2)), np.ones(3)), "k must be 2"),
    ("dense_backward", (np.ones((2, 2)), np.ones((3, 4)), np.ones((4, 2))), "n must be 2"),
    ("leaky_relu", (X, 2.0), "alpha is 2.0"),
    ("leaky_relu", (X, NAN), "alpha is nan"),
    ("leaky_relu_backward", (X[:1], X), "must be"),
    ("scale_shift", (X, X[:1, 0, 1:].copy(), X[0, :, :1, :1]), "h must be 6"),
    ("scale_shift", (X, X[:, 0], X[0, :, :1, :1]), "1 must be 1"),
    ("softmax_cross_entropy", (np.zeros((2, 3)), [0, 99]), "labels run from 0 to 99; 3 classes"),
    ("softmax_cross_entropy", (np.zeros((2, 3)), [0, 10**12]), "1000000000000"),
    ("softmax_cross_entropy", (np.zeros((2, 3)), [0, -1]), "from -1"),
    ("softmax_cross_entropy", (np.zeros((2, 3)), [0, 0.5]), "whole numbers"),
    ("softmax_cross_entropy", (np.zeros((2, 3)), [0, NAN]), "whole numbers"),
    ("softmax_cross_entropy", (np.zeros((2, 3)), [0, INF]), "to inf"),
    ("softmax_cross_entropy", (np.zeros((2, 3)), [0, 1, 2]), r"labels have shape \(3,\); 2 clips need \(2,\)"),
    ("softmax_cross_entropy", (np.zeros((2, 3)), [[0], [1]]), "shape"),
    ("softmax_cross_entropy", (np.zeros((2, 3)), [[0], [1, 2]]), "labels are"),
    ("softmax_cross_entropy", (np.zeros((2, 3)), ["a", "b"]), "whole numbers"),
    ("softmax_cross_entropy", (np.zeros((2, 3)), None), "labels"),
    ("softmax_cross_entropy", (np.zeros((2, 3)), np.ma.array([0, 1], mask=[0, 1])), "1 values are masked"),
    ("softmax_cross_entropy_backward", (np.ones(2), np.zeros((2, 3)), [0, 3]), "from 0 to 3"),
    ("softmax_cross_entropy_backward", (np.ones(3), np.zeros((2, 3)), [0, 1]), "n must be 3"),
    ("standardize", (X, -1), "epsilon is -1"),
    ("standardize", (X, NAN), "epsilon is nan"),
    ("standardize_backward", (X, X[:, :2]), "d must be 4"),
    ("weighted_sum", (*RIGHT["weighted_sum"][:3], (2, 2, 4), (1, 1, 1)), "5 windows of 4 along w, 1 apart, .* 8; x"),
    ("weighted_sum", (*RIGHT["weighted_sum"][:3], (2, 2, 3), (2, 1, 1)), "3 windows of 2 along d, 2 apart"),
    ("weighted_sum", (*RIGHT["weighted_sum"][:3], (1, 2, 3), (1, 1, 1)), "weights see 2 frames, receptive_field 1"),
    ("weighted_sum", (*RIGHT["weighted_sum"][:3], (2, 2, 3), (0, 1, 1)), "strides is"),
    ("weighted_sum", (*RIGHT["weighted_sum"][:3], None, (1, 1, 1)), "receptive_field is None"),
    ("weighted_sum_backward", (*RIGHT["weighted_sum_backward"][:3], (2, 3, 3), (1, 1, 1)), "5 windows of 3 along h"),
    ("affine", (X, np.full((2, 3, 4), NAN)), "maps hold a value that is not finite"),
    ("affine", (X, np.zeros((1, 3, 4))), "n must be 2"),
    ("affine", (X, np.zeros((2, 3, 3))), "4 must be 4"),
    ("affine", (X, RIGHT["affine"][1], [[1, INF], [1, 1]]), "levels hold"),
    ("block_means", (X, 2), "side 2 does not divide 6 x 7"),
    ("block_means", (X, 0), "side is 0"),
]


@pytest.mark.parametrize("backend", kernels.EDITIONS)
@pytest.mark.parametrize(
    ("name", "arguments", "words"), SHAPES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_shapes_labels_and_numbers(backend, name, arguments, words):
    if hasattr(edition(backend), name):
        refused(getattr(edition(backend), name), *arguments, words=words)


def test_one_dtype_a_call():
    for name in ("dense", "weighted_sum"):
        first, *others = RIGHT[name]
        refused(getattr(edition("cpu"), name), first.astype(np.float32), *others, words="float64, the arrays before it")


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("name", INTEGERS)
def test_where_results_are_written(backend, name):
    """A strided ``out`` is filled; so is one that overlaps its input; what cannot hold the result is refused."""
    operation, arguments = getattr(edition(backend), name), RIGHT[name]
    expected = operation(*arguments)
    strided = np.full((*expected.shape[:-1], 2 * expected.shape[-1]), 9.0)[..., ::2]
    assert operation(*arguments, out=strided) is strided
    assert np.array_equal(strided, expected)
    memory = np.zeros(arguments[0].size + 5)
    x, shifted = memory[5:].reshape(arguments[0].shape), memory[: expected.size].reshape(expected.shape)
    x[...] = arguments[0]
    assert operation(x, *arguments[1:], out=shifted) is shifted
    assert np.array_equal(shifted, expected)
    fixed = np.empty_like(expected)
    fixed.flags.writeable = False
    for wrong, words in (
        (np.empty(expected.shape[1:]), "out has shape"),
        (np.empty((*expected.shape[:-1], 9)), "out has shape"),
        (fixed, "read-only"),
        (np.empty(expected.shape, complex), "dtype"),
        (np.empty(expected.shape, ">f8"), "dtype"),
        (expected.tolist(), "is a list"),
    ):
        refused(operation, *arguments, out=wrong, words=words)
    if name != "affine":
        refused(operation, *arguments, out=np.empty(expected.shape, np.int64), words="dtype")


def test_normalize_fills_what_it_is_given():
    out = np.zeros((*X.shape[:-1], 6))[..., ::2]
    assert normalize(X, edition("cpu"), out) is out
    assert np.array_equal(out, normalize(X, edition("cpu")))


TINY = {"input_shape": (8, 14, 14, 1), "feature_maps": 2, "num_classes": 3}
CLIPS = RNG.standard_normal((3, 8, 14, 14, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dtype": None}, "dtype is None"),
        ({"dtype": "double float"}, "dtype is double float"),
        ({"dtype": ">f4"}, "dtype is >f4"),
        ({"dtype": [1]}, "dtype is"),
        ({"seed": None}, "seed is None"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"num_classes": NAN}, "num_classes is"),
        ({"num_classes": INF}, "num_classes is"),
        ({"num_classes": "3"}, "num_classes is"),
        ({"num_classes": None}, "num_classes is"),
        ({"input_shape": None}, "input_shape is None"),
        ({"input_shape": (8, 14, 14, "a")}, "input_shape is"),
        ({"input_shape": (8, 14, 14, -1)}, "input_shape is"),
        ({"backend": "gpu"}, "no backend 'gpu'"),
        ({"backend": None}, "no backend None"),
        ({"pooling": None}, "pooling is None"),
    ],
)
def test_networks(settings, words):
    refused(emo.EmoP3D, **TINY | settings, words=words)


@pytest.fixture(scope="module", params=["reference", "cpu"])
def net(request):
    return emo.EmoP3D(**TINY, backend=request.param)


def test_passes(net):
    masked = np.ma.masked_less(CLIPS, 0)
    for call in (
        net.forward,
        net.predict,
        net.predict_proba,
        net.activations,
        lambda x: net.loss_and_gradients(x, [0] * 3),
    ):
        refused(call, masked, words="masked")
        refused(call, [[1], [2, 3]], words="not of one shape")
        refused(call, CLIPS.astype(object), words="dtype object")
        refused(call, CLIPS > 0, words="dtype bool")
        refused(call, None, words="shape")
        refused(call, CLIPS[:0], words="n >= 1")
    expected = net.forward(CLIPS)
    fixed = CLIPS.copy()
    fixed.flags.writeable = False
    for same in (CLIPS.astype(">f4"), fixed, np.asfortranarray(CLIPS), CLIPS.tolist(), np.ma.array(CLIPS)):
        assert np.array_equal(net.forward(same), expected)


@pytest.mark.parametrize("labels", [[0, 1, 99], [0, 1, 10**12], [0, 1, -1], [0, 1, 0.5], [0, 1], None, ["a"] * 3])
def test_labels(net, labels):
    refused(net.loss_and_gradients, CLIPS, labels, words="labels")
    refused(net.loss, np.zeros((3, 3)), labels, words="labels")


def test_losses(net):
    refused(net.loss, np.zeros((3, 2)), [0, 1, 2], words=r"logits have shape \(3, 2\); this network gives \(n, 3\)")
    refused(net.loss, np.zeros((0, 3)), [], words="logits")
    refused(net.loss, np.zeros(3), [0], words="logits")
    for decay in (NAN, -1, INF, "a", None, {"FC_OUT/weights": -1}, {"FC_OUT/weights": NAN}):
        refused(net.loss_and_gradients, CLIPS, [0, 1, 2], decay, words="weight_decay")


def test_gradients_that_cannot_be_written_to(net):
    def gradients():
        return {name: np.zeros_like(values) for name, values in net.parameters.items()}

    fixed = np.zeros_like(net.parameters["L3P/bias"])
    fixed.flags.writeable = False
    shape = net.parameters["FC_OUT/weights"].shape
    for name, wrong in {
        "L3P/bias": fixed,
        "L5WS/bias": None,
        "FC_OUT/weights": np.zeros((shape[1], shape[0]), np.float32).T,
        "FC_OUT/bias": np.zeros(3),
        "L1WS/bias": np.zeros(5, np.float32),
    }.items():
        refused(net.training_pass, CLIPS, [0, 1, 2], gradients=gradients() | {name: wrong}, words=name)
    refused(net.training_pass, CLIPS, [0, 1, 2], gradients={"w": fixed}, words="gradients are by")
    _, found, _ = net.training_pass(CLIPS, [0, 1, 2], input_gradient=True)
    _, found, _ = net.training_pass(CLIPS, [0, 1, 2], gradients=found)
    assert list(found) == list(net.parameters), "that by the clips was of the earlier call"


def test_parameters_of_another_form():
    for backend in ("reference", "cpu"):
        net = emo.EmoP3D(**TINY, backend=backend)
        before = net.parameters.copy()
        for wrong in (
            {"FC_OUT/bias": np.zeros(4, np.float32)},
            {"FC_OUT/bias": np.zeros(3)},
            {"L1WS/weights": before["L1WS/weights"].reshape(3, 14, 7, 2, 2)},
            {"more": np.zeros(3)},
        ):
            net.parameters.clear()
            net.parameters.update(before | wrong)
            refused(net.forward, CLIPS, words="parameters")
            refused(net.loss_and_gradients, CLIPS, [0, 1, 2], words="parameters")
    good = {name: np.float64(values) for name, values in before.items()}
    net = emo.EmoP3D(**TINY, backend="reference")
    refused(
        net.load_parameters, good | {"FC_OUT/bias": [0, 1e300, 0]}, words=r"holds 1e\+300 at .1,., which is too large"
    )
    refused(net.load_parameters, good | {"FC_OUT/bias": np.ma.array([0.0, 1, 2], mask=[0, 1, 0])}, words="masked")


W, G = np.ones(3), np.full(3, 0.5)
RULES = {
    "descent": lambda: optimizers.GradientDescent(0.1),
    "momentum": lambda: optimizers.Momentum(0.1),
    "adam": lambda: optimizers.Adam(0.1),
    "adamw": lambda: optimizers.AdamW(0.1, 0.5),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("used", [False, True])
def test_an_update_that_fails_has_changed_nothing(rule, used):
    fixed = W.copy()
    fixed.flags.writeable = False
    names = "a/weights", "b/weights", "c/weights"
    for parameter, gradient in (
        (W, G[:2]), (W, 0.5), (W, None), (W, G.astype(complex)), (W, G.astype(str)), (W, np.ma.masked_equal(G, 0.5)),
        (W, "missing"), (fixed, G), (np.ones(3, int), G), (W[:2].copy(), G),
    ):  # fmt: skip
        optimizer, parameters = RULES[rule](), {name: W.copy() for name in names}
        gradients = {name: G.copy() for name in names}
        if used:
            optimizer.update(parameters, gradients)
        parameters["c/weights"], gradients["c/weights"] = parameter.copy(), gradient
        parameters["c/weights"].flags.writeable = parameter.flags.writeable
        if isinstance(gradient, str):
            del gradients["c/weights"]
        before = [values.copy() for values in parameters.values()], repr(optimizer.slots), optimizer.step
        refused(optimizer.update, parameters, gradients, words="c/weights")
        after = list(parameters.values()), repr(optimizer.slots), optimizer.step
        assert all(np.array_equal(one, other) for one, other in zip(before[0], after[0], strict=True))
        assert before[1:] == after[1:]


@pytest.mark.parametrize("rule", RULES)
def test_rates(rule):
    kind = type(RULES[rule]())
    for rate in (NAN, -1, INF, "0.1", None, True):
        refused(kind, rate, words=f"lr is {rate!r}")
        parameters, optimizer = {"w": W.copy()}, kind(lambda step, rate=rate: rate)
        refused(optimizer.update, parameters, {"w": G}, words="the learning rate of step 0 is")
        assert np.array_equal(parameters["w"], W)
        assert (optimizer.slots, optimizer.step) == ({}, 0)


def test_the_least_that_is_allowed():
    """A rate of 0, as after a schedule's end, changes nothing; a momentum of 0 is plain descent."""
    plain, still = {"w": W.copy()}, {"w": W.copy()}
    optimizers.GradientDescent(lambda step: 0).update(still, {"w": G})
    assert np.array_equal(still["w"], W)
    optimizers.Momentum(0.1, momentum=0).update(still, {"w": G})
    optimizers.GradientDescent(0.1).update(plain, {"w": G})
    assert np.array_equal(still["w"], plain["w"])


@pytest.mark.parametrize("rule", list(RULES)[1:])
def test_a_parameter_that_comes_later(rule):
    optimizer, parameters = RULES[rule](), {"a/weights": W.copy()}
    optimizer.update(parameters, {"a/weights": G})
    parameters["b/weights"] = W.copy()
    before = parameters["a/weights"].copy(), repr(optimizer.slots)
    refused(optimizer.update, parameters, dict.fromkeys(parameters, G), words="the slot '.*' by 'b/weights'")
    assert np.array_equal(parameters["a/weights"], before[0])
    assert (repr(optimizer.slots), optimizer.step) == (before[1], 1)


def test_parameters_that_cannot_be_changed():
    fixed = W.copy()
    fixed.flags.writeable = False
    for wrong, words in ((fixed, "'w' is read-only"), (np.ones(3, np.int16), "'w' is int16")):
        refused(optimizers.GradientDescent(0.1).update, {"w": wrong}, {"w": G}, words=words)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: optimizers.Momentum(0.1, momentum=1.0), "momentum is 1.0"),
        (lambda: optimizers.Momentum(0.1, momentum=NAN), "momentum is nan"),
        (lambda: optimizers.Momentum(0.1, momentum=False), "momentum is False"),
        (lambda: optimizers.Adam(0.1, beta1=-0.1), "beta1 is -0.1"),
        (lambda: optimizers.Adam(0.1, beta2=1), "beta2 is 1"),
        (lambda: optimizers.Adam(0.1, epsilon=NAN), "epsilon is nan"),
        (lambda: optimizers.AdamW(0.1, -1), "weight_decay is -1"),
        (lambda: optimizers.AdamW(0.1, {"w": NAN}), "w.* is nan"),
        (lambda: optimizers.MovingAverage({"w": W}, 1.5), "share is 1.5"),
        (lambda: optimizers.MovingAverage({"w": W.copy()}, 0.5).update({"w": W[:2]}, 1), "averaged are"),
        (lambda: optimizers.MovingAverage({"w": W.copy()}, 0.5).update({"more": W}, 1), "averaged are"),
        (lambda: optimizers.MovingAverage({"w": W.copy()}, 0.5).update({"w": W}, 0), "step is 0"),
        (lambda: optimizers.MovingAverage({"w": W.copy()}, 0.5).update({"w": W}, 1.5), "step is 1.5"),
        (lambda: optimizers.decay_factors({"a/weights": W}, -1), "^weight_decay is -1"),
        (lambda: optimizers.constant(NAN), "lr is nan"),
        (lambda: optimizers.exponential_decay(NAN, 1, 0.5), "lr is nan"),
        (lambda: optimizers.cosine(NAN, 1), "lr is nan"),
        (lambda: optimizers.cosine(0.1, NAN), "steps is nan"),
        (lambda: optimizers.one_cycle(NAN, 10), "lr is nan"),
        (lambda: optimizers.one_cycle(0.1, 0), "steps is 0"),
        (lambda: optimizers.one_cycle(0.1, 10, rise=0), "rise is 0"),
        (lambda: optimizers.exponential_decay(0.1, 0, 0.5), "decay_steps is 0"),
        (lambda: optimizers.exponential_decay(0.1, 1, -1), "decay_rate is -1"),
        (lambda: optimizers.cosine(0.1, 0), "steps is 0"),
        (lambda: optimizers.one_cycle(0.1, 10, rise=1), "rise is 1"),
        (lambda: optimizers.one_cycle(0.1, 10, start=-1), "start is -1"),
        (lambda: optimizers.warm_up(optimizers.constant(0.1), 0), "steps is 0"),
        (lambda: optimizers.Momentum(0.1).load_slots({"momentum": {"w": W}}, -1, {"w": W}), "step is -1"),
        (lambda: optimizers.Momentum(0.1).load_slots({"momentum": {"w": W.astype(str)}}, 1, {"w": W}), "no real"),
        (lambda: optimizers.Momentum(0.1).load_slots({"momentum": {"w": W}}, 1.5, {"w": W}), "step is 1.5"),
        (lambda: layers.window_count(5, 2, 0), "stride is 0"),
        (lambda: layers.window_count(5, 0, 0), "field is 0"),
        (lambda: layers.window_count(5, 2.5), "field is 2.5"),
        (lambda: layers.window_count(5, 0), "field is 0"),
        (lambda: layers.glorot_limit(()), "shape is"),
        (lambda: layers.glorot_limit((0, 3)), "shape is"),
        (lambda: emo.metrics.auc(np.zeros((3, 2)), [0, 1, 2]), "from 0 to 2"),
        (lambda: emo.metrics.auc(np.zeros((3, 2)), [0, 1]), "labels have shape"),
        (lambda: emo.metrics.auc(np.full((2, 2), NAN), [0, 1]), "scores hold"),
        (lambda: emo.metrics.auc(np.zeros(3), [0, 1, 0]), "scores have shape"),
        (lambda: emo.metrics.figures(np.zeros((2, 2)), np.array([0, -1])), "from -1 to 0"),
        (lambda: emo.metrics.figures(np.zeros((0, 2)), np.array([], int)), "scores have shape"),
        (lambda: emo.metrics.figures(np.full((2, 2), NAN), np.array([0, 1])), "scores hold"),
        (lambda: emo.metrics.uar(np.zeros((2, 2), int)), "no clip"),
        (lambda: emo.metrics.macro_f1(np.zeros((2, 3), int)), "confusion has shape"),
        (lambda: emo.metrics.uar(np.array([[1, -1], [0, 1]])), "negative"),
        (lambda: emo.metrics.Evaluation(class_names="ab").add(0.1, np.zeros((2, 2)), np.array([0, -1])), "from -1"),
        (lambda: emo.metrics.Evaluation(class_names="ab").add(0.1, np.zeros((2, 3)), np.array([0, 1])), "shape"),
    ],
)  # fmt: skip
def test_numbers(call, words):
    refused(call, words=words)


@pytest.mark.parametrize(
    ("dtype", "scales", "allowed"),
    [("float32", (1, 1e15, 1e19, 3e19, 1e25, 1e36), 1e-4), ("float64", (1, 1e100, 1e153, 1e156, 1e300), 1e-10)],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_large_values_in_all_editions(dtype, scales, allowed):
    """One rule: float32's squares are summed in float64; a map whose squares are beyond that is 0."""
    nets = [emo.EmoP3D(**TINY, dtype=dtype, backend=backend) for backend in ("reference", "cpu")]
    for scale in scales:
        x = (CLIPS * np.dtype(dtype).type(scale)).astype(dtype)
        expected, found = (net.forward(x) for net in nets)
        assert np.allclose(found, expected, rtol=allowed, atol=allowed), scale
        (_, expected), (_, found) = (net.loss_and_gradients(x, [0, 1, 2]) for net in nets)
        for name in expected:
            most = np.abs(expected[name]).max()
            assert np.abs(found[name] - expected[name]).max() <= allowed * max(most, 1), (scale, name)
