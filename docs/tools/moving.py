"""What the figures that move take from the code, and the numbers that they must show.

    python docs/tools/moving.py FILE.json      writes what each figure must show for some settings (make test-pages)

The figures are ``docs/scripts/figures/NAME.js``.  Two of them start from arrays: ``make pages`` writes these beside
them, as ``NAME_data.js``, since a page that is opened as a file may load scripts and no data.  All the arithmetic that
the figures do by themselves is done here once more by ``kernels/reference`` and ``emop3d_np/optimizers.py``, for
``docs/tools/moving.mjs``, which moves the sliders in a browser and compares.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "walks"))
import descent
import train

from emop3d_np import optimizers
from emop3d_np.datasets.faces import draw_faces
from kernels import reference

SIDE, LABEL = 24, 3
PATTERN_UNIT = 1 / 50
"""The pattern of the gradient is kept in whole numbers of this size."""

# --- Arrays that figures start from.


def text(values):
    """Whole numbers of one byte as base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def light_arrays():
    """A frame of a drawn face, uint8, and a pattern to be part of its gradient, int8: both (SIDE, SIDE)."""
    face = draw_faces([LABEL], [0], shape=(3, SIDE, SIDE, 1))[0, -1, :, :, 0]
    h, w = np.mgrid[:SIDE, :SIDE] / SIDE
    noise = np.random.default_rng(1).standard_normal((SIDE, SIDE))
    pattern = np.round((np.sin(9 * h) * np.cos(11 * w) + 0.3 * noise) / PATTERN_UNIT)
    return np.round(face).astype(np.uint8), np.clip(pattern, -127, 127).astype(np.int8)


def light():
    face, pattern = light_arrays()
    return {"side": SIDE, "face": text(face), "pattern": text(pattern)}


def descended():
    """The clip of the third walk, and its gradient after each step: pairs of what it is below and the array."""
    kept = []

    def keep(below, g):
        kept.append((below, g))
        return g

    clip = draw_faces([LABEL], [0], shape=train.CLIP).astype(float)
    said, descent.report = descent.report, keep
    try:
        descent.descend(clip, LABEL, train.initial_parameters(np.random.default_rng(0)))
    finally:
        descent.report = said
    return clip, kept


def downwards():
    clip, kept = descended()
    return {
        "clip": {"shape": clip.shape[1:], "bytes": text(np.round(clip).astype(np.uint8))},
        "stages": [
            {
                "below": below,
                "shape": g.shape[1:],
                "share": float(np.mean(g != 0)),
                "norm": float(np.linalg.norm(g)),
                "sum": float(np.abs(g.sum(axis=(2, 3))).max() if g.ndim == 5 else abs(g.sum())),
                "bytes": text(in_bytes(g)),
            }
            for below, g in kept
        ],
    }


def in_bytes(g):
    """The values as int8, the largest as 127; what is not 0 stays so."""
    scaled = np.round(127 * g / np.abs(g).max())
    return np.where((scaled == 0) & (g != 0), np.sign(g), scaled).astype(np.int8)


DATA = {"light": light, "downwards": downwards}


def script(name):
    """The text of ``NAME_data.js``."""
    head = f"// Written by docs/tools/moving.py (make pages) for {name}.js.\n"
    return f"{head}globalThis.movingData = {{ ...globalThis.movingData, {name}: {json.dumps(DATA[name]())} }};\n"


def read(written):
    """What a ``NAME_data.js`` holds."""
    return json.loads(written[written.index(": {") + 2 : written.rindex(" };")])


def alike(one, other):
    """Whether two data files hold the same, bytes to one and numbers to rounding."""

    def same(a, b):
        if isinstance(a, dict):
            return set(a) == set(b) and all(same(a[key], b[key]) for key in a)
        if isinstance(a, list):
            return len(a) == len(b) and all(map(same, a, b))
        if isinstance(a, float):
            return abs(a - b) <= 1e-6 * abs(a) + 1e-9
        if isinstance(a, str) and len(a) > 40:
            first, second = (np.frombuffer(base64.b64decode(each), np.int8).astype(np.int8) for each in (a, b))
            return first.shape == second.shape and bool((np.abs((first - second).astype(np.int8)) <= 1).all())
        return a == b

    return same(read(one), read(other))


