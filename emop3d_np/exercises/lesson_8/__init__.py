"""Lesson 8."""

TITLE = "Believing and hurrying"
TEACHES = "How a gradient is tested, and how sums are taken fast without other digits coming out."
NAMES = (
    "central_difference",
    "best_steps",
    "directional_check",
    "allowed_error",
    "complex_step",
    "kink",
    "forgotten_digits",
    "windows_of_six",
    "sparse_means",
    "tree_sum",
    "same_bits",
    "as_they_come",
)
