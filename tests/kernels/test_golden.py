"""The vectors of the original TensorFlow program: every operation, the whole network, training, schedules, limits."""

import numpy as np
import pytest
from conftest import SIMULATED, as_compiled, long_simulated

import emop3d_np as emo
import kernels
from emop3d_np.layers import glorot_limit

FLOAT64 = 1e-11
FLOAT32 = 3e-5
FLOAT32_NEAR_TIES = 2e-4
TRAJECTORY = 1e-9

NAMES = {
    "L1WS/weights": "l1ws_weights",
    "L1WS/bias": "l1ws_bias",
    "L3P/weights": "l3p_weights",
    "L3P/bias": "l3p_bias",
    "L5WS/weights": "l5ws_weights",
    "L5WS/bias": "l5ws_bias",
    "FC_OUT/weights": "fc_weights",
    "FC_OUT/bias": "fc_bias",
}
WEIGHTED_SUMS = "s11111 s11221 s11121 s12111_d6 s12111_d7 s12111_d9 s13111_d9 s12231 rf235 rf111 rffull gap".split()
POOLS = "s11221 s11231 s11111 wd2 wd4 wd1 rf1".split()
DTYPES = ["f64", "f32"]


def error(ours, golden):
    """Norm of the difference beside the norm of the golden values."""
    return np.linalg.norm(np.asarray(ours, np.float64) - golden) / max(np.linalg.norm(golden), 1e-300)


def allowed(dtype):
    return FLOAT64 if dtype == "f64" else FLOAT32


def pad_frames(array, frames):
    """``array`` with zero frames behind, up to ``frames``; axis 1 of five, axis 0 of four."""
    axis = array.ndim - 4
    missing = [(0, max(0, frames - array.shape[axis])) if i == axis else (0, 0) for i in range(array.ndim)]
    return np.pad(array, missing)


def opened(archive, dtype):
    """All arrays of a file; the float64 files store inputs as float32, to be widened."""
    wide = {"f64": np.float64, "f32": np.float32}[dtype]
    return {key: value.astype(wide) if (value := archive[key]).dtype.kind == "f" else value for key in archive.files}


def network(archive, dtype, backend):
    _, d, h, w, c, maps, classes = archive["cfg"] if "cfg" in archive else (0, *archive["x"].shape[1:], 2, 3)
    name = {"f64": "float64", "f32": "float32"}[dtype]
    return emo.EmoP3D((d, h, w, c), maps, classes, dtype=name, backend=backend)


