"""Lesson 2."""

TITLE = "Box sums and their transpose"
TEACHES = "What gathers forward scatters backward, over the same pairs; and how few additions a window needs."
NAMES = (
    "how_many_windows",
    "box_sum_backward",
    "the_pairing",
    "rows_and_columns",
    "box_sum_with_steps",
    "transpose_by_padding",
    "window_in_pairs",
)
