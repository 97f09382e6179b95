"""The fully connected layer that ends the pyramid."""

from ..arrays import FloatArray


def dense(a: FloatArray, weights: FloatArray, bias: FloatArray) -> FloatArray:
    """``y = a W + b``.

    Args:
        a: ndarray of shape (n, j), the features of a sample in ``(d, h, w, f)`` order.
        weights: ndarray of shape (j, k).
        bias: ndarray of shape (k,).

    Returns:
        ndarray ``y`` of shape (n, k).
    """
    return a @ weights + bias


def dense_backward(dy: FloatArray, a: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gradients of :func:`dense`: ``da`` (n, j), ``dweights`` (j, k), ``dbias`` (k,), given ``dy`` of shape (n, k)."""
    # y[n,k] = sum_j a[n,j] W[j,k] + b[k]
    return dy @ weights.T, a.T @ dy, dy.sum(axis=0)
