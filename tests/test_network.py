"""The contract of ``EmoP3D``: names, shapes, sizes, refusals, and the gradient of the whole."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import JIT, SIMULATED, as_compiled, long_simulated
from hypothesis import given, settings
from hypothesis import strategies as st

import emop3d_np as emo
import kernels
from emop3d_np import layers
from kernels.cpu import fused

TINY = {"input_shape": (8, 14, 14, 1), "feature_maps": 2, "num_classes": 3, "dtype": "float64"}


def batch(net, count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, *net.input_shape)), rng.integers(0, net.num_classes, count)


def test_default_sizes():
    net = emo.EmoP3D(backend="reference")
    assert net.parameter_count == 979_590
    assert {name: values.shape for name, values in net.parameters.items()} == {
        "L1WS/weights": (3, 100, 100, 1, 3),
        "L1WS/bias": (14, 97, 97, 3),
        "L3P/weights": (1, 48, 48, 3),
        "L3P/bias": (12, 1, 1, 3),
        "L5WS/weights": (3, 48, 48, 3, 3),
        "L5WS/bias": (10, 45, 45, 3),
        "FC_OUT/weights": (60750, 6),
        "FC_OUT/bias": (6,),
    }
    assert [layer.name for layer in net.layers] == ["L1WS", "NORM_2", "L3P", "NORM_4", "L5WS", "NORM_6", "FC_OUT"]
    windows = [(layer.receptive_field, layer.strides) for layer in net.layers if layer.name.endswith("WS")]
    assert windows == [((3, 4, 4), (1, 1, 1))] * 2
    assert net.layers[2].size == (3, 2, 2)


@st.composite
def pyramids(draw):
    """Settings of a small network that fits: its lengths are worked out from the top of the pyramid down."""
    field = draw(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)))
    strides = draw(st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 2)))
    pool = draw(st.tuples(*[st.integers(1, 3)] * 3))
    lengths = []
    for axis in range(3):
        top = draw(st.integers(1, 3))
        pooled = field[axis] + strides[axis] * (top - 1)
        mapped = pooled + pool[0] - 1 if axis == 0 else pooled * pool[axis] + draw(st.integers(0, pool[axis] - 1))
        lengths.append(field[axis] + strides[axis] * (mapped - 1))
    return {
        "input_shape": (*lengths, draw(st.integers(1, 3))),
        "feature_maps": draw(st.integers(1, 4)),
        "num_classes": draw(st.integers(2, 4)),
        "receptive_field": field,
        "strides": strides,
        "pool": pool,
        "pooling": draw(st.sampled_from(["max", "average"])),
        "dtype": draw(st.sampled_from(["float32", "float64"])),
    }


def assert_same_gradient(ours, expected, name):
    """Beyond rounding of the terms: where a last map has only two cells, they cancel to almost nothing."""
    scale = max(np.linalg.norm(expected), 1e-3 * np.sqrt(expected.size))
    assert np.linalg.norm(ours - expected) <= 1e-10 * scale, name


@pytest.mark.parametrize("backend", kernels.EDITIONS[1:])
@settings(max_examples=5 if SIMULATED else 25)
@given(pyramid=pyramids(), count=st.integers(1, 6), seed=st.integers(0, 999))
def test_editions_agree_on_the_whole_network(backend, pyramid, count, seed):
    nets = [emo.EmoP3D(**pyramid, backend=name, seed=seed) for name in ("reference", backend)]
    x, labels = batch(nets[0], count, seed)
    results = [net.loss_and_gradients(x, labels, weight_decay=0.1, input_gradient=True) for net in nets]
    (loss, gradients), (other_loss, other) = results
    assert abs(other_loss - loss) <= 1e-5 * loss
    for name, gradient in gradients.items():
        assert gradient.dtype == other[name].dtype == pyramid["dtype"]
        # In float32 rounding may decide which of two near maxima is chosen, and the gradient jumps.
        if pyramid["dtype"] == "float64":
            assert_same_gradient(other[name], gradient, name)


@pytest.mark.parametrize("backend", kernels.EDITIONS[1:])
@settings(max_examples=2 if SIMULATED else 25)
@given(
    shape=st.tuples(st.integers(7, 11), st.integers(11, 19), st.integers(11, 19), st.integers(1, 3)),
    maps=st.integers(1, 3 if SIMULATED else 5),
    count=st.integers(1, 4 if SIMULATED else 19),
    seed=st.integers(0, 999),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_fused_pass_is_the_layers(backend, shape, maps, count, seed, dtype):
    """The usual windows, which these editions compute in one pass, against the reference edition's layers."""
    ours, reference = (emo.EmoP3D(shape, maps, 4, dtype, name, seed) for name in (backend, "reference"))
    assert ours._fused
    x, labels = batch(ours, count, seed)
    loss, gradients = ours.loss_and_gradients(x, labels)
    expected_loss, expected = reference.loss_and_gradients(x, labels)
    assert abs(loss - expected_loss) <= (1e-5 if dtype == "float32" else 1e-12) * expected_loss
    assert np.allclose(ours.forward(x), reference.forward(x), rtol=0, atol=1e-3 if dtype == "float32" else 1e-10)
    for name, gradient in gradients.items():
        assert gradient.shape == expected[name].shape
        if dtype == "float64":
            assert_same_gradient(gradient, expected[name], name)


