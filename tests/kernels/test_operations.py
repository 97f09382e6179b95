"""Properties that every operation must have, in every edition, over many shapes."""

import numpy as np
import operations
import pytest
from conftest import JIT, SIMULATED, as_compiled
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels

FLOAT64_ROUNDING = 1e-12
FLOAT32_ROUNDING = 2e-5
DIFFERENCE_QUOTIENT = 1e-7
"""Allowed relative error of central differences in float64 with a step of 1e-6."""

operation = pytest.mark.parametrize("op", operations.OPERATIONS, ids=lambda op: op.name)
seeds = st.integers(0, 2**32 - 1)


def relative_error(ours, theirs):
    """Largest difference beside the largest value; NaN if either holds one."""
    return np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30)


def case(op, sizes, seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    arrays = tuple(array.astype(dtype) for array in op.inputs(rng, sizes))
    output = op.forward(kernels.edition("reference"), arrays, sizes)
    # A random incoming gradient: with ones, the gradient of a normalisation is 0 whatever the formula.
    return arrays, rng.standard_normal(output.shape).astype(dtype)


@operation
@settings(max_examples=25)
@given(sizes=operations.sizes, seed=seeds)
def test_reference_follows_the_equation(op, sizes, seed):
    arrays, _ = case(op, sizes, seed)
    ours = op.forward(kernels.edition("reference"), arrays, sizes)
    assert relative_error(ours, op.oracle(arrays, sizes)) <= FLOAT64_ROUNDING


@operation
@pytest.mark.parametrize("name", kernels.EDITIONS[1:])
@given(sizes=operations.sizes, seed=seeds, dtype=st.sampled_from([np.float32, np.float64]))
def test_editions_equal_reference(op, name, sizes, seed, dtype):
    arrays, dy = case(op, sizes, seed, dtype)
    reference, other = map(kernels.edition, ("reference", name))
    allowed = FLOAT32_ROUNDING if dtype == np.float32 else FLOAT64_ROUNDING
    pairs = [(op.forward(other, arrays, sizes), op.forward(reference, arrays, sizes))]
    pairs += zip(op.backward(other, dy, arrays, sizes), op.backward(reference, dy, arrays, sizes), strict=True)
    for ours, theirs in pairs:
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype == dtype
        # Sums that cancel are judged by the size of what went into them.
        assert np.abs(ours - theirs).max() <= allowed * max(np.abs(theirs).max(), np.abs(dy).max(), 1)


@operation
@settings(max_examples=25)
@given(sizes=operations.sizes, seed=seeds)
def test_reference_gradient_is_the_slope(op, sizes, seed):
    """By the complex step where the operation is analytic, to near rounding; by central differences elsewhere."""
    reference = kernels.edition("reference")
    arrays, dy = case(op, sizes, seed)
    gradients = op.backward(reference, dy, arrays, sizes)
    rng = np.random.default_rng(seed)
    for which, gradient in enumerate(gradients):
        for _ in range(3):
            direction = rng.standard_normal(gradient.shape)
            analytic = (gradient * direction).sum()

            def moved(step, which=which, direction=direction):
                inputs = list(arrays)
                inputs[which] = inputs[which] + step * direction
                return (dy * op.forward(reference, tuple(inputs), sizes)).sum()

            if op.analytic:
                numeric, allowed = moved(1e-30j).imag / 1e-30, FLOAT64_ROUNDING
            else:
                numeric, allowed = (moved(1e-6) - moved(-1e-6)) / 2e-6, DIFFERENCE_QUOTIENT
            assert abs(analytic - numeric) <= allowed * max(1, np.abs(gradient * direction).sum())


@operation
@settings(max_examples=15)
@given(sizes=operations.sizes, seed=seeds)
def test_every_element_of_the_gradient(op, sizes, seed):
    """Projections miss sparse mistakes, as a wrong place of a maximum; so some elements one by one."""
    reference = kernels.edition("reference")
    arrays, dy = case(op, sizes, seed)
    gradients = op.backward(reference, dy, arrays, sizes)
    rng = np.random.default_rng(seed)
    for which, gradient in enumerate(gradients):
        for flat in rng.permutation(gradient.size)[:12]:
            ends = []
            for step in (1e-6, -1e-6):
                inputs = [array.copy() for array in arrays]
                inputs[which].flat[flat] += step
                ends.append(op.forward(reference, tuple(inputs), sizes))
            numeric = (dy * (ends[0] - ends[1])).sum() / 2e-6
            assert abs(gradient.flat[flat] - numeric) <= 1e-6 * max(1, np.abs(dy).sum())


@operation
@pytest.mark.parametrize("name", kernels.EDITIONS)
@settings(max_examples=10)
@given(sizes=operations.sizes, seed=seeds)
def test_backward_is_pure(op, name, sizes, seed):
    """Twice the same bits; exact zeros for a zero incoming gradient; inputs untouched."""
    edition = kernels.edition(name)
    arrays, dy = case(op, sizes, seed)
    kept = [array.copy() for array in (*arrays, dy)]
    first, second = (op.backward(edition, dy, arrays, sizes) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.tobytes() == other.tobytes()
    for gradient, array in zip(first, arrays, strict=False):
        assert gradient.shape == array.shape
    for gradient in op.backward(edition, np.zeros_like(dy), arrays, sizes):
        assert not gradient.any()
    for array, before in zip((*arrays, dy), kept, strict=True):
        assert array.tobytes() == before.tobytes()


LARGE = operations.Sizes(
    n=6, c=2, f=3, field=(3, 4, 4), strides=(1, 1, 1), windows=(10, 45, 47), spare=(0, 1, 1), pool=(3, 2, 2)
)


@pytest.mark.skipif(not JIT, reason="races are in compiled code; the interpreter has none and takes hours here")
@operation
@pytest.mark.parametrize("name", ["cpu"] if SIMULATED else kernels.EDITIONS[1:])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_races_on_large_shapes(op, name, dtype):
    """Small shapes never show a race: a large one, often, bit for bit, and against the reference."""
    edition = kernels.edition(name)
    arrays, dy = case(op, LARGE, 0, dtype)
    first = [op.forward(edition, arrays, LARGE), *op.backward(edition, dy, arrays, LARGE)]
    reference = kernels.edition("reference")
    expected = [op.forward(reference, arrays, LARGE), *op.backward(reference, dy, arrays, LARGE)]
    allowed = 1e-4 if dtype == np.float32 else 1e-11
    for ours, theirs in zip(first, expected, strict=True):
        assert relative_error(ours, theirs) <= allowed
    for _ in range(10):
        again = [op.forward(edition, arrays, LARGE), *op.backward(edition, dy, arrays, LARGE)]
        assert all(a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True))


@pytest.fixture
def empty_is_nan(monkeypatch):
    """New arrays hold NaN, and not by chance the right values of an array before: what is not written shows."""
    for make in (np.empty, np.empty_like):

        def filled(*given, make=make, **named):
            array = make(*given, **named)
            array.fill(np.nan if array.dtype.kind == "f" else 99)
            return array

        monkeypatch.setattr(np, make.__name__, filled)


@operation
@pytest.mark.usefixtures("empty_is_nan")
@pytest.mark.parametrize("name", kernels.EDITIONS)
def test_memory_order_does_not_matter(op, name):
    """An input and a gradient that are stored column by column give what others give."""
    edition = kernels.edition(name)
    sizes = operations.Sizes(2, 2, 3, (2, 3, 2), (1, 1, 2), (3, 4, 3), (0, 1, 0), (2, 2, 3))
    arrays, dy = case(op, sizes, 0)
    turned, turned_dy = (np.asfortranarray(arrays[0]), *arrays[1:]), np.asfortranarray(dy)
    expected = [op.forward(edition, arrays, sizes), *op.backward(edition, dy, arrays, sizes)]
    given = [op.forward(edition, turned, sizes), *op.backward(edition, turned_dy, turned, sizes)]
    for ours, theirs in zip(given, expected, strict=True):
        assert relative_error(ours, theirs) <= FLOAT64_ROUNDING


@pytest.mark.usefixtures("empty_is_nan")
@pytest.mark.parametrize("name", kernels.EDITIONS[1:])
@pytest.mark.parametrize("features", [1023, 1024, 1025, 2500])
def test_dense_of_many_features(name, features, rng):
    """More than one task's share, a whole number of shares, and a rest."""
    a, weights, bias, dy = (rng.standard_normal(shape) for shape in ((3, features), (features, 2), 2, (3, 2)))
    ours, reference = (
        [e.dense(a, weights, bias), *e.dense_backward(dy, a, weights)]
        for e in map(kernels.edition, (name, "reference"))
    )
    for one, other in zip(ours, reference, strict=True):
        assert relative_error(one, other) <= FLOAT64_ROUNDING


@pytest.mark.usefixtures("empty_is_nan")
@pytest.mark.parametrize("name", kernels.EDITIONS[1:])
@pytest.mark.parametrize("size", [2**14 - 1, 2**14, 2**14 + 1, 40_000])
def test_leaky_relu_of_many_elements(name, size, rng):
    z, dy = rng.standard_normal((2, size))
    ours, reference = (
        [e.leaky_relu(z), e.leaky_relu_backward(dy, z)] for e in map(kernels.edition, (name, "reference"))
    )
    for one, other in zip(ours, reference, strict=True):
        assert np.array_equal(one, other)


def test_weighted_sum_without_the_gradient_of_its_input(edition, rng):
    sizes = operations.Sizes(2, 2, 3, (2, 3, 2), (1, 1, 1), (2, 3, 4), (0, 0, 0), (1, 1, 1))
    (x, weights, bias), _ = case(operations.OPERATIONS[0], sizes, 0)
    dz = rng.standard_normal((2, *bias.shape))
    _, dweights, dbias = edition.weighted_sum_backward(dz, x, weights, sizes.field, sizes.strides)
    dx, *others = edition.weighted_sum_backward(dz, x, weights, sizes.field, sizes.strides, input_gradient=False)
    assert dx is None
    assert [each.tobytes() for each in others] == [dweights.tobytes(), dbias.tobytes()]


def test_leaky_relu_at_its_kink(edition):
    """At exactly 0, of either sign, the slope is the lower one."""
    z = np.array([0.0, -0.0, 1.0, -1.0, np.nan])
    assert np.array_equal(edition.leaky_relu_backward(np.ones(5), z)[:4], [0.01, 0.01, 1.0, 0.01])
    assert np.isnan(edition.leaky_relu(z)[4])


@pytest.mark.parametrize("tied", [(0, 1, 2, 3), (1, 2, 3), (2, 3), (1, 3)])
def test_first_maximum_in_space_takes_the_gradient(edition, tied):
    x = np.zeros((1, 1, 2, 2, 1))
    x.flat[list(tied)] = 5
    dx = edition.max_pool_space_backward(np.full((1, 1, 1, 1, 1), 7.0), x, (2, 2))
    assert dx.ravel().tolist() == [7.0 if place == tied[0] else 0 for place in range(4)]


def test_first_maximal_frame_takes_the_gradient(edition):
    x = np.array([3.0, 5, 5, 5, 1]).reshape(1, 5, 1, 1, 1)
    dm = np.array([1.0, 10, 100]).reshape(1, 3, 1, 1, 1)
    assert edition.max_pool_frames_backward(dm, x, 3).ravel().tolist() == [0, 11, 100, 0, 0]


def test_nan_wins_a_maximum(edition):
    x = np.array([1.0, np.nan, 3.0, np.nan]).reshape(1, 1, 2, 2, 1)
    assert np.isnan(edition.max_pool_space(x, (2, 2)))
    assert edition.max_pool_space_backward(np.ones((1, 1, 1, 1, 1)), x, (2, 2)).ravel().tolist() == [0, 1, 0, 0]
    in_time = x.reshape(1, 4, 1, 1, 1)
    assert np.isnan(edition.max_pool_frames(in_time, 4))


@as_compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_standardize_keeps_its_head(edition, dtype, rng):
    """A large offset, a constant map, a map with NaN or infinity, no epsilon."""
    x = rng.standard_normal((1, 5, 12, 11, 2)).astype(dtype)
    expected = edition.standardize(x[:, :1].astype(np.float64))
    x[:, 1] = (x[:, 0].astype(np.float64) + 1e4).astype(dtype)
    x[:, 2] = 0.1
    x[0, 3, 2, 2, 0] = np.inf
    x[0, 4, 0, 0, 1] = np.nan
    for epsilon in (1e-8, 0.0):
        y = edition.standardize(x, epsilon)
        assert np.isfinite(y).all()
        assert not y[:, 2].any()
        assert not y[0, 3, ..., 0].any()
        assert not y[0, 4, ..., 1].any()
        assert y[0, 4, ..., 0].any()
    assert np.abs(edition.standardize(x)[:, 1] - expected[:, 0]).max() < 1e-3
    dx = edition.standardize_backward(np.ones_like(x), x)
    assert not dx[0, 3, ..., 0].any()
    assert np.isfinite(dx).all()


def test_standardize_warns_of_nothing_that_it_mends():
    """NaN, an infinity, values whose square overflows, a constant map without epsilon: warnings are errors here."""
    x = np.ones((1, 5, 3, 3, 1))
    x[0, :4, 1, 1, 0] = np.nan, np.inf, -np.inf, 1e300
    reference = kernels.edition("reference")
    assert not reference.standardize(x, 0.0).any()
    assert not reference.standardize_backward(np.ones_like(x), x, 0.0).any()


@as_compiled
@pytest.mark.parametrize("edition", [e for e in kernels.EDITIONS if e != "cuda"], indirect=True)
def test_standardize_takes_its_moments_in_float64(edition, rng):
    """In float32 an outlier in the first place, or a large even part of the gradient, would leave noise.

    Devices have few units for float64: the edition for them takes the moments of float32 in float32, as it says.
    """
    x = rng.standard_normal((1, 1, 40, 40, 2)).astype(np.float32)
    x[0, 0, 0, 0] = 3e4
    exact = edition.standardize(x.astype(np.float64))
    assert np.abs(edition.standardize(x) - exact)[:, :, 1:].max() <= 1e-8
    # Whole numbers: float32 holds them with the offset too.
    x, dy = (rng.integers(-8, 9, (1, 1, 40, 40, 2)).astype(np.float32) for _ in range(2))
    plain, offset = (edition.standardize_backward(d, x) for d in (dy, dy + np.float32(2**20)))
    assert np.abs(plain - offset).max() <= 1e-6 * np.abs(plain).max()


def test_gradient_at_a_constant_map(edition, rng):
    """Variance 0: what is left is the mean's part, 1 / sqrt(epsilon) times."""
    dy = rng.standard_normal((2, 1, 3, 4, 2))
    expected = 100 * (dy - dy.mean(axis=(2, 3), keepdims=True))
    assert np.allclose(edition.standardize_backward(dy, np.full(dy.shape, 0.7), 1e-4), expected, rtol=1e-12, atol=1e-12)


def test_standardize_into_an_array(edition):
    """Of whole numbers, as pixels are, it is float64; ``out`` says where it goes, and in which dtype."""
    x = np.arange(60, dtype=np.uint8).reshape(1, 1, 6, 5, 2)
    y = edition.standardize(x)
    assert y.dtype == np.float64
    assert np.allclose(y, edition.standardize(x.astype(np.float64)), rtol=1e-12)
    out = np.full(x.shape, np.nan, np.float32)
    assert edition.standardize(x, out=out) is out
    assert np.allclose(out, y, rtol=1e-6)


def test_softmax_survives_huge_logits(edition):
    logits = np.array([[1e4, -1e4, 0.0], [0.0, 0.0, 0.0]])
    assert np.allclose(edition.softmax(logits), [[1, 0, 0], [1 / 3] * 3])
    assert np.allclose(edition.softmax_cross_entropy(logits, np.array([1, 2])), [2e4, np.log(3)])


def test_no_such_edition():
    with pytest.raises(ValueError, match="there is no backend 'gpu'; choose one of reference, cpu"):
        kernels.edition("gpu")


def test_editions_offer_the_same_functions():
    first, *others = (kernels.edition(name) for name in kernels.EDITIONS)
    assert all(other.__all__ == first.__all__ for other in others)