def write(folder):
    """Write the data files where they say something else."""
    for name in DATA:
        path, new = folder / f"{name}_data.js", script(name)
        if not path.exists() or not alike(path.read_text(), new):
            path.write_text(new)
            print(f"{path.name} written")


# --- What the figures must show.  A case: the controls by their labels, in order, and what is shown then.


VALLEY = np.array([1.0, 25.0])


def left_in_valley(rate, kept, nesterov):
    """The share of the distance that a step leaves in the long run: the largest eigenvalue of a step.

    The step is a matrix here, of a place along one axis and the place before it.
    """
    largest = 0.0
    for pull in rate * VALLEY:
        now, before = ((1 + kept) * (1 - pull), -kept * (1 - pull)) if nesterov else (1 + kept - pull, -kept)
        largest = max(largest, *np.abs(np.linalg.eigvals([[now, before], [1, 0]])))
    return float(largest)


def limit_in_valley(kept, nesterov):
    """The rate from which on nothing is gained by a step, found by halving."""
    low, high = 1e-6, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if left_in_valley(middle, kept, nesterov) < 1 else (low, middle)
    return low


def valley_case(rate, kept, nesterov=False, steps=25):
    w, path = {"w": np.array([10.0, 1.0])}, [[10.0, 1.0]]
    optimizer = optimizers.Momentum(rate, kept, nesterov=nesterov)
    first = 0
    for t in range(1, 10_001):
        optimizer.update(w, {"w": VALLEY * w["w"]})
        if t <= steps:
            path.append(w["w"].tolist())
        if not first and np.linalg.norm(w["w"]) < 0.1:
            first = t
        if t >= steps and (first or np.linalg.norm(w["w"]) > 1e90):
            break
    path = np.array(path)
    return {
        "controls": [
            ["Rate η: ", rate],
            ["Momentum µ: ", kept],
            ["Nesterov's variant", nesterov],
            ["Steps shown: ", steps],
        ],
        "numbers": {
            "path": path.tolist(),
            "sides": int(np.count_nonzero(np.diff(np.sign(path[1:, 1])))),
            "first": first,
            "factor": left_in_valley(rate, kept, nesterov),
            "limit": limit_in_valley(kept, nesterov),
            "converges": left_in_valley(rate, kept, nesterov) < 1,
            "distance": float(np.linalg.norm(path[-1])),
        },
    }