@pytest.mark.parametrize("backend", kernels.EDITIONS[1:])
def test_fused_pass_with_ties_and_flat_frames(backend):
    """Whole numbers and eighths: sums are exact in any order, and many blocks are ties in both editions."""
    nets = [emo.EmoP3D(**TINY, backend=name) for name in (backend, "reference")]
    for net in nets:
        rng = np.random.default_rng(1)
        for name in ("L1WS/weights", "L1WS/bias"):
            net.parameters[name][...] = rng.integers(-8, 9, net.parameters[name].shape) / 8
        # The same at all times: of a clip that stands still all frames tie.
        net.parameters["L1WS/bias"][1:] = net.parameters["L1WS/bias"][0]
    x = np.zeros((5, 8, 14, 14, 1))
    x[1] = 1
    x[2, 3:] = -1
    x[3:] = np.random.default_rng(0).integers(0, 2, (2, 8, 14, 14, 1))
    x[4, 1:] = x[4, 0]
    labels = np.arange(5) % 3
    (_, ours), (_, expected) = (net.loss_and_gradients(x, labels) for net in nets)
    for name, gradient in ours.items():
        assert np.linalg.norm(gradient - expected[name]) <= 1e-9 * max(1, np.linalg.norm(expected[name])), name


@as_compiled
@pytest.mark.parametrize("backend", kernels.EDITIONS[1:])
@pytest.mark.parametrize(
    ("name", "index"), [("L1WS/bias", (2, 3, 4, 1)), ("L3P/bias", (1, 0, 0, 1)), ("L5WS/bias", (1, 0, 1, 0))]
)
def test_maps_that_overflow_are_zero_in_both_editions(backend, name, index):
    """As the normalisations say: a map that is not finite becomes 0, and takes no gradient."""
    nets = [emo.EmoP3D(**TINY, backend=each) for each in (backend, "reference")]
    for net in nets:
        net.parameters[name][index] = np.inf
    x, labels = batch(nets[0], 3)
    (loss, ours), (expected_loss, expected) = (net.loss_and_gradients(x, labels) for net in nets)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    for each, gradient in ours.items():
        assert np.isfinite(gradient).all()
        assert np.allclose(gradient, expected[each], rtol=1e-9, atol=1e-12), each


@pytest.mark.parametrize("backend", kernels.EDITIONS[1:])
@pytest.mark.parametrize("name", ["L1WS", "L5WS"])
def test_constant_maps_in_both_editions(backend, name):
    """Of a map that its layer makes constant only the mean's part of the gradient is left, times 1 / sqrt(epsilon)."""
    nets = [emo.EmoP3D(**TINY, backend=each) for each in (backend, "reference")]
    for net in nets:
        net.parameters[f"{name}/weights"][..., 0] = 0
        net.parameters[f"{name}/bias"][1, ..., 0] = 0.3
    x, labels = batch(nets[0], 3)
    (_, ours), (_, expected) = (net.loss_and_gradients(x, labels) for net in nets)
    for each, gradient in ours.items():
        assert_same_gradient(gradient, expected[each], each)


