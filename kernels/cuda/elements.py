"""Kernels over arrays as one row of elements: fill, combine, add up, look for what is not finite.

One thread per element: neighbouring threads touch neighbouring numbers.
"""

from ..arrays import FloatArray, IntArray
from .device_functions import block_sum
from .launch import MOST_THREADS, kernel
from .target import cuda


@kernel("a")
def fill(value: float, a: FloatArray) -> None:
    for q in range(cuda.grid(1), a.size, cuda.gridsize(1)):
        a[q] = value


@kernel("out")
def combine(a: FloatArray, b: FloatArray, of_a: float, of_b: float, out: FloatArray) -> None:
    """``out = of_a a + of_b b``; ``out`` may be ``a`` or ``b``."""
    for q in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[q] = of_a * a[q] + of_b * b[q]


@kernel("out")
def sum_slabs(slabs: FloatArray, out: FloatArray) -> None:
    """``out[q] = slabs[0, q] + slabs[1, q] + ...``: one owner a cell, in the order of the slabs."""
    count, size = slabs.shape
    for q in range(cuda.grid(1), size, cuda.gridsize(1)):
        total = slabs[0, q]
        for slab in range(1, count):
            total += slabs[slab, q]
        out[q] = total


@kernel("sums")
def square_sums(a: FloatArray, sums: FloatArray) -> None:
    """``sums[block]``: the sum of squares of the elements that the block visits."""
    shared = cuda.shared.array(MOST_THREADS, dtype=a.dtype)
    total = a.dtype.type(0)
    for q in range(cuda.grid(1), a.size, cuda.gridsize(1)):
        total += a[q] * a[q]
    total = block_sum(shared, cuda.threadIdx.x, cuda.blockDim.x, total)
    if cuda.threadIdx.x == 0:
        sums[cuda.blockIdx.x] = total


@kernel("found")
def find_non_finite(a: FloatArray, found: IntArray) -> None:
    """``found[block]``: whether the block saw a NaN or an infinity."""
    zero = a.dtype.type(0)
    seen = 0
    for q in range(cuda.grid(1), a.size, cuda.gridsize(1)):
        # inf - inf and nan - nan are NaN, which equals nothing
        seen = seen if a[q] - a[q] == zero else 1
    seen = cuda.syncthreads_or(seen)
    if cuda.threadIdx.x == 0:
        found[cuda.blockIdx.x] = seen
