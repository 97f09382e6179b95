"""What a step costs the host: launches, copies and waits are counted; captured launches do what single ones do."""

import gc
import re
import threading
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from conftest import SIMULATED

import emop3d_np as emo
import kernels
from emop3d_np.datasets.clips import ClipSet
from emop3d_np.training.stopping import require_finite
from kernels.cuda import graph, passes, simulator
from kernels.cuda.device_array import DeviceArray, to_device
from kernels.cuda.launch import Kernel

there = pytest.mark.skipif("cuda" not in kernels.EDITIONS, reason="needs a device, or the simulator: make test-cuda")
counted = pytest.mark.skipif(not SIMULATED, reason="the simulator counts, a device does not")

TINY = {"input_shape": (7, 11, 12, 1), "feature_maps": 1, "num_classes": 3}
NOTHING = dict.fromkeys(("launches", "graphs", "up", "down", "synchronisations", "allocations"), 0)
COLUMNS = ("graphs", "launches", "up", "down", "synchronisations", "allocations")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Nothing has failed, and nothing fails unnoticed."""
    monkeypatch.setattr(graph, "failures", [])
    monkeypatch.setattr(passes, "STAGED", 4 * 7 * 11 * 12 * 2)  # of one clip and of two, not of three


class Training:
    """A tiny network in training, on the device."""

    def __init__(self, **settings):
        self.net = emo.EmoP3D(**TINY, **settings, backend="cuda")
        self.optimizer = emo.optimizers.Momentum(0.01)
        self.gradients, self.losses = None, []

    def batch(self, count, seed=0):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((count, *self.net.input_shape)).astype(self.net.dtype)
        return x, rng.integers(0, self.net.num_classes, count)

    def step(self, x, labels):
        loss, self.gradients, logits = self.net.training_pass(x, labels, gradients=self.gradients)
        self.optimizer.update(self.net.parameters, self.gradients)
        self.losses.append(loss)
        return logits


@pytest.fixture
def launches(monkeypatch):
    """The kernels' names, in the order in which they are launched one by one or captured."""
    names, call = [], Kernel.__call__
    monkeypatch.setattr(
        Kernel, "__call__", lambda kernel, *rest, **more: names.append(kernel.name) or call(kernel, *rest, **more)
    )
    return names


def counts(work, *arguments):
    """What ``work`` does, without the bytes."""
    simulator.counts.clear()
    work(*arguments)
    return NOTHING | {name: count for name, count in simulator.counts.items() if "bytes" not in name}