@pytest.mark.parametrize("backend", kernels.EDITIONS[1:])
def test_float32_far_from_0(backend):
    """Maps near 1,000 and logits near 500: moments in one pass, or exp of a logit, would be worth nothing."""
    single = emo.EmoP3D(**TINY | {"dtype": "float32"}, backend=backend)
    double = emo.EmoP3D(**TINY, backend="reference")
    for net in (single, double):
        for name in ("L1WS/bias", "L5WS/bias"):
            net.parameters[name] += net.dtype.type(1024)
        net.parameters["FC_OUT/bias"][:] = 500, 0, 490
    x, labels = batch(double, 5)
    (loss, ours), (expected_loss, expected) = (net.loss_and_gradients(x, labels) for net in (single, double))
    assert loss == pytest.approx(expected_loss, rel=1e-4)
    for name, gradient in ours.items():
        # Differences of 6e-5 between values near 1,000 are all that float32 can see.
        assert np.linalg.norm(gradient - expected[name]) <= 0.01 * np.linalg.norm(expected[name]), name


@pytest.mark.parametrize("backend", kernels.EDITIONS[1:])
@pytest.mark.parametrize(
    "count",
    [1, 2, 3, 5, *(pytest.param(count, marks=long_simulated) for count in (4, 8, 9, 16, 17)), 31, 32, 33, 64, 67],
)
def test_batches_of_any_size(backend, count):
    """However a batch is cut into parts that go through together, or side by side: each clip counts once."""
    if backend == "cuda" and count > 17:
        pytest.skip("the simulator is slow; 16 slabs of clips are covered, parts of a forward pass in test_cuda.py")
    settings = {"input_shape": (7, 13, 14, 2), "feature_maps": 2, "num_classes": 3, "dtype": "float64"}
    ours, reference = (emo.EmoP3D(**settings, backend=each) for each in (backend, "reference"))
    x, labels = batch(ours, count)
    (loss, gradients), (expected_loss, expected) = (net.loss_and_gradients(x, labels) for net in (ours, reference))
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert np.allclose(ours.forward(x), reference.forward(x), rtol=0, atol=1e-10)
    for name, gradient in gradients.items():
        assert_same_gradient(gradient, expected[name], name)


@pytest.mark.parametrize("backend", kernels.EDITIONS[1:])
@pytest.mark.parametrize(
    ("shape", "classes"),
    [
        pytest.param((10, 31, 28, 1), 3, marks=long_simulated),
        pytest.param((8, 24, 41, 2), 3, marks=long_simulated),
        pytest.param((15, 13, 14, 1), 20, marks=long_simulated),
    ],
    ids=str,
)
def test_larger_clips_in_both_editions(backend, shape, classes):
    """What is worked on in parts of a fixed size has more than one, and a rest; more frames than rows, many classes."""
    nets = [emo.EmoP3D(shape, 4, classes, "float64", each) for each in (backend, "reference")]
    x, labels = batch(nets[0], 2 if backend == "cuda" else 5)
    (loss, ours), (expected_loss, expected) = (net.loss_and_gradients(x, labels) for net in nets)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert np.allclose(nets[0].forward(x), nets[1].forward(x), rtol=0, atol=1e-10)
    assert np.allclose(nets[0].forward(x[:2]), nets[1].forward(x[:2]), rtol=0, atol=1e-10)
    for name, gradient in ours.items():
        assert_same_gradient(gradient, expected[name], name)


