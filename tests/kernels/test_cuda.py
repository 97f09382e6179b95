"""The edition for NVIDIA devices: what it says where it cannot run, and on the simulator what is true of it alone.

Its kernels are in the tests of every edition, and ``test_cuda_code.py`` looks at their code.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import operations
import pytest
from conftest import SIMULATED
from planting import planted

import emop3d_np as emo
import kernels
import run
from emop3d_np.datasets.clips import ClipSet
from emop3d_np.errors import InputError
from kernels.cuda import (
    device_array,
    device_functions,
    elements,
    fused,
    fused_first_layer,
    fused_frames_pooling,
    fused_windows,
    graph,
    memory,
    target,
)
from kernels.cuda.launch import LAUNCH, Kernel, recorded, stream

ROOT = Path(__file__).resolve().parents[2]
weighted_sum = sys.modules["kernels.cuda.weighted_sum"]  # the package's attribute is the function


@pytest.fixture
def without(monkeypatch):
    """A machine that has ``cuda`` and whose compiler is found or not."""

    def set_up(cuda, compiler):
        monkeypatch.setattr(target, "SIMULATED", False)
        monkeypatch.setattr(target, "cuda", cuda)
        monkeypatch.setattr(target, "_compiler_found", lambda: compiler)
        target._require_device.cache_clear()

    yield set_up
    target._require_device.cache_clear()


def test_no_driver(without):
    without(SimpleNamespace(is_available=lambda: False), compiler=True)
    with pytest.raises(InputError, match=r"no NVIDIA driver, or no device.*nvidia-smi.*backend cpu"):
        device_array.to_device(np.zeros(3))


@pytest.mark.parametrize("cuda", [None, SimpleNamespace(is_available=lambda: True)], ids=["no-target", "no-compiler"])
def test_no_package(without, cuda):
    without(cuda, compiler=False)
    with pytest.raises(InputError, match=r"numba-cuda.*pip install 'emop3d-np\[cuda\]'.*backend cpu"):
        device_array.to_device(np.zeros(3))


def test_the_command_ends_with_a_message_not_a_traceback(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}
    environment["CUDA_VISIBLE_DEVICES"] = "-1"
    ended = subprocess.run(
        [sys.executable, ROOT / "run.py", "--backend", "cuda", "--max_steps", "1"],
        check=False, cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "backend cuda: " in ended.stderr
    assert "Traceback" not in ended.stderr


there = pytest.mark.skipif("cuda" not in kernels.EDITIONS, reason="needs a device, or the simulator: make test-cuda")
TINY = {"input_shape": (8, 14, 16, 1), "feature_maps": 2, "num_classes": 3}
SMALL = {"input_shape": (8, 13, 14, 1), "feature_maps": 1, "num_classes": 3}
"""TINY takes more than one simulated strip across.  Of still smaller maps, normalisation leaves no gradient."""

LAYERS = {"receptive_field": (2, 3, 3), "pooling": "average"}
"""What is not fused."""


def batch(net, count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, *net.input_shape)).astype(net.dtype), rng.integers(0, net.num_classes, count)


@there
@pytest.mark.parametrize("settings", [{}, LAYERS], ids=["fused", "layers"])
@pytest.mark.parametrize(
    ("threads", "block", "blocks"), [(1, (1, 1), 1), (3, (3, 2), 5), (7, (5, 1), 2)], ids=["one", "six", "seven"]
)
def test_any_launch_is_right(monkeypatch, threads, block, blocks, settings):
    """Odd numbers of threads and blocks, more and fewer than there is to do: nothing is left out or done twice."""
    for name, value in {"threads": threads, "block": block, "blocks": blocks}.items():
        monkeypatch.setattr(LAUNCH, name, value)
    ours, reference = (emo.EmoP3D(**TINY, **settings, dtype="float64", backend=name) for name in ("cuda", "reference"))
    x, labels = batch(ours, 2)
    loss, gradients = ours.loss_and_gradients(x, labels, weight_decay=0.1)
    expected_loss, expected = reference.loss_and_gradients(x, labels, weight_decay=0.1)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    for name, gradient in gradients.items():
        assert np.allclose(gradient, expected[name], rtol=1e-9, atol=1e-12), name


SIZES = operations.Sizes(
    n=2, c=2, f=3, field=(2, 3, 4), strides=(1, 2, 1), windows=(2, 3, 7), spare=(0, 1, 0), pool=(2, 2, 3)
)


@there
def test_more_maps_than_a_strip_adds_up_at_a_time():
    settings = SMALL | {"feature_maps": fused_windows.MAPS + 1, "dtype": "float64"}
    ours, reference = (emo.EmoP3D(**settings, backend=name) for name in ("cuda", "reference"))
    x, labels = batch(ours, 1)
    (_, found), (_, expected) = ours.loss_and_gradients(x, labels), reference.loss_and_gradients(x, labels)
    assert np.any(expected["L5WS/weights"])
    for name, gradient in expected.items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-9, atol=1e-12)


@there
@pytest.mark.parametrize("op", operations.OPERATIONS, ids=lambda op: op.name)
@pytest.mark.parametrize(("threads", "block", "blocks"), [(3, (3, 2), 5), (7, (5, 1), 2)], ids=["six", "seven"])
def test_any_launch_of_an_operation_is_right(monkeypatch, op, threads, block, blocks):
    for name, value in {"threads": threads, "block": block, "blocks": blocks}.items():
        monkeypatch.setattr(LAUNCH, name, value)
    cuda, reference = map(kernels.edition, ("cuda", "reference"))
    rng = np.random.default_rng(0)
    arrays = op.inputs(rng, SIZES)
    expected = op.forward(reference, arrays, SIZES)
    assert np.allclose(op.forward(cuda, arrays, SIZES), expected, rtol=1e-10, atol=1e-12)
    dy = rng.standard_normal(expected.shape)
    pairs = zip(op.backward(cuda, dy, arrays, SIZES), op.backward(reference, dy, arrays, SIZES), strict=True)
    assert all(np.allclose(ours, theirs, rtol=1e-10, atol=1e-12) for ours, theirs in pairs)


@there
@pytest.mark.parametrize(
    "rule", [emo.optimizers.GradientDescent, emo.optimizers.Momentum, emo.optimizers.Adam, emo.optimizers.AdamW]
)
def test_three_steps_from_one_seed(rule):
    """In float32, the default: the reference's losses, to 1e-5."""
    losses = {}
    for backend in ("reference", "cuda"):
        net, optimizer = emo.EmoP3D(**SMALL, backend=backend, seed=5), rule(0.01)
        x, labels = batch(net, 2)
        losses[backend] = []
        for _ in range(3):
            loss, gradients = net.loss_and_gradients(x, labels)
            losses[backend].append(loss)
            optimizer.update(net.parameters, gradients)
    assert losses["cuda"] == pytest.approx(losses["reference"], rel=1e-5)
    assert len(set(losses["cuda"])) == 3


