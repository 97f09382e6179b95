"""The test of every transpose

Two functions are each other's transpose if both ways of pairing give the same number, for all `p` and `delta`:

`sum of delta * forward(p) == sum of backward(delta) * p`

`are_transposes(forward, backward, p, delta)` returns `True` where the two numbers are the same, and `False`
where they are not; they are floating-point numbers, so rounding must be allowed for: a difference of `1e-9` times the
sum of the absolute values of what is added up is none.

The file has a first try. Mend it.

The page: [Box sums](box_sums.md#by-hand).
"""

HINTS = (
    "Each side is one number: np.sum of a product.",
    "Take abs of the difference, not the difference: it may be negative.",
    "terms = delta * forward(p); abs(terms.sum() - (backward(delta) * p).sum()) <= 1e-9 * np.abs(terms).sum()",
)

# --- answer
import numpy as np


def are_transposes(forward, backward, p, delta):
    """Whether both ways of pairing agree."""
    #: begin
    #| return np.sum(delta * forward(p)) == np.sum(backward(delta) * p)
    one, other = delta * forward(p), backward(delta) * p
    return bool(abs(one.sum() - other.sum()) <= 1e-9 * (np.abs(one).sum() + np.abs(other).sum()))
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    function = answer.function("are_transposes(forward, backward, p, delta)")
    cases = []
    for seed in range(6):
        J = judging.numbers(3, 5, seed=seed)
        cases.append((J, J.T, True, "a matrix and its transpose, which differ by rounding alone"))
    J = cases[0][0]
    others = {
        "the double of the transpose": 2 * J.T,
        "half of the transpose": J.T / 2,
        "the transpose with another sign": -J.T,
        "a transpose that is 0.001 % too large": J.T * (1 + 1e-5),
        "the transpose upside down": J.T[::-1],
    }
    for words, turned in others.items():
        cases.append((J, turned, False, words))
    cases += [
        (1e12 * J, 1e12 * J.T, True, "a large matrix and its transpose, which differ by rounding alone"),
        (1e-12 * J, 2e-12 * J.T, False, "a small matrix and the double of its transpose"),
        (J, J.T, True, "a matrix and its transpose, where the terms of the sums cancel"),
    ]
    for number, (one, other, right, words) in enumerate(cases):
        p, delta = judging.numbers(5, seed=number + 10), judging.numbers(3, seed=number + 20)
        if "cancel" in words:
            p -= (J.T @ delta) * (delta @ (J @ p)) / np.square(J.T @ delta).sum()
        got = function(_taking("forward", one, "p"), _taking("backward", other, "delta"), p, delta)
        if not isinstance(got, (bool, np.bool_)):
            raise judging.Wrong(f"the answer is {got!r}; it must be True or False")
        if bool(got) != right:
            raise judging.Wrong(f"the answer is {got} for {words}; it must be {right}")
    return f"all of {len(cases)} pairs of functions are told rightly"


def _taking(name, matrix, what):
    """The function of a matrix; Wrong where it is given something that does not have the form of ``what``."""

    def product(v):
        if judging.shape_of(v) != (matrix.shape[1],):
            raise judging.Wrong(f"{name} takes {what}; here it is given an array of shape {judging.shape_of(v)}")
        return matrix @ v

    return product
