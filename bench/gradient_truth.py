"""Are the cases for gradient checkers themselves right?

    python bench/gradient_truth.py          # in the peers' environment, where PyTorch is: make bench-gradients

Every right case that says its forward pass once more in PyTorch's words (``Case.truth``) is compared with it in
float64: outputs, and the gradients of PyTorch's automatic differentiation.  Every wrong case must differ from its right
twin on the same inputs, by more than rounding; those that differ by less are listed: by state, by memory, from call to
call, or by a range of numbers that one array holds.
"""

import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gradient_cases import CASES, twin

SAME = 1e-9
"""Right: off by no more of the largest gradient of an input, in float64."""


def widened(inputs):
    """The inputs with floats in float64."""
    return tuple(each.astype(np.float64) if each.dtype.kind == "f" else each.copy() for each in inputs)


def incoming(outputs, seed=4321):
    rng = np.random.default_rng(seed)

    def like(each):
        drawn = rng.standard_normal(np.shape(each))
        return drawn + 1j * rng.standard_normal(np.shape(each)) if each.dtype.kind == "c" else drawn

    return [np.where(np.isfinite(each), like(each), 0) for each in outputs]


def answers(forward, backward, inputs, d):
    """Outputs as a list, and the gradients of a pair."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        outputs = forward(*[each.copy(order="K") for each in inputs])
        several = isinstance(outputs, tuple)
        outputs = [np.asarray(each) for each in (outputs if several else (outputs,))]
        d = [each.astype(output.dtype) for each, output in zip(d or incoming(outputs), outputs, strict=True)]
        gradients = backward(tuple(d) if several else d[0], *[each.copy(order="K") for each in inputs])
    return outputs, [None if g is None else np.array(g) for g in gradients], d


def by_torch(truth, inputs, d):
    import torch

    tensors = [torch.from_numpy(each).requires_grad_(each.dtype.kind in "fc") for each in inputs]
    outputs = truth(torch, *tensors)
    outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
    # An output that is not finite takes no part: its incoming gradient is 0 and would give 0 times infinity.
    finite = [torch.where(torch.isfinite(y), y, 0) for y in outputs]
    moved = [t for t in tensors if t.requires_grad]
    found = iter(torch.autograd.grad(finite, moved, [torch.from_numpy(each) for each in d], allow_unused=True))
    return [y.detach().numpy() for y in outputs], [next(found).numpy() if t.requires_grad else None for t in tensors]


def off(one, other):
    """Largest difference in shares of the largest value; infinite where shapes or what is finite differ."""
    one, other = (each if each.dtype.kind == "c" else np.asarray(each, np.float64) for each in (one, other))
    if one.shape != other.shape or (np.isfinite(one) != np.isfinite(other)).any():
        return np.inf
    fine = np.isfinite(one)
    largest = max(np.abs(one[fine]).max(initial=0), np.abs(other[fine]).max(initial=0))
    return float(np.abs(one[fine] - other[fine]).max(initial=0) / largest) if largest else 0.0


def confirm(case):
    """What is not as PyTorch has it, in words; nothing where all is."""
    forward, backward, inputs = case.make()
    wide = widened(inputs)
    outputs, gradients, d = answers(forward, backward, wide, None)
    true_outputs, true_gradients = by_torch(case.truth, wide, d)
    for what, ours, theirs in (("output", outputs, true_outputs), ("gradient", gradients, true_gradients)):
        for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            if (one is None) != (other is None):
                yield f"{what} {i}: one is None"
            elif one is not None and not off(one, other) <= SAME:
                yield f"{what} {i}: {off(one, other):.2g} of the largest"
    _, coarse, _ = answers(*case.make(), None)
    for i, (one, other) in enumerate(zip(coarse, inputs, strict=True)):
        if one is not None and one.dtype != other.dtype:
            yield f"gradient {i} is {one.dtype}, its input {other.dtype}"


def difference(case):
    """By how much a wrong case differs from its right twin, and from itself in a second call."""
    forward, backward, inputs = case.make()
    same, right, given = twin(case).make()
    if [each.tobytes() for each in inputs] != [each.tobytes() for each in given]:
        return "inputs differ"
    try:
        _, one, d = answers(forward, backward, inputs, None)
        _, other, _ = answers(same, right, given, d)
    except Exception as error:
        return f"raises {type(error).__name__}"
    gaps = [
        np.inf if (a is None) != (b is None) else 0 if a is None else off(a, b) for a, b in zip(one, other, strict=True)
    ]
    return max(gaps, default=0)


def main():
    confirmed = bad = 0
    for case in CASES:
        if case.right and case.truth:
            words = list(confirm(case))
            confirmed, bad = confirmed + (not words), bad + bool(words)
            if words:
                print(f"NOT CONFIRMED {case.name}: {'; '.join(words)}")
    right = sum(case.right for case in CASES)
    print(f"{confirmed} of {right} right cases confirmed by PyTorch, {right - confirmed - bad} without such words")
    for case in CASES:
        if not case.right:
            gap = difference(case)
            if isinstance(gap, str) or not gap > 1e-6:
                print(f"{case.name}: differs from its twin by {gap if isinstance(gap, str) else format(gap, '.2g')}")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
