"""Lesson 1."""

TITLE = "The chain rule and the weighted sum"
TEACHES = "Move an input a little, follow it to the loss, collect what multiplies it; then a product and windows."
NAMES = (
    "chain_of_two",
    "two_ways",
    "windows_by_hand",
    "product_first",
    "weighted_row_backward",
    "lost_frame",
    "stride_in_time",
)
