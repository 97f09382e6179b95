"""Parts of the fused passes by themselves; what they compute together is tested in ``tests/test_network.py``."""

import numpy as np
import pytest
from conftest import JIT, as_compiled

import emop3d_np as emo
from kernels.cpu import fused
from kernels.cpu import fused_layout as layout
from kernels.cpu.fused_normalization import mean_and_scale

interpreted = pytest.mark.skipif(JIT, reason="compiled, it is called by compiled code only")


@interpreted
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("frames", [7, 8])
def test_arrays_of_a_record_share_no_memory(frames, dtype):
    """And each begins a line of the cache, wherever the memory is that the system gives."""
    plan = layout.plan_of(frames, 14, 15, 2, 3, 17)
    line = layout.LINE * np.dtype(dtype).itemsize
    memory = []
    for places, record_in in [
        (plan.parameters, layout.parameters_in),
        (plan.kept, layout.kept_in),
        (plan.scratch, layout.scratch_in),
    ]:
        for rows in range(1, 9):
            memory.append(layout.aligned(places, dtype, rows))
            for row in memory[-1]:
                record = record_in(row, places)
                assert all(array.ctypes.data % line == 0 for array in record)
                for number, array in enumerate(record):
                    array[...] = number
                assert all(np.all(array == number) for number, array in enumerate(record))


@interpreted
@pytest.mark.parametrize("value", [1e30, -1e30, np.inf, np.nan])
def test_the_rest_of_rows_is_not_in_the_moments(value, rng):
    rows = rng.standard_normal((6, 9)) + 100
    rows[:, 6:] = value
    mean, scale = mean_and_scale(rows.reshape(-1), 9, 3)
    outputs = rows[:, :6]
    assert np.isclose(mean, outputs.mean(), rtol=1e-14)
    assert np.isclose(scale, 1 / np.sqrt(outputs.var() + 1e-8), rtol=1e-12)
    assert np.abs(rows[:, 6:] - 100).max() < 10, "it is overwritten"


@interpreted
@as_compiled
@pytest.mark.parametrize("noise", [1.0, 3e-7])
def test_moments_of_large_values(noise, rng):
    """Their squares, too large for float32, are summed in float64; an offset of 3e6 times the noise is no harm."""
    rows = (1e30 * (1 + noise * rng.standard_normal((6, 9)))).astype(np.float32)
    outputs = rows[:, :6].astype(np.float64)
    rows[:, 6:] = np.nan
    mean, scale = mean_and_scale(rows.reshape(-1), 9, 3)
    assert mean.dtype == scale.dtype == np.float32
    assert np.isclose(mean, outputs.mean(), rtol=1e-7)
    assert np.isclose(scale, 1 / outputs.std(), rtol=1e-7, atol=0)


@interpreted
@as_compiled
@pytest.mark.parametrize(
    ("dtype", "value"), [(np.float32, np.nan), (np.float32, np.inf), (np.float64, -np.inf), (np.float64, 1e300)]
)
def test_a_plane_without_moments(dtype, value, rng):
    rows = rng.standard_normal((6, 9)).astype(dtype)
    rows[3, 2] = value
    assert mean_and_scale(rows.reshape(-1), 9, 3) == (0, 0)


def test_parameters_after_an_interrupted_pass(monkeypatch, rng):
    """Ctrl-C while new parameters are put in order: the old ones, put back, are not taken for seen."""
    net = emo.EmoP3D(input_shape=(7, 11, 11, 1), feature_maps=2, num_classes=3)
    x, old = rng.standard_normal((2, *net.input_shape)).astype(np.float32), net.parameters["L1WS/bias"].copy()
    expected = net.forward(x)

    def interrupted(*arguments):
        arguments[-1][...] = 7
        raise KeyboardInterrupt

    net.parameters["L1WS/bias"] += 1
    with monkeypatch.context() as patch:
        patch.setattr(fused, "pack", interrupted)
        with pytest.raises(KeyboardInterrupt):
            net.forward(x)
    net.parameters["L1WS/bias"][...] = old
    assert np.array_equal(net.forward(x), expected)
