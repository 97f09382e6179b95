"""Who is seen in a drawn clip, and how the face moves.

Expressions are combinations of action units (AU) of the Facial Action Coding System, after the prototypes in its
Investigator's Guide (Ekman, Friesen and Hager, 2002).

A face at rest slowly takes on one emotion, suddenly turns to another, slowly comes to rest again, and so on without
end.  A clip is cut out of that anywhere, and its label is the emotion that the face *turns to*.  Played backwards, a
clip that turns from happiness to surprise is one that turns from surprise to happiness.  So whoever sees the frames but
not their order, or a single one, wherever it is, can at best tell which two emotions they show, and is right about half
of the time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from kernels.arrays import FloatArray, IntArray

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
"""The emotions, by label."""

UNITS = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    15: "lip corner depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    25: "lips part",
    26: "jaw drop",
}
"""The action units that are drawn; a blink, AU45, comes on top."""

EXPRESSIONS = {
    "anger": {4: 1.0, 5: 0.5, 7: 0.8, 23: 1.0},
    "disgust": {9: 1.0, 10: 0.9, 15: 0.3, 25: 0.3},
    "fear": {1: 0.9, 2: 0.6, 4: 0.6, 5: 1.0, 20: 1.0, 25: 0.8, 26: 0.2},
    "happiness": {6: 1.0, 12: 1.0, 25: 0.9},
    "sadness": {1: 1.0, 4: 0.7, 15: 1.0, 17: 0.7},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.9, 25: 0.5, 26: 1.0},
}
"""How strong each action unit is at the apex of an emotion; 0 where none is given."""

PERSON = {
    "leaning": (0, len(EMOTIONS)),  # the emotion, rounded down, that the face at rest resembles ...
    "leaning_strength": (0.2, 0.4),  # ... and how much
    "skin": (0.55, 0.85),
    "hair": (0.1, 0.55),  # grey, of the skin's
    "clothes": (0.15, 0.8),
    "head_width": (28, 34),
    "head_top": (39, 45),
    "chin": (37, 43),
    "jaw": (0.75, 1),  # roundness of the head
    "hair_volume": (0, 4),
    "hair_length": (5, 75),
    "hairline": (8, 17),  # how far the hair comes down the forehead
    "fringe": (-4, 6),  # how much further at the temples
    "parting": (-9, 9),
    "eye_gap": (13, 16),  # from the middle of the face
    "eye_y": (-9, -5),
    "eye_length": (5.6, 7.4),
    "eye_opening": (0.85, 1.2),
    "eye_tilt": (-0.12, 0.12),
    "iris": (0.1, 0.4),
    "brow_y": (-10.5, -7.5),  # from the eye
    "brow_length": (6.5, 9),
    "brow_thickness": (1.8, 4),
    "brow_tilt": (-0.18, 0.18),
    "brow_arch": (0.5, 2.5),
    "nose_y": (8, 12),
    "nose_width": (4.2, 6.5),
    "mouth_y": (21, 25),
    "mouth_length": (9.5, 13),
    "upper_lip": (1, 2.2),
    "lower_lip": (1.6, 3.2),
    "lips": (0.5, 0.75),  # grey, of the skin's
    "creases": (0.05, 0.3),  # how deep the folds of the skin are
    "beard": (-1.2, 0.6),  # below 0: none
}
"""Range of every trait of a person."""

TAKE = {
    "period": (0.45, 0.6),  # from rest to rest, of the length of the clip
    "phase": (0, 1),  # of the period, where the clip begins
    "partner": (0, 1),  # which emotion the face turns from, of those that there are
    "intensity_before": (0.8, 1),  # of the emotion that the face turns from ...
    "intensity": (0.8, 1),  # ... and of the one that it turns to
    "blink": (-1.5, 1),  # the moment of a blink; below 0: none
    "x": (-0.8, 0.8),
    "y": (-0.8, 0.8),
    "scale": (1.07, 1.13),
    "roll": (-0.04, 0.04),  # radians
    "yaw": (-0.8, 0.8),  # how far the features shift on the head
    "drift_x": (-1, 1),  # over the whole clip, as all that drifts
    "drift_y": (-1, 1),
    "drift_roll": (-0.02, 0.02),
    "background": (0.2, 0.9),
    "light_x": (-0.25, 0.25),  # change of the light from the middle to the border
    "light_y": (-0.15, 0.15),
    "gain": (0.92, 1.12),
    "drift_light_x": (-0.1, 0.1),
    "drift_gain": (-0.06, 0.06),
    "noise": (0.006, 0.016),  # standard deviation
}
"""Range of everything in which takes of the same person and emotion differ.

