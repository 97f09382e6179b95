"""Drawn faces: the data set that the package carries within itself.

A clip shows a made-up person whose face turns from one emotion to another; its label is the one that it turns to.
Other clips show the same frames in the opposite order, and have the other label.  People differ in build, hair and
skin, and above all in their face at rest: one has low brows, another upturned corners of the mouth, and so looks angry
or happy by nature.  ``face_courses.py`` says how faces move, ``face_drawing.py`` what they look like.

All that is random follows from the numbers of a clip: seed, label, identity, take.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from kernels.arrays import AnyArray, IntArray

from ..errors import InputError
from .face_courses import DEGREES, EMOTIONS, PAIRS, performances
from .face_drawing import shapes_of
from .painting import paint_clips

__all__ = [
    "DEGREES",
    "EMOTIONS",
    "PAIRS",
    "TRAINING_FACES",
    "VALIDATION_FACES",
    "draw_faces",
    "drawn_faces",
    "lazily_drawn_faces",
]

TRAINING_FACES = (960, 0, 80)
"""``count, first_identity, identity_count`` of the default training set, for :func:`drawn_faces`."""

VALIDATION_FACES = (240, 80, 40)
"""The same of the default validation set: other people."""

SMALLEST = (1, 16, 16, 1)
LARGEST_NUMBER = 2**32 - 1  # one word of the seeds of NumPy's generator

CLIPS_AT_A_TIME = 256
"""Clips whose shapes are worked out together: bounds the memory, decides nothing else."""

NOISE_PLACES = 1 << 16
"""All frames take their noise from one table, each from one of so many places in it."""


def draw_faces(
    labels: ArrayLike,
    identities: ArrayLike,
    seed: int = 0,
    shape: tuple[int, int, int, int] = (16, 100, 100, 1),
    takes: ArrayLike = 0,
    degree: str = "default",
) -> AnyArray:
    """Draw clips of faces that turn to an emotion.

    A clip depends on the seed and on its own label, identity and take: neither on the number of threads nor on the
    clips drawn along with it.

    Args:
        labels: whole numbers of shape (n,), indices into :data:`EMOTIONS`.
        identities: whole numbers of shape (n,), at least 0: who is seen.
        seed: at least 0; default 0.  Another seed makes other people.
        shape: ``(d, h, w, c)`` of a clip, at least 1 x 16 x 16 x 1; default (16, 100, 100, 1).  Channels are equal.
        takes: whole numbers of shape (n,), or one for all, at least 0; default 0.  Takes of the same person and emotion
            differ in timing, intensity, pose, light and noise.
        degree: how hard.  "default": emotions go in pairs, each turning to the other; "hard": any turns to any other,
            and faces at rest and noise are stronger; "easy": as default, but the last frame tells.

    Returns:
        ndarray of shape (n, d, h, w, c), uint8.

    Raises:
        InputError: a label without an emotion, a number below 0 or not whole, lengths that differ, clips too small,
            or an unknown degree.
    """
    d, h, w, c = _checked_shape(shape)
    seed = int(_checked_numbers("seed", seed, LARGEST_NUMBER))
    shown = _checked_numbers("labels", labels, len(EMOTIONS) - 1)
    people = _checked_numbers("identities", identities, LARGEST_NUMBER)
    repeats = _checked_numbers("takes", takes, LARGEST_NUMBER)
    if shown.ndim != 1 or people.shape != shown.shape or repeats.shape not in ((), shown.shape):
        raise InputError(
            f"labels have shape {shown.shape}, identities {people.shape}, takes {repeats.shape}; "
            f"give one of each for every clip, or one take for all"
        )
    if degree not in DEGREES:
        raise InputError(f"degree is {degree!r}; it must be one of {', '.join(DEGREES)}")
    repeats = np.broadcast_to(repeats, shown.shape)
    noise = np.random.default_rng((0, seed)).standard_normal(NOISE_PLACES + h * w, np.float32)
    grey = np.empty((len(shown), d, h, w), np.uint8)
    for start in range(0, len(shown), CLIPS_AT_A_TIME):
        part = slice(start, start + CLIPS_AT_A_TIME)
        scenes = _scenes(shown[part], people[part], repeats[part], seed, (d, h, w), DEGREES[degree])
        paint_clips(*scenes, noise, grey[part])
    return np.repeat(grey[..., np.newaxis], c, axis=-1) if c > 1 else grey[..., np.newaxis]


def drawn_faces(
    count: int,
    first_identity: int,
    identity_count: int,
    seed: int = 0,
    shape: tuple[int, int, int, int] = (16, 100, 100, 1),
    degree: str = "default",
) -> tuple[AnyArray, IntArray, IntArray]:
    """Draw a set of clips in which emotions and people take turns: all as often, if ``count`` allows.

    Args:
        count: clips, n.
        first_identity, identity_count: the people are ``first_identity ... first_identity + identity_count - 1``.
        seed, shape, degree: as of :func:`draw_faces`.

    Returns:
        ``clips, labels, identities``: uint8 of shape (n, d, h, w, c), and int64 of shape (n,) each.

    Raises:
        InputError: as :func:`draw_faces`, or there is nobody to draw.

    Example: ``drawn_faces(*TRAINING_FACES)`` and ``drawn_faces(*VALIDATION_FACES)`` are the default sets.
    """
    labels, identities, takes = _turns(count, first_identity, identity_count)
    return draw_faces(labels, identities, seed, shape, takes, degree), labels, identities


def lazily_drawn_faces(
    count: int,
    first_identity: int,
    identity_count: int,
    seed: int = 0,
    shape: tuple[int, int, int, int] = (16, 100, 100, 1),
    degree: str = "default",
) -> tuple[AnyArray, IntArray, IntArray, Callable[[IntArray], None]]:
    """The same clips as of :func:`drawn_faces`, each drawn when it is first needed: training starts sooner.

    Returns:
        ``clips, labels, identities, draw``: as of :func:`drawn_faces`, and a function of clip numbers, an ndarray,
        that draws those of ``clips`` that are not drawn yet.
    """
    labels, identities, takes = _turns(count, first_identity, identity_count)
    clips, drawn = np.zeros((count, *_checked_shape(shape)), np.uint8), np.zeros(count, bool)

    def draw(numbers):
        wanted = numbers[~drawn[numbers]]
        if wanted.size:
            clips[wanted] = draw_faces(labels[wanted], identities[wanted], seed, shape, takes[wanted], degree)
            drawn[wanted] = True

    return clips, labels, identities, draw


def _turns(count, first_identity, identity_count):
    if identity_count < 1:
        raise InputError(f"identity_count is {identity_count}; faces need at least 1 person")
    turns, labels = np.divmod(np.arange(count), len(EMOTIONS))
    takes, people = np.divmod(turns, identity_count)
    return labels, first_identity + people, takes


def _checked_shape(shape):
    if len(shape) != 4 or any(size != int(size) or size < least for size, least in zip(shape, SMALLEST, strict=True)):
        raise InputError(
            f"shape is {tuple(shape)}; faces need whole numbers (d, h, w, c) of at least {SMALLEST}: "
            f"draw them larger and scale the clips down"
        )
    return tuple(int(size) for size in shape)


def _checked_numbers(name: str, values: ArrayLike, largest: int) -> IntArray:
    """``values`` as an int64 array."""
    values = np.asarray(values)
    if values.dtype.kind in "fiu":
        wrong = values[(values != np.floor(values)) | (values < 0) | (values > largest)]
    else:
        wrong = values.ravel()
    if wrong.size:
        raise InputError(f"{name}: {wrong[0]} must be a whole number 0 ... {largest}")
    return values.astype(np.int64)


def _scenes(labels, identities, takes, seed, size, degree):
    """What the kernel paints: ``shapes, light, places`` as of :func:`paint_clips`."""
    d, h, w = size
    clips = list(zip(labels, identities, takes, strict=True))
    moment = (np.arange(d) + 1) / d
    person, shot, units = performances(clips, seed, moment, degree)
    shapes = shapes_of(person, shot, units, moment, size)
    places = [
        np.random.default_rng((3, seed, identity, label, take)).integers(NOISE_PLACES, size=d)
        for label, identity, take in clips
    ]
    return shapes, _light(shot, moment - 0.5, h, w), np.array(places)


def _light(shot, since_middle, h, w):
    """What applies to a whole frame: float32 of shape (n, d, 5)."""
    gain = shot.gain + shot.drift_gain * since_middle
    light_x = shot.light_x + shot.drift_light_x * since_middle
    columns = shot.background, gain, light_x * 2 / w, shot.light_y * 2 / h, shot.noise
    return np.stack(np.broadcast_arrays(*columns), axis=-1).astype(np.float32)
