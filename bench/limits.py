"""What this machine can do at most: memory, cache, arithmetic; measured, not looked up."""

import numba
import numpy as np
from timing import median_seconds

FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}


@numba.njit(parallel=True, fastmath=FASTMATH)
def _read(values, times):
    """Sum of each thread's part of ``values``, read ``times`` times."""
    threads = numba.get_num_threads()
    length = values.size // threads
    sums = np.zeros((threads, 16), np.float32)
    for thread in numba.prange(threads):
        for _ in range(times):
            sums[thread, 0] += _sum(values[thread * length : (thread + 1) * length])
    return sums


@numba.njit(fastmath=FASTMATH)
def _sum(values):
    total = np.float32(0)
    for i in range(values.size):
        total += values[i]
    return total


@numba.njit(parallel=True, fastmath=FASTMATH)
def _triad(a, b, c):
    for i in numba.prange(a.size):
        a[i] = b[i] + np.float32(3) * c[i]


def measure(threads):
    """GB/s and GFLOP/s of ``threads`` threads: a dict."""
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    large = np.ones(64_000_000, np.float32)
    small = np.ones(96_000 * threads, np.float32)
    three = [np.ones(24_000_000, np.float32) for _ in range(3)]
    n = 2048
    a, b = np.ones((n, n), np.float32), np.ones((n, n), np.float32)
    out = np.empty((n, n), np.float32)
    result = {
        "memory_read": large.nbytes / median_seconds(lambda: _read(large, 1), 5) / 1e9,
        "memory_triad": 3 * three[0].nbytes / median_seconds(lambda: _triad(*three), 5) / 1e9,
        "cache_read": 200 * small.nbytes / median_seconds(lambda: _read(small, 200), 5) / 1e9,
    }
    with _blas_threads(threads):
        result["sgemm"] = 2 * n**3 / median_seconds(lambda: np.matmul(a, b, out=out), 5) / 1e9
    numba.set_num_threads(before)
    return result


def _blas_threads(count):
    from threadpoolctl import threadpool_limits  # of the extra 'dev'

    return threadpool_limits(count)
