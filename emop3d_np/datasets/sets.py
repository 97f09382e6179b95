"""The training and validation sets that the settings name."""

from ..errors import InputError
from .arrays import load_npy
from .clips import ClipSet


def load_sets(settings):
    """Open both sets: .npy files, or without paths the faces that the package draws.

    Args:
        settings: as ``emop3d_np.settings.merge`` returns them.

    Returns:
        ``training, validation``: two ClipSets; the second is None when only training paths are given.

    Raises:
        InputError: a path without its labels, or a file that does not fit.
    """
    shape = (settings.depth_frames, settings.height, settings.width, settings.in_channels)
    paths = ["train_path", "train_labels_path", "val_path", "val_labels_path"]
    given = [name for name in paths if getattr(settings, name)]
    if not given:
        from . import faces  # brings Numba along

        if settings.num_classes != len(faces.EMOTIONS):
            raise InputError(
                f"--num_classes is {settings.num_classes}, the drawn faces show {len(faces.EMOTIONS)} emotions; "
                f"give --train_path for data of your own"
            )
        sets = (("drawn faces", faces.TRAINING_FACES), ("drawn faces of other people", faces.VALIDATION_FACES))
        return tuple(_drawn_set(name, people, shape) for name, people in sets)
    for name in paths[:2] + (paths[2:] if set(paths[2:]) & set(given) else []):
        if name not in given:
            raise InputError(f"--{name} is missing; --{given[0]} needs it")
    sets = [
        load_npy(getattr(settings, clips), getattr(settings, labels), shape, settings.num_classes, (clips, labels))
        if clips in given
        else None
        for clips, labels in (paths[:2], paths[2:])
    ]
    return tuple(sets)


def _drawn_set(name, people, shape):
    from . import faces

    clips, labels, _, draw = faces.lazily_drawn_faces(*people, shape=shape)
    return ClipSet(name, clips, labels, faces.EMOTIONS, draw)