@there
def test_an_average_stays_on_the_device(monkeypatch):
    """And is what it is on the host."""
    results = {}
    for backend in ("reference", "cuda"):
        net, averaged = (emo.EmoP3D(**TINY, backend=backend, seed=seed) for seed in (5, 6))
        moving = emo.optimizers.MovingAverage(averaged.parameters, 0.9)
        if backend == "cuda":
            monkeypatch.setattr(device_array, "_host", None)
            monkeypatch.setattr(device_array, "_copied", None)
        for step in (1, 2, 300):
            moving.update(net.parameters, step)
        monkeypatch.undo()
        results[backend] = {name: np.array(values) for name, values in averaged.parameters.items()}
    for name, values in results["reference"].items():
        assert np.allclose(results["cuda"][name], values, rtol=1e-5, atol=1e-7), name


@there
def test_a_run_is_the_reference_run(tmp_path):
    """run.py from files: the batches go to the simulated device while a step is under way; the history is the same."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.integers(0, 256, (7, *SMALL["input_shape"]), np.uint8))
    np.save(tmp_path / "y.npy", np.arange(7) % 3)
    sizes = zip(("--depth_frames", "--height", "--width", "--in_channels"), SMALL["input_shape"], strict=True)
    flags = [str(part) for pair in sizes for part in pair] + ["--num_classes", "3", "--feature_maps", "1"]
    for side in ("train", "val"):
        flags += [f"--{side}_path", str(tmp_path / "x.npy"), f"--{side}_labels_path", str(tmp_path / "y.npy")]
    rows = {}
    for backend in ("reference", "cuda"):
        where = ["--save_path", str(tmp_path / backend), "--backend", backend]
        assert run.main([*flags, *where, "--batch_size", "3", "--max_steps", "1", "--learning_rate", "0.01"]) == 0
        (history,) = (tmp_path / backend).glob("*/history.jsonl")
        rows[backend] = json.loads(history.read_text().splitlines()[-1])
    for figure in ("train_loss", "val_loss", "val_accuracy"):
        assert rows["cuda"][figure] == pytest.approx(rows["reference"][figure], rel=1e-5), figure


@there
def test_clips_go_up_while_kernels_run(monkeypatch):
    """By another thread, on a stream that kernels do not wait for."""
    copied, ways = device_array._copied, []
    monkeypatch.setattr(
        device_array,
        "_copied",
        lambda a, into, copying: ways.append((threading.get_ident(), copying)) or copied(a, into, copying),
    )
    clips = ClipSet("clips", np.zeros((4, *TINY["input_shape"]), np.uint8), np.zeros(4, np.int64), ("a",))
    list(clips.batches(np.arange(4).reshape(2, 2), kernels.edition("cuda"), np.float32))
    assert len(ways) == 2
    assert all(thread != threading.get_ident() and copying is device_array.upload_stream for thread, copying in ways)
    assert device_array.upload_stream() is not stream()


@there
def test_many_clips_go_forward_in_parts(monkeypatch):
    monkeypatch.setattr(sys.modules["kernels.cuda.fused"], "CLIPS_AT_A_TIME", 2)
    nets = [emo.EmoP3D(**TINY, dtype="float64", backend=backend) for backend in ("cuda", "reference")]
    x, _ = batch(nets[0], 5)
    assert np.allclose(nets[0].forward(x), nets[1].forward(x), rtol=0, atol=1e-10)


@there
def test_float_clips_that_are_not_finite(monkeypatch):
    stored = np.zeros((4, *TINY["input_shape"]), np.float32)
    stored[3, 2, 5, 6, 0] = np.nan
    clips = ClipSet("clips", stored, np.zeros(4, np.int64), ("a",))
    batches = clips.batches([np.array([0, 1]), np.array([2, 3])], kernels.edition("cuda"), np.float32, normalized=False)
    next(batches)
    with pytest.raises(InputError, match=r"clips: clip 3 holds nan at \(d, h, w, c\) = \(2, 5, 6, 0\)"):
        next(batches)


BARRIER = "cuda.syncthreads()"


@pytest.mark.skipif(not SIMULATED, reason="the simulator shows it every time, a device might not")
@pytest.mark.parametrize(
    ("module", "name", "places", "settings"),
    [
        (weighted_sum, "weigh_and_sum", (0, 1), LAYERS),
        (weighted_sum, "spread_windows", (0, 1), LAYERS),
        (device_functions, "block_sum", (0, 1, 2), LAYERS),
        (fused, "first_forward", (0, 1), {}),
        (fused, "first_backward", (0, 1, 2), {}),
        (fused, "windows_forward", (0,), {}),
        (fused, "windows_spread", (0, 1), {}),
        (fused_windows, "put_sums", (0, 1), {}),
        (fused_frames_pooling, "put_moments", (0, 1), {}),
        (fused_first_layer, "moments_of_strip", (0,), {}),
        (fused_windows, "moments_of_strip", (1,), {}),  # where a second call follows
    ],
    ids=lambda value: value if isinstance(value, str) else " ",
)
def test_a_planted_missing_barrier_is_found(monkeypatch, module, name, places, settings):
    monkeypatch.setattr(graph, "ENABLED", False)  # it would launch the kernels of an earlier call
    x, labels = batch(emo.EmoP3D(**SMALL, **settings, dtype="float64"), 2)
    right = getattr(module, name)
    function = getattr(right, "make", getattr(right, "function", right))
    expected = emo.EmoP3D(**SMALL, **settings, dtype="float64", backend="reference").loss_and_gradients(x, labels)[1]

    def is_right():
        try:
            net = emo.EmoP3D(**SMALL, **settings, dtype="float64", backend="cuda")
            found = net.loss_and_gradients(x, labels)[1]
        except ValueError:  # the root of a variance below 0
            return False
        return all(np.allclose(found[name], expected[name], rtol=1e-9, atol=1e-12) for name in expected)

    assert is_right()
    for place in places:
        monkeypatch.setattr(module, name, planted(function, BARRIER, "pass", place))
        assert not all(is_right() for _ in range(6)), place  # whoever comes too early is drawn by lot


# --- Wrong use.


@there
def test_arrays_on_two_sides():
    cuda = kernels.edition("cuda")
    dz, m = np.zeros((1, 2, 3, 4, 5)), cuda.to_device(np.zeros((1, 2, 3, 4, 5)))
    with pytest.raises(
        InputError, match=r"on the host: dz \(1, 2, 3, 4, 5\) of 960 bytes; the other arrays are on the"
    ):
        cuda.scale_shift_backward(dz, m, cuda.to_device(np.zeros((1, 3, 4, 5))))


@there
def test_a_numpy_array_for_a_kernel():
    a = memory.memory((5,), np.float64)
    with pytest.raises(
        InputError, match=r"combine works on .*on the host are: b \(5,\) of 40 bytes; kernels.cuda.to_dev"
    ):
        elements.combine.over_elements(5, a, np.zeros(5), 1.0, 1.0, a)


@there
def test_a_gradient_on_the_host_for_parameters_on_the_device():
    net = emo.EmoP3D(**TINY, backend="cuda")
    gradients = {name: np.zeros(values.shape, values.dtype) for name, values in net.parameters.items()}
    with pytest.raises(InputError, match=r"on the host: gradient \(3, 14, 16, 1, 2\) of 5,376 bytes; the other arrays"):
        emo.optimizers.Momentum(0.1).update(net.parameters, gradients)


@there
def test_the_other_editions_read_what_is_on_the_device():
    """The other way round nothing is refused: whatever takes NumPy arrays gets a copy."""
    rng = np.random.default_rng(0)
    z, dy = rng.standard_normal((2, 1, 2, 3, 2, 4))
    on_device = kernels.edition("cuda").to_device(z)
    for name in ("reference", "cpu"):
        edition = kernels.edition(name)
        assert np.array_equal(edition.leaky_relu_backward(dy, on_device), edition.leaky_relu_backward(dy, z))
    w, twin = {"a": z.copy()}, {"a": z.copy()}
    emo.optimizers.GradientDescent(0.5).update(w, {"a": on_device})
    emo.optimizers.GradientDescent(0.5).update(twin, {"a": z})
    assert isinstance(w["a"], np.ndarray)
    assert np.array_equal(w["a"], twin["a"])


@there
def test_a_batch_that_is_too_large(monkeypatch):
    """Refused by the estimate, before anything is launched."""
    net = emo.EmoP3D(**TINY, backend="cuda")
    x, labels = batch(net, 4)
    each = net._fused.bytes_per_clip()
    monkeypatch.setattr(memory, "free_bytes", lambda: 3 * each)
    monkeypatch.setattr(Kernel, "__call__", None)
    with pytest.raises(
        InputError, match=rf"a batch of 4 clips needs {4 * each:,} bytes on the device, {3 * each:,} are"
    ):
        net.training_pass(x, labels, gradients=dict(net.parameters))
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    with pytest.raises(
        InputError, match=r"needs [\d,]+ bytes.*1,000 are free; lower --batch_size; a clip takes [\d,]+$"
    ):
        net.forward(x)


@there
def test_an_array_that_is_too_large(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 100)
    with pytest.raises(InputError, match="this array needs 800 bytes on the device, 100 are free"):
        kernels.edition("cuda").to_device(np.zeros(100))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_estimate_is_what_a_batch_takes(monkeypatch, channels, training):
    """To the byte: the memory that one clip more takes, where there are no more slabs for it."""
    new, taken = memory._new_memory, []
    monkeypatch.setattr(memory, "_new_memory", lambda *like: taken.append(new(*like).nbytes) or new(*like))
    bytes_of = {}
    with recorded():
        net = emo.EmoP3D((9, 30, 28, channels), 2, 3, backend="cuda")
        _, gradients = net.loss_and_gradients(*batch(net, 1))
        for n in (fused.SLABS, fused.SLABS + 1):
            taken.clear()
            if training:
                net.training_pass(*batch(net, n), gradients=gradients)
            else:
                net.forward(batch(net, n)[0])
            bytes_of[n] = sum(taken)
    assert bytes_of[n] - bytes_of[n - 1] == net._fused.bytes_per_clip(training)