@as_compiled
@pytest.mark.parametrize("backend", kernels.EDITIONS)
@pytest.mark.parametrize("channels", [1, pytest.param(2, marks=long_simulated)])
def test_the_clip_that_is_not_finite_is_named(backend, channels):
    """Wherever it stands: the first and last of a batch, in forward and in training, for one clip and for many."""
    net = emo.EmoP3D(**TINY | {"input_shape": (7, 11, 11, channels)}, backend=backend)
    for count in (1, 5) if SIMULATED else (1, 4, 5, 19):
        x, labels = batch(net, count)
        for which in {0, count // 2, count - 1}:
            spoilt = x.copy()
            spoilt[which, 3, 5, 7, -1] = np.inf
            for call in (lambda x=spoilt: net.forward(x), lambda x=spoilt, y=labels: net.loss_and_gradients(x, y)):
                with pytest.raises(ValueError, match=rf"= \({which}, 3, 5, 7, {channels - 1}\)"):
                    call()


@pytest.mark.parametrize("backend", kernels.EDITIONS[1:])
@pytest.mark.parametrize("channels", [1, pytest.param(2, marks=long_simulated)])
def test_nothing_is_left_over_from_the_last_call(backend, channels):
    """The same bits after other clips, more or fewer of them, and after clips whose maps are not finite."""
    net = emo.EmoP3D(**TINY | {"input_shape": (8, 13, 14, channels)}, backend=backend)
    counts = (1, 3) if SIMULATED else (1, 3, 9)
    x, labels = batch(net, counts[-1])
    first = {count: (net.forward(x[:count]), net.loss_and_gradients(x[:count], labels[:count])) for count in counts}
    net.loss_and_gradients(1e3 * x[::-1], labels)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="not finite"):
        net.loss_and_gradients(np.full_like(x, np.nan), labels)
    for count, (logits, (loss, gradients)) in first.items():
        again_loss, again = net.loss_and_gradients(x[:count], labels[:count])
        assert net.forward(x[:count]).tobytes() == logits.tobytes()
        assert again_loss == loss
        assert all(again[name].tobytes() == values.tobytes() for name, values in gradients.items())


@pytest.mark.parametrize("backend", kernels.EDITIONS)
@pytest.mark.parametrize("count", [1, pytest.param(3, marks=long_simulated)])
def test_parameters_changed_in_place_are_seen(backend, count):
    """Forward passes remember the parameters' planes; a single value that differs must undo that."""
    net, x = emo.EmoP3D(**TINY, backend=backend), None
    x, labels = batch(net, count)
    for name, values in net.parameters.items():
        for share in (0.5,) if SIMULATED else (0, 0.5):
            before = net.forward(x)
            assert np.array_equal(net.forward(x), before)
            values[tuple(int(share * length) for length in values.shape)] += 0.5
            after = net.forward(x)
            assert not np.array_equal(after, before), name
        fresh = emo.EmoP3D(**TINY, backend=backend)
        fresh.load_parameters({each: np.asarray(array) for each, array in net.parameters.items()})
        assert np.array_equal(fresh.forward(x), after), name
        net.loss_and_gradients(x, labels)
        assert np.array_equal(net.forward(x), after), name


@pytest.mark.parametrize("backend", kernels.EDITIONS)
def test_parameters_that_are_all_changed_are_seen(backend):
    net, other = (emo.EmoP3D(**TINY, backend=backend, seed=seed) for seed in (0, 1))
    x, _ = batch(net, 3)
    net.forward(x)
    net.load_parameters({name: np.asarray(values) for name, values in other.parameters.items()})
    assert np.array_equal(net.forward(x), other.forward(x))


