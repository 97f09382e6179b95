"""The fully connected layer.

Features come in ``g`` groups of ``j`` each and weights as (g, k, j): a group is the planes of one map, or all features.
A sum over features is made by one block, a sum over classes or samples by one thread.
"""

from ..arrays import FloatArray
from .device_array import DeviceArray, operation
from .device_functions import block_sum, cell, tiles
from .elements import sum_slabs
from .launch import LAUNCH, MOST_THREADS, kernel
from .memory import Memory, memory
from .planes import parameter, parameter_planes
from .target import cuda


@operation(arrays=3)
def dense(a: DeviceArray, weights: DeviceArray, bias: DeviceArray) -> DeviceArray:
    """As ``kernels.reference.dense``."""
    (n, j), k = a.shape, len(bias)
    y = DeviceArray.empty((n, k), a.dtype)
    weigh_features(n * k, LAUNCH.threads, a.data.reshape((n, 1, j)), _by_class(weights), bias.data, y.data)
    return y


@operation(arrays=3)
def dense_backward(
    dy: DeviceArray, a: DeviceArray, weights: DeviceArray
) -> tuple[DeviceArray, DeviceArray, DeviceArray]:
    """As ``kernels.reference.dense_backward``."""
    (n, j), k = a.shape, dy.shape[1]
    da, dbias = DeviceArray.empty((n, j), a.dtype), DeviceArray.empty((k,), a.dtype)
    dweights = memory((1, k, j), a.dtype)
    features_backward.over_tiles(1, n, j, dy.data, _by_class(weights), da.data.reshape((n, 1, j)))
    weights_backward.over_tiles(1, k, j, dy.data, a.data.reshape((n, 1, j)), dweights)
    sum_slabs.over_elements(k, dy.data, dbias.data)
    return da, parameter(dweights.reshape((k, j)), (j, k), 1), dbias


def _by_class(weights: DeviceArray) -> Memory:
    """(j, k) as one group of features, (1, k, j)."""
    j, k = weights.shape
    return parameter_planes(weights, 1).reshape((1, k, j))


@kernel("y")
def weigh_features(a: FloatArray, weights: FloatArray, bias: FloatArray, y: FloatArray) -> None:
    """``y[n,k] = sum_j a[n,j] W[j,k] + b[k]``."""
    shared = cuda.shared.array(MOST_THREADS, dtype=a.dtype)
    samples, classes = y.shape
    groups, features = a.shape[1], a.shape[2]
    for task in range(cuda.blockIdx.x, samples * classes, cuda.gridDim.x):
        k, n = task % classes, task // classes
        total = a.dtype.type(0)
        for g in range(groups):
            for j in range(cuda.threadIdx.x, features, cuda.blockDim.x):
                total += a[n, g, j] * weights[g, k, j]
        total = block_sum(shared, cuda.threadIdx.x, cuda.blockDim.x, total)
        if cuda.threadIdx.x == 0:
            y[n, k] = total + bias[k]


@kernel("da")
def features_backward(dy: FloatArray, weights: FloatArray, da: FloatArray) -> None:
    samples, groups, features = da.shape
    classes = dy.shape[1]
    for task in range(cuda.blockIdx.x, groups * tiles(samples, features), cuda.gridDim.x):
        g, n, j = cell(task, samples, features)
        if n < samples and j < features:
            # y[n,k] = sum_j a[n,j] W[j,k] + b[k]
            total = da.dtype.type(0)
            for k in range(classes):
                total += dy[n, k] * weights[g, k, j]
            da[n, g, j] = total


@kernel("dweights")
def weights_backward(dy: FloatArray, a: FloatArray, dweights: FloatArray) -> None:
    """``dW[j,k] = sum_n a[n,j] dy[n,k]``: one owner a cell."""
    groups, classes, features = dweights.shape
    samples = dy.shape[0]
    for task in range(cuda.blockIdx.x, groups * tiles(classes, features), cuda.gridDim.x):
        g, k, j = cell(task, classes, features)
        if k < classes and j < features:
            total = dweights.dtype.type(0)
            for n in range(samples):
                total += a[n, g, j] * dy[n, k]
            dweights[g, k, j] = total
