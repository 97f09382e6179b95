"""The code of the kernels for NVIDIA devices, looked at without a device: what it touches, and what it compiles to."""

import ast
import inspect
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import JIT, SIMULATED
from planting import planted

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import cuda_launches
import cuda_model
import cuda_ptx
import cuda_trace

from kernels.cuda import elements, target, update
from kernels.cuda.launch import Kernel, recorded

KERNELS = cuda_launches.every_kernel()

pytestmark = pytest.mark.skipif(
    SIMULATED or not JIT, reason="once is enough: nothing is simulated or compiled by numba"
)

CLASSES, ALONE = 6, 8
"""Classes of these networks; float32 numbers in a sector."""

APART = {
    # a block of 2 x 2 for each thread: two instructions use the two halves of what memory gives
    "largest_of_blocks": {"x": 2},
    "mean_of_blocks": {"x": 2},
    "to_chosen_of_blocks": {"x": 2, "dx": 2},
    # a tile ends after TILE / channels positions, and the row of a warp with it
    "gather_planes": {"planes": 2},
    "spread_planes": {"planes": 2},
    # threads go along planes that end anywhere in a warp, and begin elsewhere
    "planes_backward": {"weights": 2, "y": 2, "dweights": 2},
    # a few numbers of a whole piece or plane, beside each other
    "plane_moments": {"moments": 3},
    "affine_coefficients": {"sums": 3},
    "frame_bias_backward": {"sums": 3},
    "features_affine": {"affine": 3, "parts": CLASSES},
    "sum_parts": {"parts": CLASSES},
    # the same of each of FRAMES pieces, by a thread of its own: a number or three of each STRIP that are kept
    "frames_forward": {"moments": ALONE},
    "frames_backward": {"sums": ALONE},
    "windows_backward": {"sums": ALONE},
}
"""Where a warp's threads are so many numbers apart, at most, by kernel and array; elsewhere they are neighbours."""


def distinct(launches):
    """One launch of each kernel and shapes of arguments."""
    return {
        (launch.kernel.name, *(getattr(a, "shape", ()) for a in launch.arguments)): launch for launch in launches
    }.values()


LAUNCHES = distinct(
    cuda_launches.of_every_kernel(batch=2, shape=(7, 20, 40, 1), feature_maps=2)
    + cuda_launches.of_a_step(batch=1, input_shape=(7, 11, 70, 1), feature_maps=1)
)
"""Planes of more than a tile across and down, and none that are whole tiles; with more than a strip across, too."""


def launched(kernel, *mistake):
    """A launch of ``kernel``, or, after ``mistake``, of one that was planted: the old source and the new."""
    found = next(launch for launch in LAUNCHES if launch.kernel.name == kernel.name)
    return found._replace(kernel=planted_kernel(kernel, found.kernel, *mistake) if mistake else found.kernel)


def planted_kernel(kernel, like, old, new):
    """A kernel with a mistake; one that is made for some sizes is made for those of ``like``."""
    if isinstance(kernel, Kernel):
        return planted(kernel.function, old, new)
    (sizes,) = (sizes for sizes, made in kernel.made.items() if made is like)
    return planted(kernel.make, old, new).of(*sizes)


def test_numba_is_imported_in_one_place():
    imports = r"""(from|import) numba|^[^#]*["']numba"""
    files = Path(target.__file__).parent.glob("*.py")
    assert [file.name for file in files if re.search(imports, file.read_text(), re.MULTILINE)] == ["target.py"]


# --- What kernels must not say.


def unequal(source):
    """Lines of functions that kernels consist of, those under ``kernel`` and ``inline``, that ask ``!=``."""
    for function in ast.walk(ast.parse(source)):
        decorators = getattr(function, "decorator_list", ())
        if any(ast.unparse(each).startswith(("kernel(", "inline")) for each in decorators):
            compared = (node for node in ast.walk(function) if isinstance(node, ast.Compare))
            yield from (node.lineno for node in compared if any(isinstance(each, ast.NotEq) for each in node.ops))


def test_no_kernel_asks_for_unequal_numbers():
    """numba-cuda-mlir 0.6 has it that a NaN is not unequal to itself, so it would be found nowhere."""
    for file in Path(target.__file__).parent.glob("*.py"):
        assert not list(unequal(file.read_text())), file.name
    assert list(unequal("@inline\ndef larger(value, best):\n    return value > best or value != value")) == [3]


# --- What the threads touch.


def scattered(launch, trace):
    """What a warp asks for that is not one row of neighbours."""
    apart = APART.get(launch.kernel.name, {})
    return {(ask.array, ask.line) for ask in trace.requests if ask.sectors > ask.fewest(apart.get(ask.array, 1))}