@pytest.mark.parametrize(
    ("job", "parts", "count"),
    [
        (fused.Job.TRAIN, [(0, 2), (2, 3)], 9),
        (fused.Job.TRAIN, [(2, 3), (0, 1), (1, 2)], 9),
        (fused.Job.FORWARD, [(4, 9), (0, 4)], 9),
    ],
)
def test_a_job_in_parts(job, parts, count):
    """Tasks, in any order, write what the whole job writes, bit by bit; of training they are the shares of threads."""
    net = emo.EmoP3D(**TINY)
    x, labels = batch(net, count)
    net.loss_and_gradients(x, labels)
    its, written = net._fused, []
    work, _, _ = fused._shared_out(count, 0, 4, 3)
    for tasks in ([(job, 0, max(end for _, end in parts))], [(job, *part) for part in parts]):
        buffers = its.buffers._replace(gradients=np.full((6, its.buffers.gradients.shape[1]), np.nan))
        answers = fused.Batch(x, labels, np.empty(count), np.empty((count, net.num_classes)), np.zeros(count, np.bool_))
        its.run(tasks, buffers, answers, work)
        written.append((buffers.gradients, answers.losses, answers.logits, answers.finite))
        assert answers.finite.all()
    used = slice(None) if job == fused.Job.TRAIN else slice(2, None)
    pairs = zip(*[each[used] for each in written], strict=True)
    assert all(np.array_equal(a, b, equal_nan=a.ndim == 2) for a, b in pairs), "gaps between gradients stay NaN"


def test_what_memory_holds_before_a_pass_does_not_matter():
    """A part's first clip overwrites what another part left, also where its own maps are not finite."""
    net, other = (emo.EmoP3D(**TINY) for _ in range(2))
    x, labels = batch(net, 9)
    net.loss_and_gradients(x, labels)
    net._fused.buffers.gradients.fill(np.nan)
    for each in (net, other):
        each.parameters["L1WS/bias"][...] = 1e200
    (loss, found), (expected_loss, expected) = (each.loss_and_gradients(x, labels) for each in (net, other))
    assert loss == expected_loss
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.mark.skipif(JIT, reason="Numba tells compiled code the number of its thread")
def test_a_thread_keeps_to_its_memory(monkeypatch):
    """Clips go through the maps of their thread; pieces of a clip that is shared out, through those of the first."""
    net = emo.EmoP3D(**TINY)
    (x, labels), its = batch(net, 3), net._fused
    monkeypatch.setattr(fused, "get_thread_id", lambda: 1)
    work = fused._shared_out(3, 0, 1, 1)[0]
    one_by_one = [(job, n, pieces) for n in range(3) for job, pieces in its.jobs]
    several = [([(fused.Job.TRAIN, 0, 1)], work), ([(fused.Job.FORWARD, 0, 3)], fused.NONE)]
    for (tasks, its_work), row in zip([*several, (one_by_one, work)], (1, 1, 0), strict=True):
        kept, scratch = (np.full((3, memory.shape[1]), 7.0) for memory in (its.buffers.kept, its.buffers.scratch))
        gradients = np.zeros((1, its.buffers.gradients.shape[1]))
        buffers = its.buffers._replace(gradients=gradients, kept=kept, scratch=scratch)
        answers = fused.Batch(x, labels, np.empty(3), np.empty((3, net.num_classes)), np.ones(3, np.bool_))
        its.run(tasks, buffers, answers, its_work)
        assert np.flatnonzero((kept != 7).any(axis=1)).tolist() == [row]
        assert np.flatnonzero((scratch != 7).any(axis=1)).tolist() == [1]


@pytest.mark.parametrize("backend", kernels.EDITIONS)
def test_maps_with_a_large_offset(backend):
    """Maps of 10,000 +- 1 in float32 are normalised to within 1e-3; of constant ones all that is left is 0."""
    shape, rng = (7, 40, 40, 1), np.random.default_rng(5)
    nets = [emo.EmoP3D(shape, 2, 3, *kind) for kind in (("float32", backend), ("float64", "reference"))]
    bias = np.float32(10_000 + rng.uniform(-1, 1, nets[0].parameters["L1WS/bias"].shape))
    bias[..., 1] = 10_000.3
    for net in nets:
        net.parameters["L1WS/weights"][...] = 0
        net.parameters["L1WS/bias"][...] = bias
        net.load_parameters({name: np.float32(np.asarray(values)) for name, values in net.parameters.items()})
    x = np.zeros((2, *shape), np.float32)
    found, expected = (np.asarray(net.activations(x)["NORM_2"]) for net in nets)
    assert np.abs(found - expected).max() < 1e-3
    assert not found[..., 1].any()
    assert np.allclose(nets[0].forward(x), nets[1].forward(x), rtol=2e-3, atol=2e-3)
    before = nets[0].forward(x)
    nets[0].parameters["L1WS/bias"][..., 1] = -77.7
    assert np.array_equal(nets[0].forward(x), before), "another constant is another map of zeros"


