"""The edition for NVIDIA devices: the functions of ``kernels.reference`` through numba.cuda, float32 and float64.

NumPy arrays are copied to the device and results back; with arrays of :func:`to_device` everything stays there.  Every
sum has one owner that adds in a fixed order: no atomics, and the same bits every run.  Where a kernel had other
versions, the head of its file lists them and says why the last one is kept; the others have had one.
"""

from ..operations import operations_of
from .device_array import to_device as to_device
from .device_array import upload as upload
from .launch import finish as finish
from .memory import pinned as pinned
from .row import in_one_row as in_one_row

_operations = operations_of(__name__)
globals().update(_operations)  # after all imports: a function, not the file of its name, is what the edition offers
__all__ = list(_operations)