def band_case(window, stride, place, transpose):
    p, delta = np.array([3.0, 1, 4, 1, 5, 9, 2, 6]), np.arange(10.0, 80, 10)
    outputs = -((p.size - window + 1) // -stride)
    row = p.reshape(1, 1, 1, -1, 1)
    ones, sizes = np.ones((1, 1, p.size, 1, 1)), ((1, 1, window), (1, 1, stride))
    z = reference.weighted_sum(row, ones, np.zeros((1, 1, outputs, 1)), *sizes)
    dz = delta[:outputs].reshape(z.shape)
    g = reference.weighted_sum_backward(dz, row, ones, *sizes)[0].ravel()
    above, right = (g, dz.ravel()) if transpose else (p, z.ravel())
    return {
        "controls": [
            ["Its transpose: down a column" if transpose else "The box sum: along a row", True],
            ["Window r: ", window],
            ["Stride s: ", stride],
            ["Place: ", place],
        ],
        "numbers": {"z": z.ravel().tolist(), "g": g.tolist()},
        "texts": {"above": above.tolist(), "right": right.tolist()},
        "words": f" = {(g if transpose else z.ravel())[place]:g}",
    }


def maximum_case(values, changed=()):
    """``values`` of four rows and five columns, or of eight frames; ``changed``: pairs of a cell and its value."""
    x = np.array(values, float)
    space = x.size == 20
    for cell, value in changed:
        x[cell] = value
    name = "row {}, column {}" if space else "frame {}"
    cells = [name.format(*(divmod(cell, 5) if space else (cell,))) for cell, _ in changed]
    if space:
        x = x.reshape(1, 1, 4, 5, 1)
        m = reference.max_pool_space(x, (2, 2))
        dm = np.arange(1.0, 5).reshape(m.shape)
        dx = reference.max_pool_space_backward(dm, x, (2, 2))
    else:
        x = x.reshape(1, 8, 1, 1, 1)
        m = reference.max_pool_frames(x, 3)
        dm = np.ones_like(m)
        dx = reference.max_pool_frames_backward(dm, x, 3)
    controls = [["In space: blocks of 2 × 2" if space else "Over frames: runs of three", True]]
    controls.append(["Back to the example", "press"])
    for cell, (_, value) in zip(cells, changed, strict=True):
        controls += [[cell, "cell"], ["Value of the chosen cell: ", value]]
    flat = {name: array.ravel().tolist() for name, array in (("x", x), ("m", m), ("dm", dm), ("dx", dx))}
    return {"controls": controls, "numbers": {"m": flat["m"], "dx": flat["dx"]}, "texts": flat}


def light_case(brightness, contrast, constant, along):
    face, pattern = light_arrays()
    first = face.astype(float).reshape(1, 1, SIDE, SIDE, 1)
    x = contrast * first + brightness
    y = reference.standardize(x)
    dy = constant + along * reference.standardize(first) + pattern.reshape(x.shape) * PATTERN_UNIT
    dx = reference.standardize_backward(dy, x)
    return {
        "controls": [
            ["Brightness added to the map: ", brightness],
            ["Contrast of the map, times: ", contrast],
            ["Constant in the gradient: ", constant],
            ["Part along y in the gradient: ", along],
        ],
        "numbers": {
            "y": y.ravel().tolist(),
            "dx": dx.ravel().tolist(),
            "mean": float(dy.mean()),
            "share": float((dy * y).mean()),
        },
    }


def brief(number):
    """Two digits, as JavaScript writes them."""
    return f"{number:#.2g}".rstrip(".")


def downwards_cases():
    _, kept = descended()
    return [
        {
            "controls": [["Below: ", place]],
            "numbers": {"share": float(np.mean(g != 0)), "values": in_bytes(g).ravel().tolist()},
            "words": f"{100 * np.mean(g != 0):.1f} % of the gradient is not 0, its norm is {brief(np.linalg.norm(g))}",
        }
        for place, (_, g) in enumerate(kept)
    ]


SPACE = [3, 1, 4, 4, 9, 2, 5, 4, 0, 9, 7, 7, 1, 8, 9, 6, 7, 2, 3, 9]
FRAMES = [2, 1, 3, 5, 5, 4, 1, 2]


def expected():
    """For every figure, cases in which it is compared."""
    return {
        "valley": [
            valley_case(0.03, 0.0),
            valley_case(0.03, 0.7),
            valley_case(0.077, 0.0, steps=60),
            valley_case(0.081, 0.0, steps=40),
            valley_case(0.111, 0.44),
            valley_case(0.15, 0.9, steps=50),
            valley_case(0.153, 0.9, steps=12),
            valley_case(0.052, 0.62, nesterov=True),
            valley_case(0.056, 0.9, nesterov=True, steps=30),
            valley_case(0.05, 0.9, nesterov=True, steps=0),
        ],
        "band": [band_case(*each) for each in ((3, 1, 2, False), (5, 1, 3, False), (4, 2, 1, False), (2, 1, 6, False))]
        + [band_case(*each) for each in ((3, 1, 0, True), (3, 1, 4, True), (5, 2, 7, True), (4, 2, 3, True))],
        "maximum": [
            maximum_case(SPACE),
            maximum_case(SPACE, [(6, 0), (1, 3)]),
            maximum_case(SPACE, [(7, 9), (13, 1), (12, 2)]),
            maximum_case(SPACE, [(4, 0), (19, 5)]),
            maximum_case(FRAMES),
            maximum_case(FRAMES, [(3, 0)]),
            maximum_case(FRAMES, [(0, 9), (7, 9), (5, 5)]),
        ],
        "light": [
            light_case(0, 1, 0.9, 0.8),
            light_case(60, 1, 0.9, 0.8),
            light_case(-35, 0.25, -1.5, 0),
            light_case(100, 2, 0, -2),
            light_case(20, 0, 1, 1),
        ],
        "downwards": downwards_cases(),
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(expected()))