def test_gradient_arrays_can_be_used_again():
    net = emo.EmoP3D(**TINY)
    x, labels = batch(net, 9)
    for input_gradient in (False, True):
        _, first, _ = net.training_pass(x, labels, 0.01, input_gradient)
        kept = {name: values.copy() for name, values in first.items()}
        _, again, _ = net.training_pass(x, labels, 0.01, input_gradient, gradients=first)
        assert again is first
        assert all(values.tobytes() == kept[name].tobytes() for name, values in again.items())


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_gradient_of_the_network_is_the_slope(backend, pooling):
    """Central differences along random directions through one parameter, or the input, at a time."""
    net = emo.EmoP3D(**TINY, backend=backend, pooling=pooling, seed=3)
    x, labels = batch(net, 3, seed=4)
    _, gradients = net.loss_and_gradients(x, labels, weight_decay=0.05, input_gradient=True)
    rng = np.random.default_rng(5)
    for name, gradient in gradients.items():
        values = x if name == "input" else net.parameters[name]
        direction = rng.standard_normal(gradient.shape)
        start, ends = values.copy(), []
        for step in (1e-6, -1e-6):
            values[...] = start + step * direction
            ends.append(net.loss_and_gradients(x, labels, weight_decay=0.05)[0])
        values[...] = start
        slope = (ends[0] - ends[1]) / 2e-6
        assert abs(slope - (gradient * direction).sum()) <= 1e-7 * max(1, np.abs(gradient * direction).sum()), name


@pytest.mark.parametrize("backend", kernels.EDITIONS)
def test_decay_by_name(backend):
    """Each array of weights has its own factor in the loss, or none; the same factor for all is that factor's bits."""
    net = emo.EmoP3D(**TINY, backend=backend, seed=3)
    x, labels = batch(net, 3, seed=4)
    plain, gradients = net.loss_and_gradients(x, labels)
    factors = {"L1WS/weights": 0.3, "L5WS/weights": 0.0, "FC_OUT/weights": 0.7}
    loss, decayed = net.loss_and_gradients(x, labels, weight_decay=factors)
    values = {name: np.asarray(net.parameters[name]) for name in gradients}
    terms = [factor * np.sum(values[name].astype(float) ** 2) / 2 for name, factor in factors.items()]
    assert loss == pytest.approx(plain + sum(terms), rel=1e-6)
    assert net.loss(net.forward(x), labels, factors) == pytest.approx(loss, rel=1e-6)
    for name, gradient in gradients.items():
        assert np.allclose(decayed[name], gradient + factors.get(name, 0) * values[name], rtol=1e-5, atol=1e-7), name
    with pytest.raises(
        emo.InputError, match=r"weight_decay names \['FC_OUT/bias'\]; the weights are \['L1WS/weights', "
    ):
        net.loss_and_gradients(x, labels, weight_decay={"FC_OUT/bias": 1.0})
    same = dict.fromkeys((f"{layer}/weights" for layer in ("L1WS", "L3P", "L5WS", "FC_OUT")), 0.1)
    (loss, gradients), (other, others) = (net.loss_and_gradients(x, labels, weight_decay=each) for each in (0.1, same))
    assert loss == other
    assert all(np.array_equal(gradients[name], others[name]) for name in gradients)


