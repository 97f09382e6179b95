"""What a wrong shape gives away."""


def hint(shape: tuple[int, ...], due: tuple[int, ...]) -> str:
    """What to do where an array has ``shape`` and should have ``due``: words to go behind; empty where nothing fits."""
    if sorted(shape) == sorted(due):
        return "; the same lengths in another order: transpose its axes"
    size, wanted = 1, 1
    for length in shape:
        size *= length
    for length in due:
        wanted *= length
    if size == wanted:
        return "; the same number of values: reshape it"
    before = len(shape) - len(due)
    if before < 0 or any(own not in (1, length) for own, length in zip(due, shape[before:], strict=True)):
        return ""
    axes = [*range(before), *(before + k for k, own in enumerate(due) if own != shape[before + k])]
    over = f"axis {axes[0]}" if len(axes) == 1 else f"axes {tuple(axes)}"
    return f"; where it is broadcast, its gradient is the sum over {over}"
