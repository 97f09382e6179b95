"""What kernels call: sums over the threads of a block, and which cell of which plane is a thread's own."""

from typing import Any

from ..arrays import FloatArray
from .launch import inline
from .target import cuda


@inline
def block_sum(shared: FloatArray, thread: int, threads: int, value: float) -> float:
    """Sum of ``value`` over the threads of a block, returned to all of them; pairs are added in a fixed order.

    ``shared`` has room for a number per thread; this is number ``thread`` of ``threads``.
    """
    shared[thread] = value
    cuda.syncthreads()
    count = threads
    while count > 1:
        half = (count + 1) // 2
        if thread < count - half:
            shared[thread] += shared[thread + half]
        cuda.syncthreads()
        count = half
    total = shared[0]
    cuda.syncthreads()
    return total


@inline
def tiles(rows: int, columns: int) -> int:
    """How many tiles of a block's size cover a plane."""
    return ((rows + cuda.blockDim.y - 1) // cuda.blockDim.y) * ((columns + cuda.blockDim.x - 1) // cuda.blockDim.x)


@inline
def cell(task: int, rows: int, columns: int) -> tuple[int, int, int]:
    """This thread's plane, row and column in tile ``task``; row and column may be beyond the plane."""
    across = (columns + cuda.blockDim.x - 1) // cuda.blockDim.x
    down = (rows + cuda.blockDim.y - 1) // cuda.blockDim.y
    row = task // across % down * cuda.blockDim.y + cuda.threadIdx.y
    return task // (across * down), row, task % across * cuda.blockDim.x + cuda.threadIdx.x


@inline
def sum_over_block(shared: FloatArray, value: float) -> float:
    """:func:`block_sum` of a block of columns and rows."""
    thread = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    return block_sum(shared, thread, cuda.blockDim.x * cuda.blockDim.y, value)


@inline
def least(a: Any, b: Any) -> Any:
    """``min(a, b)``, which Numba's own target does not compile any more."""
    return b if b < a else a


@inline
def most(a: Any, b: Any) -> Any:
    """``max(a, b)``, which Numba's own target does not compile any more."""
    return b if b > a else a