def shared_cells(launch, trace):
    """Arrays of which a cell has more writers than one, or is read by another than its writer."""
    wrong = {name for name, owners in trace.owners.items() if any(len(threads) > 1 for threads in owners.values())}
    for name, readers in trace.readers.items():
        owners = trace.owners.get(name, {})
        if any(readers[cell] - owners[cell] for cell in readers.keys() & owners.keys()):
            wrong.add(name)
    return wrong


def written(launch):
    """Names of the arguments that the kernel is declared to write."""
    return {*launch.kernel.writes, *launch.kernel.updates}


def test_every_kernel_is_looked_at():
    assert {launch.kernel.name for launch in LAUNCHES} == set(KERNELS)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_rows_and_owners(name):
    """Warps read and write rows of neighbours; every cell written has one owner, and all cells are written."""
    for launch in LAUNCHES:
        if launch.kernel.name == name:
            trace = cuda_trace.trace(launch)
            assert not scattered(launch, trace)
            assert not shared_cells(launch, trace)
            assert set(trace.owners) == written(launch)
            names = inspect.signature(launch.kernel.function).parameters
            for argument, array in zip(names, launch.arguments, strict=True):
                if argument in trace.owners:
                    assert len(trace.owners[argument]) == array.size, argument


def test_a_planted_scattered_index_is_found():
    """Threads along rows in the place of columns: the same result, each warp from all over the plane."""
    right = "plane, h, w = cell(task, rows, columns)"
    wrong = "plane, w, h = cell(task, columns, rows)"
    for name in ("multiply", "inputs_backward"):
        launch = launched(KERNELS[name], right, wrong)
        trace = cuda_trace.trace(launch)
        assert {array for array, _ in scattered(launch, trace)} >= {"weights", *trace.owners}


@pytest.mark.parametrize(
    ("name", "right", "wrong", "found"),
    [
        ("windows_spread", "g[at(cell + w0)] = g0", "g[at(plane * area + w0 * height + h)] = g0", {"g"}),
        ("frames_forward", "least(piece * STRIP + q,", "least(piece + q * pieces,", {"x", "y", "weights"}),
        ("first_forward", "w0, w1 = within(left + q, width)", "w0, w1 = within(left + 3 * q, width)", {"x", "weights"}),
        ("planes_backward", "cell, d, total = place % cells", "cell, d, total = place * 19 % cells", {"y", "dweights"}),
    ],
)
def test_a_planted_scattered_index_of_a_strip_is_found(name, right, wrong, found):
    launch = launched(KERNELS[name], right, wrong)
    assert {array for array, _ in scattered(launch, cuda_trace.trace(launch))} >= found


@pytest.mark.parametrize(
    ("name", "right", "mistakes", "found"),
    [
        ("sum_slabs", "out[q] = total", ("out[0] = total", "out[q - q % 2] = total"), {"out"}),
        ("first_forward", "top + rows_down, rows), 2", ("top + rows_down + 2, rows), 2",), {"pooled"}),
        ("first_forward", "if q == 0:", ("if q < 2:",), {"moments"}),
        ("frames_forward", "if inside:", ("if True:",), {"y"}),
        ("first_backward", "(ROWS_OWNED, rows - top)", ("(ROWS_OWNED + 1, rows - top)",), {"dbias"}),
        ("first_backward", "(((part * channels", ("(((slab * channels",), {"dweights"}),
    ],
)
def test_a_planted_second_owner_is_found(name, right, mistakes, found):
    for mistake in mistakes:
        launch = launched(KERNELS[name], right, mistake)
        assert shared_cells(launch, cuda_trace.trace(launch)) == found


def test_a_planted_reader_of_other_threads_cells_is_found():
    launch = launched(update.gradient_descent, "rate * g[q]", "rate * g[q] * w[0]")
    assert shared_cells(launch, cuda_trace.trace(launch)) == {"w"}


def test_an_index_beyond_the_array_is_found():
    launch = launched(elements.fill, "a[q] = value", "a[q - 1] = value")
    with pytest.raises(IndexError, match=r"fill: a\[\(-1,\)\] is beyond"):
        cuda_trace.trace(launch)


def test_operations_are_counted():
    """Momentum: two multiplications, an addition and a subtraction a number."""
    size = 1000
    with recorded() as launches:
        arrays = [np.zeros(size, np.float32) for _ in range(3)]
        update.momentum.over_elements(size, *arrays, *map(np.float32, (0.1, 0.9, 0)))
    trace = cuda_trace.trace(launches[0])
    assert trace.operations == 4 * size
    assert {name: len(cells) for name, cells in trace.readers.items()} == {"w": size, "g": size, "a": size}


# --- The bound on paper.


