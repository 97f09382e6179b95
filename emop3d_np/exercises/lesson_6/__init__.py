"""Lesson 6."""

TITLE = "The pyramid"
TEACHES = "How a clip shrinks, what one unit sees, what the first weights should be, and one gradient through a "
"whole network."
NAMES = (
    "window_count",
    "smallest_clip",
    "receptive_field",
    "parameter_count",
    "glorot_window",
    "two_layers",
    "effective_rate",
    "whole_chain",
)
