"""The fast edition: the functions of ``kernels.reference`` in Numba, on all cores, float32 and float64.

Every parallel loop gives each output cell one owner that adds in a fixed order: no races, and the same bits
whatever the number of threads.
"""

from ..contracts import checked
from ..operations import operations_of
from .affine import affine as _affine
from .block_means import block_means as _block_means

_operations = operations_of(__name__)
globals().update(_operations)  # after all imports: a function, not the file of its name, is what the edition offers
affine = checked("affine", _affine)
block_means = checked("block_means", _block_means)
__all__ = list(_operations)
