"""Weighted sum 3D, the pyramidal correlation of 3DPyraNet: every input position has its own weight."""

import numpy as np

from ..arrays import FloatArray


def weighted_sum(
    x: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    receptive_field: tuple[int, int, int],
    strides: tuple[int, int, int],
) -> FloatArray:
    """Sum each window of ``x``, every position times its own weight, and add the bias.

    ``z[n,d',h',w',f] = b[d',h',w',f] + sum_{i<rd, j<rh, k<rw, c} x[n, sd*d'+i, sh*h'+j, sw*w'+k, c]
    * W[i, sh*h'+j, sw*w'+k, c, f]``.  The weight belongs to the input position and not to the window, so the
    product comes first and the window is a plain box sum of it.

    Args:
        x: ndarray of shape (n, d, h, w, c).
        weights: ndarray of shape (rd, h, w, c, f), shared over time and not over space.
        bias: ndarray of shape (d', h', w', f); its shape gives the output's.
        receptive_field: ``(rd, rh, rw)``, frames, rows and columns that one output sees.
        strides: ``(sd, sh, sw)``, steps between neighbouring windows.

    Returns:
        ndarray ``z`` of shape (n, d', h', w', f), before the activation.

    Source: ``ws3d_layer`` of the original.  It counts frames by rounding ``(d - rd + 1) / sd``; the bias given here
    counts them by the ceiling that "VALID" means, which differs only for ``sd > 1``.
    """
    frames_out, rows_out, columns_out, _ = bias.shape
    # P[n,d',h,w,f] = sum_{i,c} x[n, sd*d'+i, h, w, c] W[i,h,w,c,f]
    p = sum(
        np.einsum("ndhwc,hwcf->ndhwf", x[:, _window_starts(i, strides[0], frames_out)], w)
        for i, w in enumerate(weights)
    )
    # z[n,d',h',w',f] = b[d',h',w',f] + sum_{j,k} P[n, d', sh*h'+j, sw*w'+k, f]
    z = np.empty((len(x), *bias.shape), np.result_type(p, bias))
    z[:] = bias
    for j in range(receptive_field[1]):
        for k in range(receptive_field[2]):
            z += p[:, :, _window_starts(j, strides[1], rows_out), _window_starts(k, strides[2], columns_out)]
    return z


def weighted_sum_backward(
    dz: FloatArray,
    x: FloatArray,
    weights: FloatArray,
    receptive_field: tuple[int, int, int],
    strides: tuple[int, int, int],
    input_gradient: bool = True,
) -> tuple[FloatArray | None, FloatArray, FloatArray]:
    """Gradients of :func:`weighted_sum`.

    Args:
        dz: ndarray of shape (n, d', h', w', f), the incoming gradient ``dL/dz``.
        x, weights, receptive_field, strides: as given to :func:`weighted_sum`.
        input_gradient: False leaves ``dx`` out (None), as the first layer of a network may.

    Returns:
        ``dx, dweights, dbias`` with the shapes of ``x``, ``weights`` and the bias.
    """
    n, frames_out, rows_out, columns_out, maps = dz.shape
    # z = b + sum_{j,k} P[n, d', sh*h'+j, sw*w'+k, f]
    # dL/dP = G: every input position collects the windows that cover it, the transposed box sum
    g = np.zeros((n, frames_out, *weights.shape[1:3], maps), dz.dtype)
    for j in range(receptive_field[1]):
        for k in range(receptive_field[2]):
            g[:, :, _window_starts(j, strides[1], rows_out), _window_starts(k, strides[2], columns_out)] += dz
    dbias = dz.sum(axis=0)
    # P[n,d',h,w,f] = sum_{i,c} x[n, sd*d'+i, h, w, c] W[i,h,w,c,f]
    dweights = np.empty_like(weights)
    dx = np.zeros_like(x) if input_gradient else None
    for i, w in enumerate(weights):
        frames = _window_starts(i, strides[0], frames_out)
        # dW[i,h,w,c,f] = sum_{n,d'} x[n, sd*d'+i, h, w, c] G[n,d',h,w,f]
        dweights[i] = np.einsum("ndhwc,ndhwf->hwcf", x[:, frames], g)
        if dx is not None:
            # dx[n, sd*d'+i, h, w, c] += sum_f W[i,h,w,c,f] G[n,d',h,w,f]
            dx[:, frames] += np.einsum("ndhwf,hwcf->ndhwc", g, w)
    return dx, dweights, dbias


def _window_starts(offset, stride, count):
    """Positions ``offset + stride * 0, 1, ... count - 1`` as a slice."""
    return slice(offset, offset + stride * (count - 1) + 1, stride)
