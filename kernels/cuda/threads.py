"""What the threads of a block do together, and what all of them need."""

from .launch import inline
from .target import cuda


@inline
def block_sum(shared, thread, threads, value):
    """Sum of ``value`` over the threads of a block, for all of them to have; pairs in a fixed order."""
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
def tiles(rows, columns):
    """How many tiles of a block's size cover a plane."""
    return ((rows + cuda.blockDim.y - 1) // cuda.blockDim.y) * ((columns + cuda.blockDim.x - 1) // cuda.blockDim.x)


@inline
def cell(task, rows, columns):
    """This thread's cell in tile ``task``: plane, row, column; the last two may be beyond the plane."""
    across = (columns + cuda.blockDim.x - 1) // cuda.blockDim.x
    down = (rows + cuda.blockDim.y - 1) // cuda.blockDim.y
    row = task // across % down * cuda.blockDim.y + cuda.threadIdx.y
    return task // (across * down), row, task % across * cuda.blockDim.x + cuda.threadIdx.x


@inline
def sum_over_block(shared, value):
    """:func:`block_sum` of a block of columns and rows."""
    thread = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    return block_sum(shared, thread, cuda.blockDim.x * cuda.blockDim.y, value)


@inline
def least(a, b):
    """``min(a, b)``, which Numba's own target does not compile any more."""
    return b if b < a else a


@inline
def most(a, b):
    """``max(a, b)``, likewise."""
    return b if b > a else a
