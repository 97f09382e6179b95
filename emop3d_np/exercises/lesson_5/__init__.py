"""Lesson 5."""

TITLE = "Votes and what they are worth"
TEACHES = (
    "The end of the network and the beginning of the way back: three gradients of a product, exponentials within "
    "range, and "
    "what was said less what was true."
)
NAMES = (
    "shrug",
    "dense_backward",
    "stable_softmax",
    "cross_entropy_backward",
    "smoothed_labels",
    "weights_decay",
    "temperature",
)
