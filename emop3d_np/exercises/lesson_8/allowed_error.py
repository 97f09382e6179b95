"""The check that lets NaN pass

`passes(promised, measured, terms, tol)` decides whether one gradient is right, True or False. `terms` are the numbers
that add up to it, an array. A gradient may be small because large terms cancel; then rounding in the terms is large
beside it. So the error is allowed to be `tol` times the sum of the sizes of the terms:

    |promised - measured|  at most  tol * sum of |terms|

The function has two mistakes: it refuses a right gradient whose terms cancel, and it lets NaN pass. Mend both.

The page: [How gradients are checked](gradients_checked.md#how-large-an-error-is-allowed), and there
[where mistakes hide](gradients_checked.md#where-mistakes-hide).
"""

HINTS = (
    "Against what is the error measured in the code, against what in the formula?",
    "Every comparison with NaN is False. What does `not` make of that?",
    "`return bool(error <= tol * np.abs(terms).sum())`: passes *if*, not fails if.",
)

# --- answer
import numpy as np


def passes(promised, measured, terms, tol):
    """Whether the gradient is right."""
    #: begin
    #| error = abs(promised - measured)
    #| return not error > tol * abs(measured)
    error = abs(promised - measured)
    return bool(error <= tol * np.abs(terms).sum())
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    passes = answer.function("passes(promised, measured, terms, tol)")
    plain, cancelling = np.array([1.0, 2.0, 0.5]), np.array([1e6, -1e6, 0.001])
    cases = (
        (3.5, 3.5, plain, True, "a gradient without any error is refused"),
        (
            3.5,
            3.5 + 3e-6,
            plain,
            True,
            "an error of 3e-6 is refused, where 3.5e-6 is allowed: the sizes of all terms are added up",
        ),
        (3.6, 3.5, plain, False, "an error of 3 % passes at a tolerance of 1e-6"),
        (3.5, 3.6, plain, False, "an error passes where too little is promised; its size counts, abs(...)"),
        (
            3.5,
            3.5 + 5e-6,
            plain,
            False,
            "an error of 5e-6 passes, where 3.5e-6 is allowed: tol times the terms, and no more",
        ),
        (
            0.001,
            0.0010001,
            cancelling,
            True,
            "a right gradient is refused whose terms, of 1e6, cancel: rounding alone is larger; it is the sizes of the "
            "terms, each by itself, that add up",
        ),
        (-5.0, 0.001, cancelling, False, "an error of 5 passes, where the sizes of the terms allow 2"),
        (-3.5, -3.5000001, -plain, True, "a right gradient of negative terms is refused: the sizes of terms add up"),
        (
            0.0,
            0.0,
            np.zeros(3),
            True,
            "a gradient of 0 that is exactly 0 is refused: an error as large as allowed passes",
        ),
        (1e-9, 0.0, np.zeros(3), False, "a gradient appears where all terms are 0, and passes"),
        (np.nan, 3.5, plain, False, "NaN passes: every comparison with NaN is False, and `not` makes True of it"),
        (3.5, np.nan, plain, False, "a measured NaN passes"),
        (3.5, 3.5, np.array([1.0, np.nan, 0.5]), False, "a gradient passes of whose terms one is NaN"),
        (np.inf, np.inf, plain, False, "infinity less infinity is NaN, and it passes"),
    )
    for promised, measured, terms, right, words in cases:
        got = passes(promised, measured, terms, 1e-6)
        if not isinstance(got, (bool, np.bool_)):
            raise judging.Wrong(f"{got!r:.60} is returned; it must be True or False")
        if bool(got) != right:
            raise judging.Wrong(words)
    if not passes(3.5, 3.6, plain, 0.1) or passes(3.5, 3.5 + 3e-6, plain, 1e-8):
        raise judging.Wrong("the tolerance is tol; with 0.1 an error of 3 % passes, and with 1e-8 one of 3e-6 does not")
    return "cancelling terms are forgiven, and nothing else is, NaN least of all"