What happens along a clip is as likely as its mirror image in time: only the emotions' order is not.
"""


@dataclass(frozen=True)
class Degree:
    """How hard a set is.

    Attributes:
        partners: for each emotion, those that the face may turn from; a partner's partners include the emotion.
        person: range of every trait of a person, by name.
        take: range of everything in which takes differ, by name.
    """

    partners: Mapping[str, tuple[str, ...]]
    person: Mapping[str, tuple[float, float]]
    take: Mapping[str, tuple[float, float]]


PAIRS = (("anger", "disgust"), ("fear", "sadness"), ("happiness", "surprise"))
"""The emotions that turn to each other in the default set."""

TURNS = {emotion: (other,) for a, b in PAIRS for emotion, other in ((a, b), (b, a))}

DEGREES = {
    "easy": Degree(TURNS, PERSON, TAKE | {"period": (1.4, 1.7), "phase": (0, 0.06)}),
    "default": Degree(TURNS, PERSON, TAKE),
    "hard": Degree(
        {emotion: tuple(other for other in EMOTIONS if other != emotion) for emotion in EMOTIONS},
        PERSON | {"leaning_strength": (0.3, 0.6)},
        TAKE
        | {"intensity_before": (0.6, 1), "intensity": (0.6, 1), "noise": (0.01, 0.025)}
        | {"x": (-1.6, 1.6), "y": (-1.6, 1.6), "scale": (1.06, 1.14), "roll": (-0.05, 0.05)},
    ),
}
"""How hard a set may be.

In the default set the emotions go in pairs.  In the hard one a face turns from any to any other, people's faces at rest
are stronger, expressions may be weaker, heads are placed less exactly, and pictures are noisier.  In the easy one every
clip begins at rest and ends soon after the turn, so that its last frame tells its emotion.
"""

HABIT = 0.15
"""The most that any action unit adds to a person's face at rest, besides the leaning."""

MOOD = 0.1
"""The most that any action unit adds to the face at rest in one take."""

CLOSED = 0.4
"""Of the units that open the mouth (AU10, 25, 26), a face at rest shows this share only."""

RELAXED = 0.8
"""Share of the face at rest that the expression replaces."""

VIGOUR = (0.8, 1.1)
"""How much more or less than others each action unit takes part in the expressions of one take."""

REST, APEX, TURN = 0.06, 0.14, 0.06
"""Shares of the period: the face at rest, at the strongest of both emotions, and of that, turning to the second."""


