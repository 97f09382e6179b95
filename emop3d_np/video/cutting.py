"""How faces are cut out for a trained network: as those of its training clips were, unless its user says otherwise."""

from collections.abc import Mapping
from typing import Any

from ..datasets.record import Record, in_words

FLAGS = {
    "prefer": "face",
    "every": "detect_every",
    "min_face": "min_face",
    "patience": "patience",
    "margin": "margin",
    "rate": "fps",
}
"""What the settings of :class:`emop3d_np.video.prepare.FaceSettings` are called on the command line, but ``size``."""


def as_flags(faces: object) -> dict[str, Any]:
    """The values of a FaceSettings, by the names of their flags."""
    return {flag: getattr(faces, name) for name, flag in FLAGS.items()}


def as_trained(record: Record | None, given: Mapping[str, Any], default: object) -> tuple[dict[str, Any], list[str]]:
    """How faces are to be cut out.

    Args:
        record: of the training clips; None where they have none.
        given: settings that the user gave, by their names in FaceSettings; None stands for one that was not given.
        default: FaceSettings for what neither of them says.

    Returns:
        ``options, notes``: every setting but the size, by name, and what the user should know: where what is given
        differs from the record, or that there is none.
    """
    given = {name: value for name, value in given.items() if value is not None}
    unknown = set(given) - set(FLAGS)
    if unknown:
        raise TypeError(f"unknown options {', '.join(sorted(unknown))}; there are {', '.join(FLAGS)}")
    recorded = record.faces if record else None
    if recorded is None:
        options = {name: getattr(default, name) for name in FLAGS} | given
        words = " ".join(in_words(flag, options[name]) for name, flag in FLAGS.items() if options[name] is not None)
        return options, [f"how the training clips were cut out is not recorded; faces are cut out by {words}"]
    options = {name: recorded[flag] for name, flag in FLAGS.items()}
    notes = [
        f"{in_words(flag, given[name])} is used as given; the training clips were cut out with "
        f"{in_words(flag, options[name])}"
        for name, flag in FLAGS.items()
        if name in given and given[name] != options[name]
    ]
    return options | given, notes
