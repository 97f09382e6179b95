"""The readable edition has no fused pass: it is the layers, one after the other."""

from numpy.typing import DTypeLike


def fuse(
    input_shape: tuple[int, int, int, int],
    maps: int,
    classes: int,
    dtype: DTypeLike,
    receptive_field: tuple[int, int, int],
    strides: tuple[int, int, int],
    pool: tuple[int, int, int],
    pooling: str,
) -> None:
    """None, for every network; the arguments are those of the other editions' ``fuse``."""