def parameters(archive, prefix=""):
    return {name: archive[prefix + key] for name, key in NAMES.items()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", WEIGHTED_SUMS)
def test_weighted_sum(golden, edition, dtype, case):
    """The original rounds the number of frames; ours is the ceiling. Frames only one of them has are left out."""
    archive = opened(golden(f"ops_ws3d_{dtype}.npz"), dtype)
    g = {key: archive[f"{case}__{key}"] for key in "x weights bias y_linear y dy dx dweights dbias rf strides".split()}
    field, strides = tuple(map(int, g["rf"])), tuple(map(int, g["strides"][1:4]))
    frames = -(-(g["x"].shape[1] - field[0] + 1) // strides[0])
    common = g["y"].shape[1]
    z = edition.weighted_sum(g["x"], g["weights"], pad_frames(g["bias"], frames), field, strides)
    dz = edition.leaky_relu_backward(pad_frames(g["dy"], frames), z)
    dx, dweights, dbias = edition.weighted_sum_backward(dz, g["x"], g["weights"], field, strides)
    assert error(z[:, :common], g["y_linear"]) <= allowed(dtype)
    assert error(edition.leaky_relu(z)[:, :common], g["y"]) <= allowed(dtype)
    assert error(dx, g["dx"]) <= allowed(dtype)
    assert error(dweights, g["dweights"]) <= allowed(dtype)
    assert error(dbias[:common], g["dbias"]) <= allowed(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", POOLS)
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pool(golden, edition, dtype, kind, case):
    """The original's last windows may run off the end; only the frames whose window is whole are compared."""
    archive = opened(golden(f"ops_pool3d_{dtype}.npz"), dtype)
    keys = "x weights bias y dy dx dweights dbias strides weight_depth".split()
    g = {key: archive[f"{kind}_{case}__{key}"] for key in keys}
    frames, block = int(g["weight_depth"]), tuple(map(int, g["strides"][2:4]))
    kind = {"max": "max", "avg": "average"}[kind]
    in_space = getattr(edition, f"{kind}_pool_space")(g["x"], block)
    m = getattr(edition, f"{kind}_pool_frames")(in_space, frames)
    common = min(m.shape[1], g["y"].shape[1])
    whole = common == g["y"].shape[1]  # no window of the original ran off the end: gradients can be compared
    bias = pad_frames(g["bias"][:common], m.shape[1])
    z = edition.scale_shift(m, g["weights"], bias)
    assert error(edition.leaky_relu(z)[:, :common], g["y"][:, :common]) <= allowed(dtype)
    dz = edition.leaky_relu_backward(pad_frames(g["dy"][:, :common], m.shape[1]), z)
    dm, dweights, dbias = edition.scale_shift_backward(dz, m, g["weights"])
    dspace = getattr(edition, f"{kind}_pool_frames_backward")(dm, in_space, frames)
    dx = getattr(edition, f"{kind}_pool_space_backward")(dspace, g["x"], block)
    assert error(dbias[:common], g["dbias"][:common]) <= allowed(dtype)
    if whole:
        assert error(dweights, g["dweights"]) <= allowed(dtype)
        assert error(dx, g["dx"]) <= allowed(dtype)


@as_compiled
@pytest.mark.parametrize("case", "normal constant zero mixed one_pixel tiny_spread offset_1e3 nonfinite".split())
def test_standardize(golden, edition, case):
    """In float64 alone: on nearly constant maps the original's float32 is noise. NaN gradients are 0 here."""
    archive = opened(golden("ops_norm_f64.npz"), "f64")
    x, dy, y, dx = (archive[f"{case}__{key}"] for key in ("x", "dy", "y", "dx"))
    # tiny_spread divides differences near rounding by 1e-4: what the golden values themselves are worth
    bound = 1e-9 if case in ("tiny_spread", "offset_1e3") else FLOAT64
    assert np.abs(edition.standardize(x) - y).max() <= bound * max(1, np.abs(y).max())
    assert error(edition.standardize_backward(dy, x), np.nan_to_num(dx)) <= bound


@pytest.mark.parametrize("dtype", DTYPES)
def test_small_operations(golden, edition, dtype):
    g = opened(golden(f"ops_misc_{dtype}.npz"), dtype)
    assert error(edition.leaky_relu(g["lrelu__x"]), g["lrelu__y"]) <= allowed(dtype)
    assert error(edition.leaky_relu_backward(g["lrelu__dy"], g["lrelu__x"]), g["lrelu__dx"]) <= allowed(dtype)
    a = g["fc__x"].reshape(len(g["fc__x"]), -1)
    da, dweights, dbias = edition.dense_backward(g["fc__dy"], a, g["fc__weights"])
    assert error(edition.dense(a, g["fc__weights"], g["fc__bias"]), g["fc__y"]) <= allowed(dtype)
    assert error(da, g["fc__dx"].reshape(da.shape)) <= allowed(dtype)
    assert error(dweights, g["fc__dweights"]) <= allowed(dtype)
    assert error(dbias, g["fc__dbias"]) <= allowed(dtype)
    logits, labels = g["xent__logits"], g["xent__y"]
    losses = edition.softmax_cross_entropy(logits, labels)
    assert error(losses, g["xent__loss_per_sample"]) <= allowed(dtype)
    dlosses = np.full(len(labels), 1 / len(labels), logits.dtype)
    dlogits = edition.softmax_cross_entropy_backward(dlosses, logits, labels)
    assert error(dlogits, g["xent__dlogits"]) <= allowed(dtype)


@pytest.mark.parametrize("backend", kernels.EDITIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ["tiny", pytest.param("small", marks=long_simulated), "rgb"])
def test_network(golden, case, dtype, backend):
    archive = golden(f"net_{case}_{dtype}.npz")
    gap = min(float(archive["tie_gap_space_min"]), float(archive["tie_gap_depth_min"]))
    bound = allowed(dtype) if dtype == "f64" or gap > 1e-5 else FLOAT32_NEAR_TIES
    net = network(archive, dtype, backend)
    net.load_parameters(parameters(archive))
    loss, gradients = net.loss_and_gradients(archive["x"], archive["y"], input_gradient=True)
    assert list(gradients) == [*NAMES, "input"]
    assert abs(loss - archive["loss"]) <= bound * archive["loss"]
    assert error(net.forward(archive["x"]), archive["logits"]) <= bound
    assert error(gradients["input"], archive["grad_x"]) <= bound
    for name, key in NAMES.items():
        assert gradients[name].shape == net.parameters[name].shape
        assert error(gradients[name], archive[f"grad_{key}"]) <= bound, name
    for name, activation in net.activations(archive["x"]).items():
        key = {"L1WS": "act_l1ws", "NORM_2": "act_norm2", "L3P": "act_l3p", "NORM_4": "act_norm4"}
        key |= {"L5WS": "act_l5ws", "NORM_6": "act_norm6", "FC_OUT": "logits"}
        assert error(activation, archive[key[name]]) <= bound, name
    accuracy = (net.predict(archive["x"]) == archive["y"]).mean()
    assert accuracy == pytest.approx(float(archive["accuracy"]))


@pytest.mark.parametrize("backend", kernels.EDITIONS)
def test_weight_decay(golden, backend):
    """The gradient is that of the loss; the original's counts the cross-entropy four times."""
    plain, decayed = (opened(golden(f"net_tiny{part}_f64.npz"), "f64") for part in ("", "_weight_decay"))
    net = network(plain, "f64", backend)
    net.load_parameters(parameters(plain))
    decay = float(decayed["weight_decay"])
    loss, gradients = net.loss_and_gradients(plain["x"], plain["y"], weight_decay=decay)
    terms = decayed["loss_vector"] - decayed["cross_entropy"]
    assert loss == pytest.approx(float(decayed["cross_entropy"] + terms.sum()), rel=FLOAT64)
    for name, key in NAMES.items():
        expected = decayed[f"grad_ce_{key}"] + (decay * plain[key] if name.endswith("weights") else 0)
        assert error(gradients[name], expected) <= FLOAT64, name


OPTIMIZERS = {
    "gd": emo.optimizers.GradientDescent,
    "momentum": emo.optimizers.Momentum,
    "nesterov": lambda rate: emo.optimizers.Momentum(rate, nesterov=True),
    "adam": emo.optimizers.Adam,
}


@pytest.mark.parametrize("backend", kernels.EDITIONS)
@pytest.mark.parametrize(("rule", "dtype"), [("gd", "f64"), ("momentum", "f64"), ("momentum", "f32")])
def test_thirty_steps(golden, rule, dtype, backend):
    archive = golden(f"train_{rule}_{dtype}.npz")
    net = network(archive, dtype, backend)
    net.load_parameters(parameters(archive, "init_"))
    rate = emo.optimizers.exponential_decay(
        float(archive["base_lr"]), float(archive["decay_steps"]), float(archive["decay_rate"])
    )
    optimizer = OPTIMIZERS[rule](rate)
    bound = TRAJECTORY if dtype == "f64" else 3e-4
    steps = 3 if backend == "cuda" and SIMULATED else int(archive["steps"])  # simulated: a second a step
    for step in range(steps):
        rows = slice(2 * (step % 3), 2 * (step % 3) + 2)
        loss, gradients = net.loss_and_gradients(archive["x"][rows], archive["y"][rows])
        assert loss == pytest.approx(float(archive["loss"][step]), rel=bound, abs=bound)
        assert optimizer.rate == pytest.approx(float(archive["lr"][step]), rel=1e-6)
        optimizer.update(net.parameters, gradients)
        if step == 0:
            for name, key in NAMES.items():
                assert error(net.parameters[name], archive[f"after1_{key}"]) <= bound
    for name, key in NAMES.items() if steps == archive["steps"] else ():
        assert error(net.parameters[name], archive[f"final_{key}"]) <= bound, name
        if rule == "momentum":
            assert error(optimizer.slots["momentum"][name], archive[f"slot_momentum_{key}"]) <= bound, name


@pytest.mark.parametrize("tag", ["paper", "decay10", "half7", "batches7"])
def test_schedule(golden, tag):
    archive = golden("schedule.npz")
    rate = emo.optimizers.exponential_decay(*map(float, archive[f"{tag}__cfg"]))
    expected = archive[f"{tag}__f64"]
    assert np.allclose([rate(step) for step in range(len(expected))], expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("case", "shape", "maps", "classes"),
    [
        ("tiny", (8, 14, 14, 1), 2, 3),
        ("small", (9, 21, 18, 1), 3, 6),
        ("rgb", (8, 17, 16, 3), 3, 4),
        ("default", (16, 100, 100, 1), 3, 6),
    ],
)
def test_initial_limits(golden, case, shape, maps, classes):
    archive = golden("init_limits.npz")
    net = emo.EmoP3D(shape, maps, classes, dtype="float64", backend="reference")
    for name, key in NAMES.items():
        limit = glorot_limit(net.parameters[name].shape)
        assert limit == pytest.approx(float(archive[f"{case}__{key}"][2]), rel=1e-7)
        assert np.abs(net.parameters[name]).max() <= limit
        if net.parameters[name].size > 1000:
            assert np.abs(net.parameters[name]).max() > 0.99 * limit


@pytest.mark.parametrize("stored", ["u8", "f32", "f64"])
def test_normalize(golden, edition, stored):
    archive = golden("data_handling.npz")
    clips = archive["norm_x_u8"].astype({"u8": np.uint8, "f32": np.float32, "f64": np.float64}[stored])
    ours = emo.datasets.normalize(clips, edition)
    assert error(ours, archive[f"norm_y_{stored}"]) <= (FLOAT64 if stored == "f64" else 1e-6)