def in_the_page(row):
    """The numbers of a row in the table of ``docs/cuda.md``."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "cuda.md").read_text()
    (cells,) = re.findall(rf"^\| {row} \| (.*) \|$", page, re.MULTILINE)
    return dict(zip(COLUMNS, map(int, cells.split(" | ")), strict=True))


# --- Counted.


@counted
def test_a_step():
    """The third and every later one; the batch is on the device."""
    training = Training()
    x, labels = training.batch(3)
    x = to_device(x)
    for _ in range(2):
        training.step(x, labels)
    for _ in range(2):
        assert counts(training.step, x, labels) == in_the_page("training step, batch on the device")
    assert simulator.counts["bytes up"] == 8 * 3
    assert simulator.counts["bytes down"] == 4 * 3 * (1 + 3 + 1)
    assert not graph.failures


@counted
@pytest.mark.parametrize("count", [1, 3])
def test_a_prediction_of_clips_of_numpy(count):
    net = Training().net
    x, _ = Training().batch(count)
    for _ in range(2):
        net.predict(x)
    assert counts(net.predict, x) == in_the_page("prediction of clips of NumPy")
    assert simulator.counts["bytes up"] == x.nbytes
    assert not graph.failures


@counted
def test_a_step_of_a_run(monkeypatch):
    """From stored bytes, and with a look at everything for NaN: what the loop of run.py does."""
    training, n = Training(), 3
    upload, ready = training.net.kernels.upload, threading.Semaphore(0)
    monkeypatch.setattr(training.net.kernels, "upload", lambda *arrays: (upload(*arrays), ready.release())[0])
    stored = np.random.default_rng(0).integers(0, 256, (4 * n, *training.net.input_shape), np.uint8)
    clips = ClipSet("clips", stored, np.arange(4 * n) % 3, ("a", "b", "c"))
    batches = clips.batches(iter(np.arange(8 * n).reshape(8, n) % (4 * n)), training.net.kernels, training.net.dtype)

    def step():
        x, labels = next(batches)
        assert isinstance(x, DeviceArray)
        training.step(x, labels)
        require_finite(training.net, x, training.losses[-1], training.gradients, 1, None)
        ready.acquire()  # the next batch is there: what its thread does is counted to this step

    step()
    ready.acquire()  # of the first two batches
    for _ in range(3):
        step()
    assert counts(step) == in_the_page("the same in run.py, clips from a file of bytes")
    flags = 4 * 2 * 2  # two blocks, parameters and gradients
    assert simulator.counts["bytes down"] == 4 * n * (1 + 3 + 1) + flags


@counted
def test_an_update_is_one_launch(launches):
    training = Training()
    for rule, names in {
        "GradientDescent": ["gradient_descent"],
        "Adam": ["adam"],
        "AdamW": 4 * ["combine"] + ["adam"],
    }.items():
        optimizer = getattr(emo.optimizers, rule)(0.1)
        for _ in range(2):
            launches.clear()
            optimizer.update(training.net.parameters, training.net.parameters)
        assert launches == names


# --- What is captured.


@there
@pytest.mark.parametrize(("dtype", "channels"), [("float32", 1), ("float64", 2)])
def test_captured_steps_are_the_steps(monkeypatch, launches, dtype, channels):
    """To the bit, of clips that change in their place, and of labels."""
    monkeypatch.setitem(TINY, "input_shape", (7, 11, 12, channels))
    found = {}
    for enabled in (True, False):
        monkeypatch.setattr(graph, "ENABLED", enabled)
        training = Training(dtype=dtype)
        x = to_device(training.batch(2)[0])
        for step in range(4):
            clips, labels = training.batch(2, seed=step)
            x[...] = clips
            launches.clear()
            logits = training.step(x, labels)
            assert (launches == ["momentum"]) == (enabled and step > 1)
            found.setdefault(step, []).append(
                (training.losses[-1], logits, {name: np.array(values) for name, values in training.gradients.items()})
            )
        assert not graph.failures
    for graphed, plain in found.values():
        assert graphed[0] == plain[0]
        assert np.array_equal(graphed[1], plain[1])
        assert all(np.array_equal(values, plain[2][name]) for name, values in graphed[2].items())


@there
def test_each_place_of_clips_has_a_graph(monkeypatch, launches):
    """As far as they go: of more places than graphs, none is captured."""
    monkeypatch.setattr(passes, "GRAPHS", 2)
    training = Training()
    x, labels = training.batch(1)
    for places, captured in ((passes.GRAPHS, True), (passes.GRAPHS + 1, False)):
        all_clips = [to_device(x + place) for place in range(places)]
        for _ in range(2):
            for clips in all_clips:
                training.step(clips, labels)
        for clips in all_clips:
            launches.clear()
            training.step(clips, labels)
            assert (launches == ["momentum"]) == captured
    assert not graph.failures


@counted
def test_graphs_go_with_the_memory_they_write_to():
    gc.collect()
    before, captured = len(simulator.driver.executables), len(simulator.driver.graphs)
    training = Training()
    for count in (1, 1, 2, 2):
        training.step(*training.batch(count))
    gc.collect()
    assert len(simulator.driver.executables) == before + 1
    assert len(simulator.driver.graphs) == captured
    del training
    gc.collect()
    assert len(simulator.driver.executables) == before


@there
def test_two_sizes_of_forward_passes_take_turns(monkeypatch, launches):
    """All clips of a set in parts, the last of them smaller."""
    monkeypatch.setattr(import_module("kernels.cuda.fused"), "CLIPS_AT_A_TIME", 2)
    net, (x, _) = Training().net, Training().batch(3)
    expected = emo.EmoP3D(**TINY, backend="reference").forward(x)
    for _ in range(3):
        launches.clear()
        assert np.allclose(net.forward(x), expected, rtol=1e-4, atol=1e-5)
    assert not launches


# --- Where it does not work.


@there
@pytest.mark.parametrize("name", ["cuStreamBeginCapture", "cuStreamEndCapture", "cuGraphInstantiate", "cuGraphLaunch"])
def test_a_driver_that_refuses(monkeypatch, launches, name):
    """Launches go on one by one, and it is not asked again."""
    asked, function = [], getattr(graph._driver(), name)

    def refuse(*arguments):
        answer = function(*arguments) if name == "cuStreamEndCapture" else (None, None)
        asked.append(name)
        return (801, *answer[1:])

    monkeypatch.setattr(graph._driver(), name, refuse)
    training, alone = Training(), Training()
    x, labels = training.batch(1)
    for _ in range(3):
        training.step(x, labels)
    assert asked == [name]
    assert graph.failures == [f"{name} returns 801"]
    assert launches.count("momentum") == launches.count("collect") - (name != "cuStreamBeginCapture") == 3
    monkeypatch.setattr(graph, "ENABLED", False)
    for _ in range(3):
        alone.step(x, labels)
    assert training.losses == alone.losses


@there
def test_no_bindings(monkeypatch):
    monkeypatch.setattr(graph, "_driver", lambda: None)
    training = Training()
    for _ in range(3):
        training.step(*training.batch(1))
    assert len(set(training.losses)) == 3
    assert not graph.failures


@counted
@pytest.mark.parametrize("planted", ["np.asarray(logits)", "finish()", "a new array"])
def test_what_cannot_be_captured_is_not(monkeypatch, planted):
    """A copy, a wait or new memory among the launches: the results stay right."""
    training, alone = Training(), Training()
    x, labels = training.batch(1)
    work = training.net._fused._training_pass
    others = {
        "np.asarray(logits)": lambda results: np.asarray(DeviceArray(results[1])),
        "finish()": lambda results: kernels.edition("cuda").finish(),
        "a new array": lambda results: simulator.cuda.device_array(3, np.float32),
    }

    def and_more(*arguments):
        results = work(*arguments)
        others[planted](results)
        return results

    monkeypatch.setattr(training.net._fused, "_training_pass", and_more)
    for _ in range(3):
        training.step(x, labels)
    assert "while launches are captured" in graph.failures[0]
    monkeypatch.setattr(graph, "ENABLED", False)
    for _ in range(3):
        alone.step(x, labels)
    assert training.losses == alone.losses


@pytest.mark.ptx
def test_the_bindings_take_these_handles():
    """They look at their arguments first; then they refuse, for want of a driver, or of a stream with the number 0."""
    driver = pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings is not here; make test-ptx has it")
    stream, captured, executable = driver.CUstream(0), driver.CUgraph(0), driver.CUgraphExec(0)
    for name, arguments in {
        "cuStreamBeginCapture": (stream, driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED),
        "cuStreamEndCapture": (stream,),
        "cuGraphInstantiate": (captured, 0),
        "cuGraphLaunch": (executable, stream),
        "cuGraphDestroy": (captured,),
        "cuGraphExecDestroy": (executable,),
    }.items():
        with pytest.raises(TypeError):
            getattr(driver, name)("a name", *arguments[1:])
        try:
            answer = getattr(driver, name)(*arguments)
        except Exception as error:
            answer = (error,)
        assert not isinstance(answer[0], TypeError), name
        assert isinstance(answer[0], Exception) or int(answer[0]), name