def test_the_bound_of_a_launch():
    """Momentum on four blocks: it reads three arrays and writes two."""
    size = 4 * 256
    with recorded() as launches:
        arrays = [np.zeros(size, np.float32) for _ in range(3)]
        update.momentum.over_elements(size, *arrays, *map(np.float32, (0.1, 0.9, 0)))
    cost = cuda_model.cost(launches[0], np.random.default_rng(0))
    assert (cost.launches, cost.traffic, cost.asked, cost.operations) == (1, 20 * size, 20 * size, 4 * size)
    a100, h100 = cost.seconds
    assert a100 == pytest.approx(20 * size / 2.0e12)
    assert h100 == pytest.approx(20 * size / 3.35e12)


def test_the_page_has_the_launches_and_bytes_of_a_step():
    counts = {}
    for launch in cuda_launches.of_a_step(100):
        count, moved = counts.get(launch.kernel.name, (0, 0))
        counts[launch.kernel.name] = count + 1, moved + cuda_model.traffic(launch)
    page = (Path(__file__).resolve().parents[2] / "docs" / "cuda.md").read_text()
    table = page.split("<!-- bound")[1].split("<!-- end of bound")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| ([\d,.]+) \|", table, re.MULTILINE)
    expected = {name: (str(count), f"{moved / 1e6:,.1f}") for name, (count, moved) in counts.items()}
    assert {name: tuple(cells) for name, *cells in rows} == expected


# --- What they compile to.


@pytest.fixture(scope="module")
def compiler():
    """The module that compiles, by whichever package is here."""
    if not (target._compiler_found() and cuda_ptx.assembler()):
        pytest.skip("there is no compiler for devices here; make test-ptx has one")
    return cuda_ptx


FIRST, *BETWEEN, LAST = cuda_ptx.ARCHITECTURES
ONCE = pytest.mark.long if target._SUCCESSOR else ()
"""The oldest architecture is asked of one of the two compilers."""


@pytest.mark.ptx
@pytest.mark.parametrize(
    "architecture",
    [pytest.param(FIRST, marks=ONCE), *(pytest.param(each, marks=pytest.mark.long) for each in BETWEEN), LAST],
    ids=lambda architecture: architecture.name,
)
@pytest.mark.parametrize("name", sorted(KERNELS))
def test_machine_code(compiler, name, architecture):
    """No local memory, no float64, no atomics, nothing spilled that may not be, on any of the architectures."""
    for launch in compiler.launches_to_compile():
        if launch.kernel.name == name:
            text = compiler.ptx(launch.kernel, launch.arguments, architecture.cc)
            assert compiler.faults(text) == {}
            code = compiler.assemble(text, architecture.cc, launch.kernel.most_registers(architecture.cc))
            assert max(code.spilled_bytes, code.stack_bytes) <= compiler.spills_allowed(launch.kernel, architecture)
            assert 0 < code.registers <= 255


LOCAL_OF_STRIP = "turned = cuda.local.array(9, 'f4'); turned[q % 9] = m; m = turned[at(d % 7)]; value ="
LOCAL = "turned = cuda.local.array(9, 'f4'); turned[q % 9] = value; a[q] = turned[q % 7]"


@pytest.mark.ptx
@pytest.mark.parametrize(
    ("kernel", "old", "new", "fault"),
    [
        (KERNELS["mean_of_blocks"], "total / one(ph * pw)", "total / (ph * pw)", "float64"),
        (update.gradient_descent, "rate * g[q]", "0.5 * rate * g[q]", "float64"),
        (elements.fill, "a[q] = value", LOCAL, "local memory"),
        (elements.combine, "out[q] =", "out[q] = cuda.atomic.add(out, 0, of_a) +", "atomics"),
        (KERNELS["windows_spread"], "+ w0)] = g0", "+ w0)] = 0.1 * g0", "float64"),
        (KERNELS["frames_forward"], "value =", LOCAL_OF_STRIP, "local memory"),
        (KERNELS["planes_backward"], "] = total", "] = cuda.atomic.add(dweights, 0, total)", "atomics"),
    ],
    ids=["division-by-integers", "literal", "local-array", "atomic", "strip-literal", "strip-local", "strip-atomic"],
)
def test_planted_code_is_found(compiler, kernel, old, new, fault):
    launch = launched(kernel)
    assert compiler.faults(compiler.ptx(launch.kernel, launch.arguments, (9, 0))) == {}
    text = compiler.ptx(launched(kernel, old, new).kernel, launch.arguments, (9, 0))
    assert list(compiler.faults(text)) == [fault]


@pytest.mark.ptx
def test_occupancy(compiler):
    """By hand: 64 registers a thread, 256 threads, 4 blocks of 8 warps of 64; all of 32 on sm_75."""
    turing, ampere, *_ = compiler.ARCHITECTURES
    assert compiler.occupancy(turing, 256, 64, 0) == 1
    assert compiler.occupancy(ampere, 256, 64, 4096) == 0.5
    assert compiler.occupancy(ampere, 256, 16, 40_000) == 0.5
