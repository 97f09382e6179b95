"""What does not fit into memory is refused before it is begun; a training step makes no large arrays."""

import tracemalloc

import numpy as np
import pytest
from conftest import JIT

import emop3d_np as emo
from emop3d_np import memory
from emop3d_np.datasets.clips import ClipSet
from emop3d_np.errors import InputError
from emop3d_np.training import building, stopping
from emop3d_np.training.flags import merge


@pytest.fixture
def free(monkeypatch):
    """Sets how many bytes are free."""
    return lambda count: monkeypatch.setattr(memory, "free_bytes", lambda: count)


@pytest.fixture
def system(monkeypatch, tmp_path):
    """What the system's files say, by path; others are missing."""

    def set_up(**texts):
        monkeypatch.setattr(memory, "_read", lambda path: texts.get(path.split("/")[-1].replace(".", "_"), ""))

    return set_up


def test_free_bytes_of_a_machine_and_of_a_container(system):
    system(meminfo="MemTotal: 9 kB\nMemAvailable:   2000 kB\n")
    assert memory.free_bytes() == 2_048_000
    system(meminfo="MemAvailable: 2000 kB\n", memory_max="max\n", memory_current="7\n")
    assert memory.free_bytes() == 2_048_000
    system(meminfo="MemAvailable: 2000 kB\n", memory_max="1000\n", memory_current="300\n")
    assert memory.free_bytes() == 700
    system()
    assert memory.free_bytes() == float("inf")


def test_networks_that_do_not_fit(free):
    free(100_000_000)
    emo.EmoP3D(backend="reference")
    with pytest.raises(InputError, match=r"for clips of 16x4000x4000x1 needs [\d,]+ bytes .* 100,000,000 are"):
        emo.EmoP3D((16, 4000, 4000, 1), backend="reference")


def test_clips_that_do_not_fit(free):
    net = emo.EmoP3D((8, 14, 14, 1), 2, 3, backend="reference")
    x = np.zeros((3, 8, 14, 14, 1), np.float32)
    free(3 * 8 * 14 * 14 * 4 - 1)
    net.forward(x)  # nothing is copied
    with pytest.raises(InputError, match=r"a copy of 3 clips as float32 needs 18,816 bytes .* 18,815 .* fewer clips"):
        net.forward(x.astype(np.uint8))
    with pytest.raises(InputError, match="the gradient by 3 clips needs 18,816 bytes"):
        net.loss_and_gradients(x, [0, 1, 2], input_gradient=True)


def test_batches_that_do_not_fit(free):
    clips = ClipSet("mine", np.zeros((50, 8, 14, 14, 1), np.uint8), np.zeros(50, np.int64), "abc")
    settings = merge({"batch_size": 20})
    free(20 * 8 * 14 * 14 * (1 + 1 + 4))
    building.require_batch(settings, clips)
    free(20 * 8 * 14 * 14 * (1 + 1 + 4) - 1)
    with pytest.raises(InputError, match=r"--batch_size 20 of mine needs 188,160 bytes .* lower --batch_size"):
        building.require_batch(settings, clips)


@pytest.mark.skipif(not JIT, reason="interpreted kernels make arrays")
@pytest.mark.parametrize("rule", [emo.optimizers.GradientDescent, emo.optimizers.Momentum, emo.optimizers.Adam])
def test_a_step_makes_no_large_arrays(rule):
    """With half a million parameters and 20 clips of 200 KB, what is new in a step is its logits and some numbers."""
    net, optimizer, gradients = emo.EmoP3D((8, 80, 80, 1)), rule(1e-6), None
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((20, *net.input_shape), np.float32), rng.integers(0, 6, 20)

    def step():
        nonlocal gradients
        loss, gradients, _ = net.training_pass(x, labels, 0.01, gradients=gradients)
        stopping.require_finite(net, x, loss, gradients, 1, None)
        optimizer.update(net.parameters, gradients)

    step()
    step()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        step()
        after, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    assert most - before < 200_000  # a part at a time is summed in float64
