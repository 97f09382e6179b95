"""The weights of the pooling layer: a factor per position, a shift per frame."""

from ..arrays import FloatArray


def scale_shift(m: FloatArray, weights: FloatArray, bias: FloatArray) -> FloatArray:
    """``z[n,d,h,w,f] = m[n,d,h,w,f] * w[0,h,w,f] + b[d,0,0,f]``.

    Args:
        m: ndarray of shape (n, d, h, w, f), the pooled maps.
        weights: ndarray of shape (1, h, w, f).
        bias: ndarray of shape (d, 1, 1, f).

    Returns:
        ndarray ``z`` of the shape of ``m``.

    Source: the last lines of ``pool3d_layer`` of the original.
    """
    return m * weights + bias


def scale_shift_backward(
    dz: FloatArray, m: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gradients of :func:`scale_shift`: ``dm, dweights, dbias`` of their shapes, given ``dz`` of the shape of ``m``."""
    # z[n,d,h,w,f] = m[n,d,h,w,f] w[0,h,w,f] + b[d,0,0,f]
    dm = dz * weights
    dweights = (dz * m).sum(axis=(0, 1))[None]
    dbias = dz.sum(axis=(0, 2, 3))[:, None, None]
    return dm, dweights, dbias
