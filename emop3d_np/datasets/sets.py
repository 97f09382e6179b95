"""The training and validation sets that the settings name."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from kernels.arrays import IntArray

from ..errors import InputError
from ..reading import listed
from . import parts
from .arrays import load_npy, open_npy
from .classes import numbered
from .clips import ClipSet
from .folds import group_folds, linked_groups
from .medmnist import load_medmnist, open_volumes
from .prepared import load_prepared


def load_sets(settings: SimpleNamespace) -> tuple[ClipSet, ClipSet | None]:
    """Open both sets: from files or prepared folders, or where no path is given, the faces that the package draws.

    Args:
        settings: as ``emop3d_np.training.flags.merge`` returns them.

    Returns:
        ``training, validation``.  The second is None when only training paths are given; but a set of MedMNIST brings
        its own validation split.  With ``folds`` and ``fold``, they are the training set's clips outside the fold and
        in it.

    Raises:
        InputError: a path without its labels, or a file that does not fit.
    """
    if settings.folds:
        clips = load_all(settings)
        fold_of, test = split(clips, settings), settings.fold - 1
        return (
            clips.take(np.flatnonzero(fold_of != test), f"{clips.name} without fold {settings.fold}"),
            clips.take(np.flatnonzero(fold_of == test), f"fold {settings.fold} of {clips.name}"),
        )
    if not _given(settings):
        from .faces import VALIDATION_FACES

        return load_all(settings), _drawn_set("drawn faces of other people", VALIDATION_FACES, settings)
    training = _open_set(settings, "train")
    if not (settings.val_path or settings.val_labels_path):
        if _is_medmnist(settings.train_path):
            return training, open_set(settings.train_path, None, settings, "train", "val")
        return training, None
    validation = _open_set(settings, "val")
    if validation.index and training.index and validation.class_names != training.class_names:
        raise InputError(
            f"val_path {settings.val_path}: its classes are {listed(validation.class_names)}, "
            f"those of train_path {listed(training.class_names)}; they must be the same"
        )
    return training, replace(validation, class_names=(training if training.index else validation).class_names)


def load_all(settings: SimpleNamespace) -> ClipSet:
    """Open the training set, whole.  Arguments and errors are those of :func:`load_sets`."""
    if _given(settings):
        return _open_set(settings, "train")
    from .faces import TRAINING_FACES

    return _drawn_set("drawn faces", TRAINING_FACES, settings)


def split(clips: ClipSet, settings: SimpleNamespace) -> IntArray:
    """The fold that tests each clip.

    Args:
        clips: set of n clips.
        settings: ``folds``, ``fold_protocol`` (``subjects``: clips linked by a subject or a source stay together;
            ``clips``: each clip goes by itself) and ``seed`` are read.

    Returns:
        int64 ndarray of shape (n,), ``0 ... folds - 1``.

    Raises:
        InputError: nothing is known of the clips' subjects, or there are fewer groups than folds.
    """
    groups: IntArray = np.arange(len(clips))
    if settings.fold_protocol == "clips":
        what = "clips"
    elif clips.index:
        groups, what = linked_groups(clips.index["subject"], clips.index["source"]), "groups of subjects and videos"
    else:
        raise InputError(
            f"--folds {settings.folds}: who is seen in the clips of {clips.name} is not known; give a prepared folder "
            f"(Training.npy or its parts, labels.npy, index.csv, classes.txt) as --train_path, or --fold_protocol clips"
        )
    count = len(np.unique(groups))
    if count < settings.folds:
        raise InputError(f"--folds {settings.folds} is more than the {count} {what} of {clips.name}; lower it")
    return group_folds(groups, clips.labels, settings.folds, settings.seed)


def _given(settings: SimpleNamespace) -> list[str]:
    """Which flags of paths are set."""
    flags = "train_path", "train_labels_path", "val_path", "val_labels_path"
    return [flag for flag in flags if getattr(settings, flag)]


def _open_set(settings: SimpleNamespace, part: str) -> ClipSet:
    """Open the set that the flags beginning with ``part`` name."""
    flags = f"{part}_path", f"{part}_labels_path"
    clips, labels = (getattr(settings, flag) for flag in flags)
    for flag in flags:
        if not getattr(settings, flag) and not (clips and (_is_prepared(clips) or _is_medmnist(clips))):
            raise InputError(f"--{flag} is missing; --{_given(settings)[0]} needs it")
    return open_set(clips, labels, settings, part, part)


def open_set(
    clips: str | Path,
    labels: str | Path | None,
    settings: SimpleNamespace,
    flag: str,
    part: str,
    class_names: Sequence[str] | None = None,
) -> ClipSet:
    """Open one set of clips.

    Args:
        clips: path of an .npy, a folder of parts, a prepared folder, or a 3D set of MedMNIST, .npz.
        labels: path of the labels that go with an .npy or with parts; None for a prepared folder or an .npz, which have
            their own.
        settings: the set must have their shape of clips and number of classes; its batches are shrunk as they say.
        flag: messages call the paths by this name with ``_path`` and ``_labels_path`` behind it.
        part: which split of a set of MedMNIST: "train", "val" or "test".
        class_names: names of a trained network's classes: a prepared folder with the same names in another order gets
            its labels by this one, and where the folder or the network has no names, labels stand for themselves.
            Default None, the set's own.

    Raises:
        InputError: a file does not fit, its classes have other names, or labels are missing or given where none are
            needed.
    """
    flags = f"{flag}_path", f"{flag}_labels_path"
    shape, classes = clip_shape(settings), settings.num_classes
    if labels and (_is_prepared(clips) or _is_medmnist(clips)):
        raise InputError(f"--{flags[1]} {labels}: leave it out, the labels are in {clips}")
    if _is_prepared(clips):
        found = load_prepared(clips, shape, classes, flags[0], class_names)
    elif _is_medmnist(clips):
        found = load_medmnist(clips, part, shape, classes, flags[0])
    elif labels:
        found = load_npy(clips, labels, shape, classes, flags)
    else:
        what = "a folder of parts needs an .npy" if parts.is_parted(clips) else "an .npy of clips needs a second one"
        raise InputError(f"{flags[0]} {clips}: {what} with their labels; give both")
    if class_names and found.class_names == numbered(classes):
        found = replace(found, class_names=tuple(class_names))
    return replace(found, shrink=settings.shrink)


def open_clips(path: str | Path | None) -> parts.Clips:
    """Open clips to look at, of any shape, without their labels.

    Args:
        path: as of :func:`open_set`, or None for the drawn faces of six people.

    Returns:
        Array of shape (n, d, h, w, c), or what stands for one: the clips, of a set of MedMNIST those of its training
        split.

    Raises:
        InputError: a file is missing or damaged, or holds no clips.
    """
    if path is None:
        from . import faces  # brings Numba along

        people = range(len(faces.EMOTIONS))
        return faces.draw_faces(labels=people, identities=people)
    clips = open_volumes(path) if _is_medmnist(path) else open_npy(_file_of(path))
    if not clips.size:
        raise InputError(f"clips {path}: is empty, it holds no clips")
    return clips


def _file_of(path: str | Path) -> str | Path:
    """Where the clips of a prepared folder are; a file is itself."""
    return parts.of_prepared(path) if _is_prepared(path) else path


def _is_prepared(path: str | Path) -> bool:
    """Whether a path is of a prepared folder, which has its own labels; a folder of parts has none."""
    return Path(path).is_dir() and not parts.is_parted(path)


def _is_medmnist(path: str | Path) -> bool:
    return Path(path).suffix == ".npz"


def clip_shape(settings: SimpleNamespace) -> tuple[int, int, int, int]:
    """``(d, h, w, c)`` of a clip as it is stored."""
    return settings.depth_frames, settings.height, settings.width, settings.in_channels


def _drawn_set(name: str, people: tuple[int, int, int], settings: SimpleNamespace) -> ClipSet:
    """Faces of ``people``, ``(count, first_identity, identity_count)``, each drawn when it is first read."""
    from . import faces  # brings Numba along

    if settings.num_classes != len(faces.EMOTIONS):
        raise InputError(
            f"--num_classes is {settings.num_classes}, the drawn faces show {len(faces.EMOTIONS)} emotions; "
            f"give --train_path for data of your own"
        )
    clips, labels, identities, draw = faces.lazily_drawn_faces(
        *people, shape=clip_shape(settings), degree=settings.faces
    )
    numbers = np.arange(len(labels))
    index = {"subject": identities, "source": numbers, "video": numbers, "first_frame": np.zeros_like(numbers)}
    name = name if settings.faces == "default" else f"{name}, {settings.faces}"
    return ClipSet(name, clips, labels, faces.EMOTIONS, draw, index, shrink=settings.shrink)
