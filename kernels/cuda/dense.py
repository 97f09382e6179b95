"""The fully connected layer.

Weights are given to the kernels by class, (k, j).  A sum over features is made by one block, a sum over classes or
samples by one thread.
"""

from ..arrays import FloatArray
from .device_array import DeviceArray, operation
from .device_functions import block_sum, cell, tiles
from .elements import sum_slabs
from .launch import LAUNCH, MOST_THREADS, kernel
from .memory import memory
from .planes import parameter, parameter_planes
from .target import cuda


@operation(arrays=3)
def dense(a: DeviceArray, weights: DeviceArray, bias: DeviceArray) -> DeviceArray:
    """As ``kernels.reference.dense``."""
    n, k = len(a), len(bias)
    y = DeviceArray.empty((n, k), a.dtype)
    weigh_features(n * k, LAUNCH.threads, a.data, parameter_planes(weights, 1), bias.data, y.data)
    return y


@operation(arrays=3)
def dense_backward(
    dy: DeviceArray, a: DeviceArray, weights: DeviceArray
) -> tuple[DeviceArray, DeviceArray, DeviceArray]:
    """As ``kernels.reference.dense_backward``."""
    (n, j), k = a.shape, dy.shape[1]
    da, dbias = DeviceArray.empty((n, j), a.dtype), DeviceArray.empty((k,), a.dtype)
    dweights = memory((k, j), a.dtype)
    features_backward.over_tiles(1, n, j, dy.data, parameter_planes(weights, 1), da.data)
    weights_backward.over_tiles(1, k, j, dy.data, a.data, dweights)
    sum_slabs.over_elements(k, dy.data, dbias.data)
    return da, parameter(dweights, (j, k), 1), dbias


@kernel("y")
def weigh_features(a: FloatArray, weights: FloatArray, bias: FloatArray, y: FloatArray) -> None:
    """``y[n,k] = sum_j a[n,j] W[j,k] + b[k]``."""
    shared = cuda.shared.array(MOST_THREADS, dtype=a.dtype)
    samples, classes = y.shape
    features = a.shape[1]
    for task in range(cuda.blockIdx.x, samples * classes, cuda.gridDim.x):
        k, n = task % classes, task // classes
        total = a.dtype.type(0)
        for j in range(cuda.threadIdx.x, features, cuda.blockDim.x):
            total += a[n, j] * weights[k, j]
        total = block_sum(shared, cuda.threadIdx.x, cuda.blockDim.x, total)
        if cuda.threadIdx.x == 0:
            y[n, k] = total + bias[k]


@kernel("da")
def features_backward(dy: FloatArray, weights: FloatArray, da: FloatArray) -> None:
    samples, features = da.shape
    classes = dy.shape[1]
    for task in range(cuda.blockIdx.x, tiles(samples, features), cuda.gridDim.x):
        _, n, j = cell(task, samples, features)
        if n < samples and j < features:
            # y[n,k] = sum_j a[n,j] W[j,k] + b[k]
            total = da.dtype.type(0)
            for k in range(classes):
                total += dy[n, k] * weights[k, j]
            da[n, j] = total


@kernel("dweights")
def weights_backward(dy: FloatArray, a: FloatArray, dweights: FloatArray) -> None:
    """``dW[j,k] = sum_n a[n,j] dy[n,k]``: one owner a cell."""
    classes, features = dweights.shape
    samples = dy.shape[0]
    for task in range(cuda.blockIdx.x, tiles(classes, features), cuda.gridDim.x):
        _, k, j = cell(task, classes, features)
        if k < classes and j < features:
            total = dweights.dtype.type(0)
            for n in range(samples):
                total += a[n, j] * dy[n, k]
            dweights[k, j] = total
