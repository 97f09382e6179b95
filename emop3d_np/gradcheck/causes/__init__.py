"""What is likely wrong with a wrong gradient, in words: a list of suspicions, each put to the test.

A suspicion is a function from :class:`.evidence.Evidence` to a sentence.  It speaks only where the mistake that it
names gives exactly what backward gives, to rounding, and leaves nothing of the error; else it is silent.  So is the
whole where nothing fits: better no word than a wrong one.
"""

import numpy as np

from ...errors import InputError
from ..state import Case, Found
from . import moments, order, sums, values
from .evidence import Cause, gather

CAUSES: tuple[Cause, ...] = (
    values.all_zeros,
    values.factor,
    sums.one_output,
    order.exchanged,
    moments.through_moments,
    moments.softmax_sum,
    moments.one_hot,
    moments.epsilon,
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


def likely(case: Case, found: Found) -> list[str]:
    """What is likely wrong, a sentence for each input whose gradient is wrong and for which one fits."""
    sentences: dict[str, list[object]] = {}
    for i in case.answers.judged:
        wrong = any(f.ratio > 1 and f.array == found.names[i] for f in found.findings)
        if not wrong and not found.rows[i].worst_direction > 1:
            continue
        words = name(case, found, i)
        if words:
            sentences.setdefault(words, []).append(found.names[i])
    return [f"the gradient of {', '.join(map(str, names))} {words}" for words, names in sentences.items()]


def name(case: Case, found: Found, i: int) -> str:
    """What is likely wrong with the gradient of input ``i``; an empty text where nothing fits."""
    try:
        evidence = gather(case, found, i)
    except InputError:
        return ""
    if evidence is None or not evidence.gap > evidence.exact:
        return ""
    for cause in CAUSES:
        with np.errstate(all="ignore"):
            words = cause(evidence)
        if words:
            return words
    return ""
