"""Contracts put around an operation anew: what they let through, they hand on as it came, and Python says the rest."""

import numpy as np
import pytest
from test_wrong_calls import RIGHT

import kernels
from emop3d_np.errors import InputError
from kernels.contracts import ARRAYS, checked

pytestmark = pytest.mark.once


def plain(name):
    """The equation without its contract."""
    return getattr(kernels.edition("reference"), name).__wrapped__


def same(one, other):
    pairs = zip(one, other, strict=True) if isinstance(one, tuple) else [(one, other)]
    return all(np.array_equal(*pair) for pair in pairs)


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_right_calls_come_through(name):
    function, arguments, names = plain(name), RIGHT[name], list(ARRAYS[name])
    operation, expected = checked(name, function, True), function(*RIGHT[name])
    assert operation.__wrapped__ is function
    assert same(operation(*arguments), expected)
    assert same(checked(name, function)(*arguments), expected)
    count = min(len(names), len(arguments))  # the levels of an affine map may be left out
    by_name = dict(zip(names, arguments, strict=False))
    assert same(
        operation(*arguments[:1], **dict(list(by_name.items())[1:]), **rest(function, arguments, count)), expected
    )
    assert same(operation(**by_name, **rest(function, arguments, count)), expected)


def rest(function, arguments, count):
    """What stands behind the arrays, by name."""
    from inspect import signature

    return dict(zip(list(signature(function).parameters)[count:], arguments[count:], strict=False))


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_wrong_calls_do_not(name):
    operation, arguments = checked(name, plain(name)), RIGHT[name]
    with pytest.raises(TypeError, match="positional argument"):
        operation(*arguments, *[1] * 20)
    with pytest.raises(TypeError, match="missing"):
        operation()
    with pytest.raises(TypeError, match="nonsense"):
        operation(*arguments, nonsense=1)
    with pytest.raises(InputError, match=f"^{name}: "):
        operation(arguments[0][..., :0], *arguments[1:])
    with pytest.raises(InputError, match=r"has dtype .*; give float32 or float64"):
        operation(arguments[0].astype(complex), *arguments[1:])


def test_complex_numbers_are_for_the_equations():
    x = RIGHT["leaky_relu"][0].astype(complex)
    with pytest.raises(InputError, match="has dtype"):
        checked("leaky_relu", plain("leaky_relu"))(x)
    seen = checked("dense", lambda a, weights, bias: a.dtype.kind, True)
    assert seen(np.ones((1, 1), complex), np.ones((1, 1)), np.ones(1)) == "c"


def test_what_has_no_contract_is_itself():
    function = object()
    assert checked("fuse", function) is function


@pytest.mark.parametrize("name", ["standardize", "affine", "block_means"])
def test_an_output_of_any_form_is_filled(name):
    operation, (x, *others) = checked(name, plain(name)), RIGHT[name]
    expected = operation(x, *others)
    strided = np.full((*expected.shape[:-1], 2 * expected.shape[-1]), 7.0)
    out = strided[..., ::2]
    assert operation(x, *others, out=out) is out
    assert np.array_equal(out, expected)
    assert (strided[..., 1::2] == 7).all()
    with pytest.raises(InputError, match="the result is"):
        operation(x, *others, out=np.empty((1, *expected.shape[1:])))


def test_an_output_that_overlaps_its_input_in_part():
    x = np.random.default_rng(0).standard_normal((3, 2, 4, 4, 1))
    operation = checked("standardize", plain("standardize"))
    expected = operation(x[:2])
    assert np.array_equal(operation(x[:2], out=x[1:]), expected)
