"""Lesson 4."""

TITLE = "Pooling"
TEACHES = "Whom the gradient of a maximum goes to, when windows overlap and when values are equal; a mean in its place."
NAMES = (
    "winners_by_hand",
    "block_maximum_backward",
    "frames_that_win",
    "average_pooling",
    "scale_shift_backward",
    "overlapping_blocks",
    "running_maximum",
)
