"""Parts of the fused passes by themselves; what they compute together is tested in ``tests/test_network.py``."""

import numpy as np
import pytest
from conftest import JIT

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
