"""The readable edition: each equation in a line or two of NumPy, any shape, float32 and float64."""

from ..contracts import checked
from ..operations import operations_of
from .affine import affine as _affine
from .block_means import block_means as _block_means

_operations = operations_of(__name__)
globals().update(_operations)  # after all imports: a function, not the file of its name, is what the edition offers
affine = checked("affine", _affine, True)
block_means = checked("block_means", _block_means, True)
__all__ = list(_operations)