@pytest.mark.parametrize("backend", kernels.EDITIONS)
def test_layers_one_by_one_are_the_network(backend):
    """A layer's backward gives the gradient of its input, unless it is told that nobody wants it."""
    net = emo.EmoP3D(**TINY, backend=backend)
    x, labels = batch(net, 2)
    y, saved = net._place(x), []
    for layer in net.layers:
        y, kept = layer.forward(y, net.parameters)
        saved.append(kept)
    dy = net.kernels.softmax_cross_entropy_backward(net._place(np.full(2, 0.5)), y, labels)
    for layer in reversed(net.layers):
        dy, _ = layer.backward(dy, saved.pop(), net.parameters)
    _, gradients = net.loss_and_gradients(x, labels, input_gradient=True)
    assert np.array_equal(dy, gradients["input"])


def test_a_batch_is_its_clips():
    """Clips do not influence each other: forward one by one is forward together, and the gradient is the mean."""
    net = emo.EmoP3D(**TINY)
    x, labels = batch(net, 7)
    together = net.forward(x)
    assert np.allclose(np.concatenate([net.forward(clip[None]) for clip in x]), together, rtol=1e-12)
    single = [net.loss_and_gradients(x[i : i + 1], labels[i : i + 1])[1] for i in range(7)]
    _, gradients = net.loss_and_gradients(x, labels)
    for name, gradient in gradients.items():
        assert np.allclose(np.mean([one[name] for one in single], axis=0), gradient, rtol=1e-9, atol=1e-15)


def test_predictions_follow_the_logits():
    net = emo.EmoP3D(**TINY)
    x, labels = batch(net, 5)
    logits = net.forward(x)
    p = net.predict_proba(x)
    assert np.allclose(p.sum(axis=1), 1)
    assert np.array_equal(net.predict(x), logits.argmax(axis=1))
    assert np.array_equal(net.predict(x), p.argmax(axis=1))
    loss, _ = net.loss_and_gradients(x, labels)
    assert loss == pytest.approx(-np.log(p[np.arange(5), labels]).mean(), rel=1e-12)
    assert net.loss(logits, labels) == pytest.approx(loss, rel=1e-12)


def test_other_dtypes_are_cast():
    net = emo.EmoP3D(**TINY)
    x = np.arange(2 * 8 * 14 * 14, dtype=np.uint8).reshape(2, 8, 14, 14, 1)
    assert np.array_equal(net.forward(x), net.forward(x.astype(np.float64)))
    assert np.array_equal(net.forward(np.asfortranarray(x)), net.forward(x))


def test_one_seed_gives_one_network():
    first, again, other = (emo.EmoP3D(**TINY, seed=seed).parameters for seed in (1, 1, 2))
    for name in first:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])
    assert np.array_equal(
        emo.EmoP3D(**TINY | {"dtype": "float32"}, seed=1).parameters["L1WS/bias"], first["L1WS/bias"].astype("f4")
    )


BITS = """
import hashlib, sys, numba, numpy as np, emop3d_np as emo
numba.set_num_threads(int(sys.argv[1]))
net = emo.EmoP3D((16, 60, 60, 1), seed=1)
rng = np.random.default_rng(2)
x, labels = rng.standard_normal((10, *net.input_shape)), rng.integers(0, 6, 10)
digest = hashlib.sha256()
for _ in range(3):
    loss, gradients = net.loss_and_gradients(x, labels, input_gradient=True)
    for values in (np.float64(loss), *gradients.values(), net.forward(x)):
        digest.update(values.tobytes())
    for n in 3, 10:  # shared out within a clip, and by parts
        for values in net.loss_and_gradients(x[:n], labels[:n])[1].values():
            digest.update(values.tobytes())
print(digest.hexdigest())
"""


