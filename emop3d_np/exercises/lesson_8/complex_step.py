"""A step of 1e-30

A difference of two nearly equal numbers keeps few digits, so steps must not be small. The complex step takes no
difference: with an analytic F that is real on the real line, `F(x + i h v)` has the slope along v, times h, in its
imaginary part.

`slope(F, x, v)` tries a step of 1e-30 with a difference, and gets 0 for everything. Give it the complex step, with
the same 1e-30. `F` takes an array, complex if need be, and gives one number; what is returned is a real number.

The page: [How gradients are checked](gradients_checked.md#the-numeric-side).
"""

HINTS = (
    "What is `1 + 1e-30` in float64?",
    "`1j` is i in Python: `x + 1e-30j * v` moves the imaginary part alone, which holds nothing else.",
    "`F(x + 1e-30j * v).imag / 1e-30`.",
)

# --- answer


def slope(F, x, v):
    """Slope of ``F`` at ``x`` along ``v``."""
    #: begin
    #| return (F(x + 1e-30 * v) - F(x)) / 1e-30
    return F(x + 1e-30j * v).imag / 1e-30
    #: end


# --- judge
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    slope = answer.function("slope(F, x, v)")
    x, v = judging.numbers(4), judging.numbers(4, seed=1)

    def F(x):
        return (x**3).sum() + np.exp(x).prod()

    right = (3 * x**2 + np.exp(x).prod()) @ v
    got = slope(F, x, v)
    if judging.shape_of(got) == () and np.iscomplexobj(got):
        raise judging.Wrong("a complex number is returned; the slope is its imaginary part alone, divided by the step")
    judging.array(got, (), "the slope")
    if got == 0:
        raise judging.Wrong("the slope is 0: a real step of 1e-30 changes no digit of x; the step must be imaginary")
    by_difference = [(F(x + h * v) - F(x - h * v)) / (2 * h) for h in (1e-4, 1e-5, 1e-6)]
    looks = {
        "the imaginary part is not divided by the step": right * 1e-30,
        "this is the real part, or the size; the slope stands in the imaginary part": [F(x) / 1e-30, abs(F(x)) / 1e-30],
        "this is the value of F; the slope stands in the imaginary part": F(x),
        "v is left out: the move is along v": (3 * x**2 + np.exp(x).prod()).sum(),
        "the sign is turned": -right,
        "this is half of the slope; the step is taken once, and not to both sides": right / 2,
    }
    judging.same(got, np.float64(right), "the slope", looks)
    if any(got == value for value in by_difference):
        raise judging.Wrong("this is a difference; it has ten digits at best")
    if abs(got - right) > 1e-13 * abs(right):
        raise judging.Wrong(
            f"the slope is right to {abs(got / right - 1):.0e}; the complex step with 1e-30 is right to 1e-15"
        )
    return "right to the last digits, with a step that no difference could take"
