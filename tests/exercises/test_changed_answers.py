"""Would the judges notice?  One sign, number or word of a solution is changed; what is left must not be right."""

import re

import pytest

from emop3d_np import exercises

pytestmark = [pytest.mark.once, pytest.mark.long]

CHANGES = (
    (r"\+=", "="),
    (r"(?<![=+\-*/<>e])\+(?!=)", "-"),
    (r"(?<= )-(?= )", "+"),
    (r"(?<!\*)\*(?!\*)", "/"),
    (r" / ", " * "),
    (r"\bsum\b", "mean"),
    (r"\bmean\b", "sum"),
    (r"argmax", "argmin"),
    (r"\bmax\b", "min"),
    (r"maximum", "minimum"),
    (r" > ", " >= "),
    (r" > ", " < "),
    (r" <= ", " < "),
    (r"\b\d+\b", lambda found: str(int(found[0]) + 1)),
    (r"\b[1-9]\d*\b", lambda found: str(int(found[0]) - 1)),
    (r"\babs\b", "float"),
    (r"True", "False"),
)

EQUAL = {
    # How much rounding, or how sharp a kink, is up to the student.
    "the_pairing": ("1e-8 *", "1e-10 *", ").mean()", " < 1e-9"),
    "kink": ("0.76", "0.74", ">= 0.75", "h / 3"),
    # Where z is 0 it adds nothing to dalpha, whichever side it is counted to.
    "learned_slope": ("np.where(z >= 0, 0, z)",),
    # The same places: the step passes over the last of them.
    "overlapping_blocks": (") + 2, 2)",),
    # Nothing but a check of lengths.
    "receptive_field": ("strict=False",),
}
"""Changes that leave an answer right: what stands in the changed line."""


def changed(exercise):
    """The student's file with one place of the solution changed, and the new lines of it."""
    before, after = exercise.around
    lines = exercise.solution[len(before) : len(exercise.solution) - len(after)]
    for pattern, other in CHANGES:
        for found in re.finditer(pattern, lines):
            new = other(found) if callable(other) else other
            text = lines[: found.start()] + new + lines[found.end() :]
            yield before + text + after, [line for line in text.splitlines() if line not in lines.splitlines()]


@pytest.mark.parametrize("exercise", exercises.all_of(), ids=lambda exercise: exercise.name)
def test_a_changed_answer_is_wrong(exercise):
    left = []
    for text, lines in changed(exercise):
        verdict = exercises.check(exercise.name, text)
        assert "stumbled" not in verdict.words, lines
        if verdict.right and not any(each in line for each in EQUAL.get(exercise.name, ()) for line in lines):
            left.append(lines)
    assert not left