@pytest.mark.skipif(not JIT, reason="without compilation there is one thread")
def test_same_bits_on_any_number_of_threads():
    digests = set()
    for threads in "1234":
        done = subprocess.run(
            [sys.executable, "-c", BITS, threads],
            env={**os.environ, "NUMBA_NUM_THREADS": "4"},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"input_shape": (4, 100, 100, 1)}, r"L3P would give 0x48x48x3 .* L1WS 4x100x100x1 -> 2x97x97x3"),
        ({"input_shape": (16, 10, 10, 1)}, r"L5WS would give 10x0x0x3 .* NORM_4 12x3x3x3 -> 12x3x3x3, L5WS"),
        ({"input_shape": (16, 100, 100)}, r"input_shape is .* whole numbers of at least 1 for d, h, w, c"),
        ({"feature_maps": 0}, "feature_maps is .0."),
        ({"num_classes": 2.5}, "num_classes is .2.5."),
        ({"receptive_field": (3, 4)}, "receptive_field is .* rd, rh, rw"),
        ({"strides": 1}, "strides is 1"),
        ({"pooling": "sum"}, "pooling is 'sum'; it must be 'max' or 'average'"),
        ({"dtype": "int32"}, "dtype is int32"),
    ],
)
def test_impossible_networks_are_refused(settings, words):
    with pytest.raises(ValueError, match=words) as error:
        emo.EmoP3D(backend="reference", **settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((8, 14, 14, 1)), r"add the sample axis: x\[np.newaxis\]"),
        (np.zeros((0, 8, 14, 14, 1)), "n >= 1"),
        (np.zeros((1, 8, 14, 15, 1)), r"clips have shape \(1, 8, 14, 15, 1\)"),
        (np.zeros((1, 8, 14, 14, 1), complex), "complex128"),
        (np.where(np.arange(2 * 1568) == 1568 + 15, np.nan, 0).reshape(2, 8, 14, 14, 1), r"\(1, 0, 1, 1, 0\)"),
    ],
)
def test_wrong_clips_are_refused(x, words):
    with pytest.raises(ValueError, match=words):
        emo.EmoP3D(**TINY).forward(x)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1], r"labels have shape \(2,\); 3 clips need \(3,\)"),
        ([0, 1, 3], "labels run from 0 to 3; 3 classes are numbered 0 ... 2"),
        ([0, -1, 2], "from -1 to 2"),
        ([0, 0.5, 2], "whole numbers"),
        (["a", "b", "c"], "whole numbers"),
    ],
)
def test_wrong_labels_are_refused(labels, words):
    net = emo.EmoP3D(**TINY)
    with pytest.raises(ValueError, match=words):
        net.loss_and_gradients(batch(net, 3)[0], labels)


@as_compiled
@pytest.mark.parametrize("backend", kernels.EDITIONS)
def test_large_finite_clips_are_not_refused(backend):
    """Their sum overflows float32, though every value is finite."""
    net = emo.EmoP3D(**TINY | {"dtype": "float32"}, backend=backend)
    assert net.forward(np.full((1, 8, 14, 14, 1), 3e38, np.float32)).shape == (1, 3)


def test_parameters_load_whole_or_not_at_all():
    source, net = emo.EmoP3D(**TINY, seed=1), emo.EmoP3D(**TINY, seed=2)
    before = {name: values.copy() for name, values in net.parameters.items()}
    good = source.parameters
    wrong = {
        "missing ..FC_OUT/bias..": {name: good[name] for name in list(good)[:-1]},
        "unknown ..extra..": {**good, "extra": np.zeros(3)},
        r"FC_OUT/bias has shape \(4,\), the network's is \(3,\)": {**good, "FC_OUT/bias": np.zeros(4)},
        r"FC_OUT/bias holds a value that is not finite, at \(1,\)": {**good, "FC_OUT/bias": [0, np.inf, 0]},
        "FC_OUT/bias has dtype": {**good, "FC_OUT/bias": np.array(["a", "b", "c"])},
    }
    for words, mapping in wrong.items():
        with pytest.raises(ValueError, match=words):
            net.load_parameters(mapping)
        assert all(np.array_equal(net.parameters[name], values) for name, values in before.items())
    net.load_parameters(good)
    assert all(np.array_equal(net.parameters[name], values) for name, values in good.items())
    assert net.parameters["L1WS/bias"] is not good["L1WS/bias"]


def test_window_count():
    for length in range(1, 12):
        for field in range(1, length + 1):
            for stride in range(1, 5):
                starts = [start for start in range(0, length, stride) if start + field <= length]
                assert layers.window_count(length, field, stride) == len(starts)
