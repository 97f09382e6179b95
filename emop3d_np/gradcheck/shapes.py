"""What a wrong shape gives away."""

from math import prod


def hint(shape: tuple[int, ...], due: tuple[int, ...]) -> str:
    """What to do where an array has ``shape`` and should have ``due``: words to go behind; empty where nothing fits."""
    if sorted(shape) == sorted(due):
        return "; the same lengths in another order: transpose its axes"
    if prod(shape) == prod(due):
        return "; the same number of values: reshape it"
    before = len(shape) - len(due)
    if before < 0 or any(own not in (1, length) for own, length in zip(due, shape[before:], strict=True)):
        return ""
    axes = [*range(before), *(before + k for k, own in enumerate(due) if own != shape[before + k])]
    over = f"axis {axes[0]}" if len(axes) == 1 else f"axes {tuple(axes)}"
    return f"; where it is broadcast, its gradient is the sum over {over}"