def performances(
    takes: Iterable[tuple[int, int, int]], seed: int, moment: FloatArray, degree: Degree
) -> tuple[SimpleNamespace, SimpleNamespace, dict[int, FloatArray]]:
    """Work out who is seen in n clips, what differs between takes, and how the faces move.

    Args:
        takes: ``label, identity, take`` of every clip.
        seed: of the people and the takes.
        moment: when each frame is, from 0 to 1, of shape (d,).
        degree: how hard the set is.

    Returns:
        ``person, shot, units``: the traits of ``degree.person`` and ``degree.take``, arrays of shape (n, 1), and the
        strength of every action unit, by its number, arrays of shape (n, d).
    """
    labels, people, shots = [], [], []
    for label, identity, take in takes:
        # The first number keeps the streams of the people (1), of the takes (2) and of the noise (0, 3) apart.
        labels.append(label)
        people.append(np.random.default_rng((1, seed, identity)).random(len(degree.person) + len(UNITS)))
        rng = np.random.default_rng((2, seed, identity, label, take))
        shots.append(rng.random(len(degree.take) + 2 * len(UNITS)))
    person, habit = _traits(degree.person, people)
    shot, chances = _traits(degree.take, shots)
    mood, vigour = np.split(chances, 2, axis=1)
    first, second = flare((moment / shot.period + shot.phase) % 1)
    rest = _at_rest(person, habit, mood)[..., np.newaxis]
    before, after = (
        (strength * (VIGOUR[0] + (VIGOUR[1] - VIGOUR[0]) * vigour))[..., np.newaxis]
        for strength in _apices(np.array(labels, int), shot, degree)
    )
    first, second = first[:, np.newaxis], second[:, np.newaxis]
    strength = rest * (1 - RELAXED * (first + second)) + before * first + after * second
    units = dict(zip(UNITS, strength.transpose(1, 0, 2), strict=True))
    units[45] = np.clip(1 - 8 * np.abs(moment - shot.blink), 0, 1)
    return person, shot, units


def flare(phase: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How much of its first and of its second emotion a face shows, by the phase of its course, 0 to 1.

    The second is the first backwards: ``flare(1 - phase)`` exchanges them.
    """
    ends = REST / 2, (1 - APEX) / 2, (1 + APEX) / 2, 1 - REST / 2
    shown = _smooth(np.interp(phase, ends, (0, 1, 1, 0)))
    turned = _smooth(np.interp(phase, ((1 - TURN) / 2, (1 + TURN) / 2), (0, 1)))
    return shown * (1 - turned), shown * turned


def _smooth(progress: FloatArray) -> FloatArray:
    return progress**2 * (3 - 2 * progress)


def _at_rest(person: SimpleNamespace, habit: FloatArray, mood: FloatArray) -> FloatArray:
    """The face at rest, (n, u): it leans towards an emotion.  ``habit`` and ``mood``: chances, (n, u)."""
    leaning = person.leaning_strength * _prototypes()[person.leaning[:, 0].astype(int)]
    closed = np.where(np.isin(list(UNITS), (10, 25, 26)), CLOSED, 1)
    rest: FloatArray = (leaning + HABIT * habit + MOOD * mood) * closed
    return rest


def _apices(labels: IntArray, shot: SimpleNamespace, degree: Degree) -> tuple[FloatArray, FloatArray]:
    """The emotions that faces turn from and to, at their strongest, (n, u) each."""
    partners = [degree.partners[EMOTIONS[label]] for label in labels]
    chosen = [those[int(len(those) * chance)] for those, chance in zip(partners, shot.partner[:, 0], strict=True)]
    before = np.array([EMOTIONS.index(emotion) for emotion in chosen], int)
    return _prototypes()[before] * shot.intensity_before, _prototypes()[labels] * shot.intensity


def _prototypes() -> FloatArray:
    """Every emotion at its strongest, (k, u)."""
    return np.array([[EXPRESSIONS[emotion].get(unit, 0) for unit in UNITS] for emotion in EMOTIONS])


def _traits(
    ranges: Mapping[str, tuple[float, float]], chances: Sequence[FloatArray]
) -> tuple[SimpleNamespace, FloatArray]:
    """Turn chances in 0 ... 1 into traits, a namespace of arrays (n, 1); also return the chances left over."""
    rows = np.array(chances)
    low, high = np.array(list(ranges.values())).T
    values = low + (high - low) * rows[:, : len(ranges)]
    return SimpleNamespace(**dict(zip(ranges, values.T[..., np.newaxis], strict=True))), rows[:, len(ranges) :]
