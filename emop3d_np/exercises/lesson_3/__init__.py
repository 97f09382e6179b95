"""Lesson 3."""

TITLE = "Leaky ReLU and normalisation"
TEACHES = "What a slope at a kink is, and why x acts in three ways when it is divided by its own deviation."
NAMES = (
    "kink_by_hand",
    "slope_from_output",
    "learned_slope",
    "moments_by_hand",
    "normalise_backward",
    "lost_scale",
    "group_normalisation",
)
