"""The third layer of the usual network on the device: the largest of three frames, its weight, bias and leaky ReLU.

Each thread goes along the frames of one cell and keeps the last three in registers, so that every map is read once.
NORM_2 is done on the way in; of NORM_4 the moments of each run of STRIP cells are found on the way out.

Each plane is a row of ``cells = h w``.
"""

from collections.abc import Callable

from ..arrays import FloatArray
from .device_functions import block_sum, least, most
from .fused_normalization import before_activation, coefficients, put_moments, put_sums
from .launch import STRIP, kernel, shaped_kernel
from .strips import FRAMES, KEPT, activated, at, normalized
from .target import cuda

KEPT_BACKWARD = 3 * KEPT
SUM_PARTS = 2 * STRIP
"""Numbers in shared memory."""


@shaped_kernel("y", "moments")
def frames_forward(depth: int, cells: int, maps: int) -> Callable[..., None]:
    """``y = leaky ReLU(m w + b)``, where ``m`` is the largest of three normalised frames.

    Takes ``x (n, f, d, cells)``, not normalised, the ``mean`` and ``scale (n, f, d)`` of its planes,
    ``weights (f, cells)``, ``bias (f, d')`` and alpha; writes ``y (n, f, d', cells)`` and
    ``moments (n, f, d', pieces, 3)``.
    """
    frames, pieces = depth - 2, -(-cells // STRIP)

    def frames_forward(
        x: FloatArray,
        mean: FloatArray,
        scale: FloatArray,
        weights: FloatArray,
        bias: FloatArray,
        alpha: float,
        y: FloatArray,
        moments: FloatArray,
    ) -> None:
        kept = cuda.shared.array(KEPT, dtype=y.dtype)
        parts = cuda.shared.array(SUM_PARTS, dtype=y.dtype)
        q = cuda.threadIdx.x
        for task in range(cuda.blockIdx.x, y.size // (frames * cells) * pieces, cuda.gridDim.x):
            piece, sequence = task % pieces, task // pieces
            inside, f = piece * STRIP + q < cells, sequence % maps
            cell = least(piece * STRIP + q, cells - 1)
            frame, weight = sequence * depth, weights[at(f * cells + cell)]
            first = normalized(x[at(frame * cells + cell)], mean[at(frame)], scale[at(frame)])
            second = normalized(x[at((frame + 1) * cells + cell)], mean[at(frame + 1)], scale[at(frame + 1)])
            for d in range(frames):
                frame = sequence * depth + d + 2
                third = normalized(x[at(frame * cells + cell)], mean[at(frame)], scale[at(frame)])
                m = most(most(first, second), third)
                value = activated(m * weight + bias[at(f * frames + d)], alpha)
                if inside:
                    y[at((sequence * frames + d) * cells + cell)] = value
                kept[at(d % FRAMES * (STRIP + 1) + q)] = value
                first, second = second, third
                if d % FRAMES == FRAMES - 1 or d == frames - 1:
                    start = (sequence * frames + d - d % FRAMES) * pieces + piece
                    put_moments(kept, parts, d, least(STRIP, cells - piece * STRIP), moments, start, pieces)

    return frames_forward


# Long: half of it says what the arrays are.
@shaped_kernel("dx", "dweights", "sums")
def frames_backward(depth: int, cells: int, maps: int, slabs: int) -> Callable[..., None]:
    """NORM_4, leaky ReLU and the maximum of three frames, backward: every frame collects what chose it.

    Takes ``dn``, the gradient of the normalised ``y``, NORM_4's ``affine`` coefficients, and ``y``, ``x``, ``mean``,
    ``scale``, ``weights`` and alpha as of :func:`frames_forward`.  Writes ``dx``, the gradient of the normalised
    ``x``, ``dweights (slab, f, cells)``, and ``sums (n, f, d, pieces, 3)`` of ``dx``, of ``dx`` times the normalised
    ``x``, and of the gradient before the leaky ReLU, which is that of the bias.
    """
    frames, pieces = depth - 2, -(-cells // STRIP)
    tasks = slabs * maps * pieces

    # Many arguments: they are all the arrays that it reads and writes.
    def frames_backward(
        dn: FloatArray,
        y: FloatArray,
        affine: FloatArray,
        x: FloatArray,
        mean: FloatArray,
        scale: FloatArray,
        weights: FloatArray,
        alpha: float,
        dx: FloatArray,
        dweights: FloatArray,
        sums: FloatArray,
    ) -> None:
        kept = cuda.shared.array(KEPT_BACKWARD, dtype=dx.dtype)
        zero, q = dx.dtype.type(0), cuda.threadIdx.x
        samples = x.size // (maps * depth * cells)
        for task in range(cuda.blockIdx.x, tasks, cuda.gridDim.x):
            piece, f, slab = task % pieces, task // pieces % maps, task // (pieces * maps)
            inside = piece * STRIP + q < cells
            cell = least(piece * STRIP + q, cells - 1)
            weight, of_weight = weights[at(f * cells + cell)], zero
            for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
                frame = (n * maps + f) * depth
                first = normalized(x[at(frame * cells + cell)], mean[at(frame)], scale[at(frame)])
                second = normalized(x[at((frame + 1) * cells + cell)], mean[at(frame + 1)], scale[at(frame + 1)])
                of_first, of_second = zero, zero
                for d in range(depth):
                    third, of_third, dz = zero, zero, zero
                    if d < frames:
                        frame, plane = (n * maps + f) * depth + d + 2, (n * maps + f) * frames + d
                        third = normalized(x[at(frame * cells + cell)], mean[at(frame)], scale[at(frame)])
                        of_plane = coefficients(affine, plane)
                        dz = before_activation(
                            dn[at(plane * cells + cell)], y[at(plane * cells + cell)], of_plane, alpha
                        )
                        # the first of the largest takes the gradient; of branches that add to one of three numbers,
                        # numba-cuda-mlir would keep all variables in memory
                        m = most(most(first, second), third)
                        of_weight += dz * m
                        of_first += dz if first >= m else zero
                        of_second += dz if (first < m) & (second >= m) else zero
                        of_third += dz if (first < m) & (second < m) else zero
                    gradient, frame = of_first * weight, (n * maps + f) * depth + d
                    if inside:
                        dx[at(frame * cells + cell)] = gradient
                    row = d % FRAMES * (STRIP + 1) + q
                    kept[at(row)] = gradient if inside else zero
                    kept[at(row + KEPT)] = gradient * first if inside else zero
                    kept[at(row + 2 * KEPT)] = dz if inside else zero
                    first, second, of_first, of_second = second, third, of_second, of_third
                    if d % FRAMES == FRAMES - 1 or d == depth - 1:
                        put_sums(kept, 3, d, sums, (frame - d % FRAMES) * pieces + piece, pieces)
            if inside:
                dweights[at((slab * maps + f) * cells + cell)] = of_weight

    return frames_backward


@kernel("dbias")
def frame_bias_backward(sums: FloatArray, dbias: FloatArray) -> None:
    """``db[slab,f,d'] = sum_{n,h,w} dz``, from the third of the ``sums`` of :func:`frames_backward`."""
    shared = cuda.shared.array(STRIP, dtype=dbias.dtype)
    slabs, maps, frames = dbias.shape
    samples, pieces, q = sums.shape[0], sums.shape[3], cuda.threadIdx.x
    for task in range(cuda.blockIdx.x, slabs * maps * frames, cuda.gridDim.x):
        d, f, slab = task % frames, task // frames % maps, task // (frames * maps)
        total = dbias.dtype.type(0)
        for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
            for piece in range(q, pieces, STRIP):
                total += sums[n, f, d, piece, 2]
        total = block_sum(shared, q, STRIP, total)
        if q == 0:
            dbias[slab, f, d] = total
