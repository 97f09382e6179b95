"""Leaky ReLU, element by element."""

from ..arrays import FloatArray
from ..reference.leaky_relu import ALPHA
from .device_array import DeviceArray, operation
from .launch import kernel
from .target import cuda


@operation(arrays=1)
def leaky_relu(z: DeviceArray, alpha: float = ALPHA) -> DeviceArray:
    """As ``kernels.reference.leaky_relu``."""
    y = DeviceArray.empty(z.shape, z.dtype)
    activate.over_elements(z.size, z.row, z.dtype.type(alpha), y.row)
    return y


@operation(arrays=2)
def leaky_relu_backward(dy: DeviceArray, z: DeviceArray, alpha: float = ALPHA) -> DeviceArray:
    """As ``kernels.reference.leaky_relu_backward``."""
    dz = DeviceArray.empty(z.shape, z.dtype)
    activate_backward.over_elements(z.size, dy.row, z.row, z.dtype.type(alpha), dz.row)
    return dz


@kernel("y")
def activate(z: FloatArray, alpha: float, y: FloatArray) -> None:
    zero = y.dtype.type(0)
    for q in range(cuda.grid(1), z.size, cuda.gridsize(1)):
        # y = max(alpha z, z)
        y[q] = z[q] if z[q] > zero else alpha * z[q]


@kernel("dz")
def activate_backward(dy: FloatArray, z: FloatArray, alpha: float, dz: FloatArray) -> None:
    zero = z.dtype.type(0)
    for q in range(cuda.grid(1), z.size, cuda.gridsize(1)):
        # y = max(alpha z, z): slope 1 above zero, alpha at and below it
        dz[q] = dy[q] if z[q] > zero else alpha * dy[q]
