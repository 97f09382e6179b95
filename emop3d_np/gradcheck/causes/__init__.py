"""What is likely wrong with a wrong gradient, in words: a list of suspicions, each put to the test.

A suspicion is a function from :class:`.evidence.Evidence` to a sentence.  It speaks only where the mistake that it
names gives exactly what backward gives, to rounding, and leaves nothing of the error; else it is silent.  So is the
whole where nothing fits: better no word than a wrong one.
"""

import numpy as np

from kernels.arrays import FloatArray

from ...errors import InputError
from .. import effort
from ..effort import Budget
from ..state import Case, Found
from . import moments, order, sums, values
from .evidence import Cause, Evidence, gather

CAUSES: tuple[Cause, ...] = (
    values.all_zeros,
    values.factor,
    sums.one_output,
    order.exchanged,
    moments.through_moments,
    moments.softmax_sum,
    moments.one_hot,
    moments.epsilon,
    moments.own_variance,
    values.activation,
    values.two_factors,
    values.incoming_values,
    order.border,
    sums.one_place,
    order.transposed,
    order.along_one_axis,
    order.shifted,
    order.incoming_order,
    sums.overwritten,
    sums.place_left_out,
    sums.window_short,
    sums.summed,
    sums.summed_incoming,
    values.missing_term,
    values.dead_outputs,
    values.one_of_two_uses,
    values.product_with,
    order.another_point,
    values.matrix_not_transposed,
)
"""In the order in which they are tried; the first that fits is named."""

OF_FEW: tuple[Cause, ...] = (values.all_zeros, values.factor)
"""Those of them that need no more than some elements and the outputs that these move."""


def likely(case: Case, found: Found) -> list[str]:
    """What is likely wrong, a sentence for each input whose gradient is wrong and for which one fits."""
    given = case.budget.seconds
    budget = Budget(None if not given else effort.NAMING * given)
    sentences: dict[str, list[object]] = {}
    for i in case.answers.judged:
        wrong = any(f.ratio > 1 and f.array == found.names[i] for f in found.findings)
        if not wrong and not found.rows[i].worst_direction > 1:
            continue
        words = name(case, found, i, budget)
        if words:
            sentences.setdefault(words, []).append(found.names[i])
    return [f"the gradient of {', '.join(map(str, names))} {words}" for words, names in sentences.items()]


def _errors(found: Found, i: int, evidence: Evidence | None) -> FloatArray:
    """What backward says less what it should say, of the input's shape: 0 where it is right, NaN where not known."""
    ratios = found.ratios[i]
    errors: FloatArray = np.where(ratios <= 1, 0.0, np.nan)
    if evidence is not None:
        errors.flat[evidence.places] = (evidence.given - evidence.wanted)[0]
    for finding in found.findings:
        of_element = finding.array == found.names[i] and not finding.along and len(finding.index) == errors.ndim
        if of_element and np.isnan(errors[finding.index]):
            errors[finding.index] = finding.analytic - finding.numeric
    return errors


def name(case: Case, found: Found, i: int, budget: Budget) -> str:
    """What is likely wrong with the gradient of input ``i``; an empty text where nothing fits."""
    try:
        evidence = gather(case, found, i, budget)
    except InputError:
        return ""
    found.errors[i] = _errors(found, i, evidence)
    if evidence is None or not evidence.gap > evidence.exact:
        return ""
    for cause in OF_FEW if evidence.cut else CAUSES:
        with np.errstate(all="ignore"):
            words = cause(evidence)
        if words:
            return words if evidence.whole else f"{words} (at the {len(evidence.places)} elements looked at)"
    return ""
