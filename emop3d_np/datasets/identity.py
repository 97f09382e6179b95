"""What a run's clips are, kept in its checkpoint."""

from typing import Any

from .clips import ClipSet


def describe(training: ClipSet, validation: ClipSet | None) -> dict[str, Any]:
    """What a checkpoint keeps of the clips of its run.

    Args:
        training, validation: the sets; the second may be None.

    Returns:
        Plain values: ``class_names``, in the order of the labels; ``record``, as of ``datasets.record``, None where the
        training set has none; and ``training`` and ``validation``, of each set how
        many clips it has, ``count``; None for a set that there is not.
    """
    sets = {"training": training, "validation": validation}
    described = {part: clips and {"count": len(clips)} for part, clips in sets.items()}
    record = training.record and training.record.as_dict()
    return {"class_names": list(training.class_names), "record": record, **described}
