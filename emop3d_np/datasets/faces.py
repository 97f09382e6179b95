"""Drawn faces: the data set that the package carries within itself.

A clip shows a made-up person whose face moves from rest to one of six emotions.  People differ in build, hair and skin,
and above all in their face at rest: one has low brows, another upturned corners of the mouth, and so looks angry or
happy by nature.  What a clip looks like may mislead therefore; how it changes is the expression.

A face is a list of soft shapes painted over each other.  NumPy works out the shapes of many clips and all their frames
at once, from the traits of the person and the strength of the action units; ``painting.py`` paints them.

Expressions are combinations of action units (AU) of the Facial Action Coding System, after the prototypes in its
Investigator's Guide (Ekman, Friesen and Hager, 2002).

Lengths are in hundredths of the smaller side of the frame, from the middle of the face, y downwards.  Greys, and the
strengths of action units, run from 0 to 1.
"""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
from numpy.typing import ArrayLike

from kernels.arrays import AnyArray, IntArray

from ..errors import InputError
from .painting import paint_clips

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
"""The emotions, by label."""

TRAINING_FACES = (960, 0, 80)
"""``count, first_identity, identity_count`` of the default training set, for :func:`drawn_faces`."""

VALIDATION_FACES = (240, 80, 40)
"""The same of the default validation set: other people."""

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
    "leaning_strength": (0.3, 0.6),  # ... and how much
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
    "onset": (0.44, 0.62),  # of the length of the clip
    "duration": (0.15, 0.3),  # from rest to apex
    "intensity": (0.7, 1),
    "blink": (-1, 0.5),  # the moment of a blink; below 0: none
    "x": (-1.6, 1.6),
    "y": (-1.6, 1.6),
    "scale": (1.06, 1.14),
    "roll": (-0.05, 0.05),  # radians
    "yaw": (-0.8, 0.8),  # how far the features shift on the head
    "drift_x": (-1, 1),  # over the whole clip
    "drift_y": (-1, 1),
    "drift_roll": (-0.03, 0.03),
    "background": (0.2, 0.9),
    "light_x": (-0.25, 0.25),  # change of the light from the middle to the border
    "light_y": (-0.15, 0.15),
    "gain": (0.92, 1.12),
    "noise": (0.01, 0.025),  # standard deviation
}
"""Range of everything in which takes of the same person and emotion differ."""

HABIT = 0.25
"""The most that any action unit adds to a person's face at rest, besides the leaning."""

MOOD = 0.2
"""The most that any action unit adds to the face at rest in one take."""

CLOSED = 0.4
"""Of the units that open the mouth (AU10, 25, 26), a face at rest shows this share only."""

RELAXED = 0.8
"""Share of the face at rest that the expression replaces."""

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
) -> AnyArray:
    """Draw clips of faces that move from rest to an emotion.

    A clip depends on the seed and on its own label, identity and take: neither on the number of threads nor on the
    clips drawn along with it.

    Args:
        labels: whole numbers of shape (n,), indices into :data:`EMOTIONS`.
        identities: whole numbers of shape (n,), at least 0: who is seen.
        seed: at least 0; default 0.  Another seed makes other people.
        shape: ``(d, h, w, c)`` of a clip, at least 1 x 16 x 16 x 1; default (16, 100, 100, 1).  Channels are equal.
        takes: whole numbers of shape (n,), or one for all, at least 0; default 0.  Takes of the same person and emotion
            differ in timing, intensity, pose, light and noise.

    Returns:
        ndarray of shape (n, d, h, w, c), uint8.

    Raises:
        InputError: a label without an emotion, a number below 0 or not whole, lengths that differ, or clips too small.
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
    repeats = np.broadcast_to(repeats, shown.shape)
    noise = np.random.default_rng((0, seed)).standard_normal(NOISE_PLACES + h * w, np.float32)
    grey = np.empty((len(shown), d, h, w), np.uint8)
    for start in range(0, len(shown), CLIPS_AT_A_TIME):
        part = slice(start, start + CLIPS_AT_A_TIME)
        paint_clips(*_scenes(shown[part], people[part], repeats[part], seed, (d, h, w)), noise, grey[part])
    return np.repeat(grey[..., np.newaxis], c, axis=-1) if c > 1 else grey[..., np.newaxis]


def drawn_faces(
    count: int,
    first_identity: int,
    identity_count: int,
    seed: int = 0,
    shape: tuple[int, int, int, int] = (16, 100, 100, 1),
) -> tuple[AnyArray, IntArray, IntArray]:
    """Draw a set of clips in which emotions and people take turns: all as often, if ``count`` allows.

    Args:
        count: clips, n.
        first_identity, identity_count: the people are ``first_identity ... first_identity + identity_count - 1``.
        seed, shape: as of :func:`draw_faces`.

    Returns:
        ``clips, labels, identities``: uint8 of shape (n, d, h, w, c), and int64 of shape (n,) each.

    Raises:
        InputError: as :func:`draw_faces`, or there is nobody to draw.

    Example: ``drawn_faces(*TRAINING_FACES)`` and ``drawn_faces(*VALIDATION_FACES)`` are the default sets.
    """
    labels, identities, takes = _turns(count, first_identity, identity_count)
    return draw_faces(labels, identities, seed, shape, takes), labels, identities


def lazily_drawn_faces(
    count: int,
    first_identity: int,
    identity_count: int,
    seed: int = 0,
    shape: tuple[int, int, int, int] = (16, 100, 100, 1),
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
            clips[wanted] = draw_faces(labels[wanted], identities[wanted], seed, shape, takes[wanted])
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


def _scenes(labels, identities, takes, seed, size):
    """What the kernel paints: ``shapes, light, places``.

    ``shapes`` (n, d, s, 13) holds the columns of :meth:`_Sketch.add`, in pixels, ``light`` (n, 5) what applies to the
    whole frame, ``places`` (n, d) where the noise of each frame begins.
    """
    d, h, w = size
    people, shots, places = [], [], []
    for label, identity, take in zip(labels, identities, takes, strict=True):
        # The first number keeps the streams of noise (0), people (1) and takes (2) apart.
        people.append(np.random.default_rng((1, seed, identity)).random(len(PERSON) + len(UNITS)))
        rng = np.random.default_rng((2, seed, identity, label, take))
        shots.append(rng.random(len(TAKE) + 2 * len(UNITS)))
        places.append(rng.integers(NOISE_PLACES, size=d))
    person, habit = _traits(PERSON, people)
    shot, chance = _traits(TAKE, shots)
    moment = (np.arange(d) + 1) / d
    units = _units(labels, person, shot, habit, *np.split(chance, 2, axis=1), moment)
    sketch = _Sketch()
    _draw_person(sketch, person, shot, units)
    shapes = sketch.placed(shot, moment, size)
    light = np.hstack([shot.background, shot.gain, shot.light_x * 2 / w, shot.light_y * 2 / h, shot.noise])
    return shapes, light.astype(np.float32), np.array(places)


def _traits(ranges, chances):
    """Turn chances in 0 ... 1 into traits, a namespace of arrays (n, 1); also return the chances left over."""
    chances = np.array(chances)
    low, high = np.array(list(ranges.values())).T
    values = low + (high - low) * chances[:, : len(ranges)]
    return SimpleNamespace(**dict(zip(ranges, values.T[..., np.newaxis], strict=True))), chances[:, len(ranges) :]


def _units(labels, person, shot, habit, mood, vigour, moment):
    """Strength of every action unit, by its number: arrays (n, d).  ``habit``, ``mood``, ``vigour``: chances (n, u)."""
    prototypes = np.array([[EXPRESSIONS[emotion].get(unit, 0) for unit in UNITS] for emotion in EMOTIONS])
    leaning = person.leaning_strength * prototypes[person.leaning[:, 0].astype(int)]
    closed = np.where(np.isin(list(UNITS), (10, 25, 26)), CLOSED, 1)
    rest = (leaning + HABIT * habit + MOOD * mood) * closed
    apex = prototypes[labels] * shot.intensity * (0.8 + 0.3 * vigour)
    progress = np.clip((moment - shot.onset) / shot.duration, 0, 1)
    progress = progress**2 * (3 - 2 * progress)
    strength = rest[..., np.newaxis] + (apex - RELAXED * rest)[..., np.newaxis] * progress[:, np.newaxis]
    units = dict(zip(UNITS, strength.transpose(1, 0, 2), strict=True))
    units[45] = np.clip(1 - 8 * np.abs(moment - shot.blink), 0, 1)
    return units


class _Sketch:
    """Soft shapes in the order of painting; every number may be an array that broadcasts to (n, d)."""

    def __init__(self):
        self.shapes = []

    def add(self, x, y, length, up, down=None, *, grey, opacity=1, angle=0, bend=0, roundness=1, soft=1.5, within=-1):
        """Add a shape and return its index.

        With ``p`` along the shape, 1 at its end, and ``r`` across it, downwards, the shape is the points with
        ``p^2 + roundness s^2 + (1 - roundness) |s| <= 1``, where ``s = (r - bend p^2) / down``, or ``/ up`` where that
        is negative: an ellipse for roundness 1, a leaf with pointed ends for 0.

        Args:
            x, y: middle.
            length, up, down: half the length along, and the extents to either side; ``down`` is ``up`` by default.
            grey, opacity: what is painted, and how much it covers.
            angle: of the axis p, radians, clockwise; default 0, to the right.
            bend: how far the ends hang down.
            roundness, soft: of the outline; width of the edge.
            within: index of a shape that clips this one; default -1, none.
        """
        down = up if down is None else down
        # The order of the kernel's columns: lengths first; cos and sin take the place of angle and 0.
        self.shapes.append((x, y, length, up, down, bend, soft, angle, 0, roundness, grey, opacity, within))
        return len(self.shapes) - 1

    def stroke(self, x0, y0, x1, y1, thickness, *, bend=0, **look):
        """Add a stroke from one point to another; ``bend`` is how far its middle rises; the rest as of :meth:`add`."""
        length = np.hypot(x1 - x0, y1 - y0)
        cos, sin = (x1 - x0) / length, (y1 - y0) / length
        return self.add(
            (x0 + x1) / 2 + bend * sin,
            (y0 + y1) / 2 - bend * cos,
            length / 2,
            thickness / 2,
            angle=np.arctan2(sin, cos),
            bend=bend,
            **look,
        )

    def placed(self, shot, moment, size):
        """All shapes on frames of ``size`` (d, h, w), in pixels: float32 of shape (n, d, s, 13)."""
        d, h, w = size
        shapes = np.empty((len(shot.x), d, len(self.shapes), len(self.shapes[0])), np.float32)
        for index, numbers in enumerate(self.shapes):
            for column, number in enumerate(numbers):
                shapes[:, :, index, column] = number
        unit = min(h, w) / 100
        middle_x = (w - 1) / 2 + unit * (shot.x + shot.drift_x * (moment - 0.5))
        middle_y = (h - 1) / 2 + unit * (shot.y + shot.drift_y * (moment - 0.5))
        roll = (shot.roll + shot.drift_roll * (moment - 0.5))[..., np.newaxis]
        shapes[..., :7] *= unit * shot.scale[..., np.newaxis, np.newaxis]
        x, y = shapes[..., 0].copy(), shapes[..., 1].copy()
        shapes[..., 0] = middle_x[..., np.newaxis] + np.cos(roll) * x - np.sin(roll) * y
        shapes[..., 1] = middle_y[..., np.newaxis] + np.sin(roll) * x + np.cos(roll) * y
        angle = shapes[..., 7] + roll
        shapes[..., 7], shapes[..., 8] = np.cos(angle), np.sin(angle)
        return shapes


def _draw_person(sketch, person, shot, units):
    """Add the whole picture to ``sketch``, from the back to the front."""
    # AU26 lowers the chin, AU17 lifts it.
    chin = person.chin + 6 * units[26] - units[17]
    hair = _draw_head(sketch, person, shot, chin)
    _draw_nose(sketch, person, shot, units)
    for side in (-1, 1):
        _draw_eye(sketch, person, shot, units, side)
        _draw_brow(sketch, person, shot, units, side)
        _draw_cheek(sketch, person, shot, units, side)
    _draw_forehead(sketch, person, shot, units)
    _draw_mouth(sketch, person, shot, units, chin)
    _draw_fringe(sketch, person, hair)


def _draw_head(sketch, person, shot, chin):
    """Background, shoulders, hair behind the head, ears and the bare head; returns the index of the hair."""
    width, top, skin, hair_grey = person.head_width, person.head_top, person.skin, person.hair * person.skin
    sketch.add(-30, -20, 30, 40, grey=0.8 * shot.background, opacity=0.6, soft=40)
    long = np.clip((person.hair_length - 30) / 10, 0, 1)
    volume = person.hair_volume + 3 * long
    hair = sketch.add(0, -8, width + 2 + volume, top - 6 + volume, person.hair_length, grey=hair_grey, soft=2.5)
    sketch.add(0, 44, 14, 22, grey=0.72 * skin, soft=3)  # neck
    sketch.add(0, 72, 52, 30, grey=person.clothes, soft=2)
    for x in (-width - 0.5 - shot.yaw, width + 0.5 - shot.yaw):
        sketch.add(x, 0, 4, 7, grey=0.85 * skin, opacity=1 - long)
        sketch.add(x, 0, 2, 4.5, grey=0.68 * skin, opacity=1 - long, soft=2)
    head = sketch.add(0, 0, width, top, chin, grey=0.78 * skin, roundness=person.jaw)
    sketch.add(shot.yaw, -1, width - 4, top - 4, chin - 4, grey=skin, roundness=person.jaw, soft=11, within=head)
    beard = np.clip(person.beard, 0, 1)
    sketch.add(0, chin - 9, 0.75 * width, 15, 14, grey=hair_grey, opacity=beard, bend=-9, soft=9, within=head)
    return hair


def _draw_fringe(sketch, person, hair):
    x, y, grey = person.parting, -person.head_top, person.hair * person.skin
    bend = 14 + person.fringe
    sketch.add(x, y - 3, person.head_width + 12, 20, person.hairline + 3, grey=grey, bend=bend, soft=2.5, within=hair)
    sketch.add(x, y + 2, 15, 3, grey=grey + 0.15, opacity=0.5, bend=6, soft=6, within=hair)  # gloss


def _draw_eye(sketch, person, shot, units, side):
    x, y, length = side * person.eye_gap + shot.yaw, person.eye_y, person.eye_length
    skin, iris, angle = person.skin, person.iris, side * person.eye_tilt
    # AU5 raises the upper lid; AU7 narrows the eye, AU6 and AU9 mostly from below; AU45 shuts it.
    up = 3.1 * person.eye_opening + 2.3 * units[5] - 0.9 * units[7] - 0.6 * units[6] - units[9]
    down = 2.3 * person.eye_opening + 0.4 * units[5] - 1.1 * units[7] - 1.3 * units[6] - 0.8 * units[9]
    up = np.maximum(up, 0.5) * (1 - units[45]) - 1.5 * units[45]
    down = np.maximum(down, 0.4)
    sketch.add(x, y - 4, length + 2.5, 4.5, 5, grey=0.72 * skin, opacity=0.45, soft=6)  # socket
    eye = sketch.add(
        x, y, length, np.maximum(up, 0.3), down, grey=np.minimum(skin + 0.22, 0.95), angle=angle, roundness=0.35
    )
    sketch.add(x + shot.yaw, y - 0.2, 3.1, 3.1, grey=iris, soft=1.2, within=eye)
    sketch.add(x + shot.yaw, y - 0.2, 1.3, 1.3, grey=0.2 * iris, soft=1.2, within=eye)
    sketch.add(x + shot.yaw + 1, y - 1.4, 0.8, 0.8, grey=1, soft=1, within=eye)  # glint
    # The edge of the eye is a parabola, and so is a bent stroke: lid lines follow it.
    sketch.add(x, y - up, length + 0.6, 0.8, grey=0.18 * skin, angle=angle, bend=up, roundness=0.5, soft=1.4)
    sketch.add(x, y + down, length, 0.5, grey=0.5 * skin, opacity=0.6, angle=angle, bend=-down)
    lid_fold = np.clip(0.55 - 0.3 * units[5], 0.2, 1)
    sketch.add(x, y - up - 2, length, 0.5, grey=0.5 * skin, opacity=lid_fold, angle=angle, bend=up)
    bag = np.clip(person.creases + 0.5 * units[6] + 0.3 * units[7], 0, 0.8)
    sketch.add(x, y + down + 2.2, 0.8 * length, 0.5, grey=0.6 * skin, opacity=bag, bend=-down, soft=2)
    # AU6: crow's feet
    depth = 0.7 * np.clip(units[6], 0, 1)
    start, end = x + side * (length + 1.2), x + side * (length + 5)
    for rise in (-2.4, 0, 2.4):
        sketch.stroke(start, y + 0.4 * rise, end, y + 1.3 * rise, 0.9, grey=0.55 * skin, opacity=depth)


def _draw_brow(sketch, person, shot, units, side):
    # AU1 lifts the inner end, AU2 the outer; AU4 lowers the brow and draws it inwards, AU9 pulls the inner end down.
    inner_x = side * (person.eye_gap - 0.75 * person.brow_length - 2.2 * units[4]) + shot.yaw
    outer_x = side * (person.eye_gap + 1.1 * person.brow_length) + shot.yaw
    y, tilt = person.eye_y + person.brow_y, person.brow_tilt * person.brow_length
    inner_y = y + tilt - 6 * units[1] - units[2] + 4.5 * units[4] + 2 * units[9]
    outer_y = y - tilt - 5.5 * units[2] + 1.5 * units[4] + 0.5 * units[9]
    arch = side * (person.brow_arch + 0.8 * units[2] - 0.6 * units[4])
    grey = 0.8 * person.hair * person.skin
    sketch.stroke(
        inner_x, inner_y, outer_x, outer_y, person.brow_thickness, grey=grey, bend=arch, roundness=0.6, soft=1.8
    )


def _draw_cheek(sketch, person, shot, units, side):
    skin = person.skin
    # AU6 and AU12 lift the cheek.
    lift = 3 * units[6] + 1.5 * units[12]
    sketch.add(side * 17 + shot.yaw, 11 - lift, 7, 5.5, grey=1.15 * skin, opacity=0.35, soft=8)
    # The fold from the nose past the mouth: AU12 pushes it outwards, AU9 and AU10 deepen it too.
    depth = np.clip(person.creases + 0.5 * units[12] + 0.5 * units[9] + 0.4 * units[10], 0, 0.85)
    sketch.stroke(
        side * (person.nose_width + 2) + shot.yaw,
        person.nose_y + 0.5 - 2 * units[9],
        side * (person.mouth_length + 2 + 3.5 * units[12] + 2.5 * units[20]) + shot.yaw,
        person.mouth_y - 3.5 - 2 * units[12],
        1.4,
        grey=0.7 * skin,
        opacity=depth,
        bend=side * (1 + units[9] + units[12]),
        soft=3.5,
    )


def _draw_nose(sketch, person, shot, units):
    skin, width, x, bridge = person.skin, person.nose_width, 2 * shot.yaw, person.eye_y
    # AU9 and AU10 lift the nose.
    y = person.nose_y - 2.2 * units[9] - 0.8 * units[10]
    flare = width + 0.8 * units[9]
    wrinkles = 0.75 * np.clip(units[9], 0, 1)
    for side in (-1, 1):
        edge = side * 3.2 + shot.yaw
        sketch.stroke(edge, bridge - 3, side * 2.6 + x, y - 3, 2.2, grey=0.75 * skin, opacity=0.4, soft=4)
    sketch.stroke(shot.yaw, bridge, x, y - 3, 2.5, grey=1.2 * skin, opacity=0.4, soft=4)
    sketch.add(x, y - 1, 0.55 * width, 3, grey=1.18 * skin, opacity=0.45, soft=4)
    sketch.add(x, y + 2.6, width + 0.5, 1.3, grey=0.62 * skin, opacity=0.6, bend=-1.5, soft=3)
    for side in (-1, 1):
        wing, nostril, tilt = x + side * flare, x + side * flare * 0.5, side * 1.25
        sketch.add(wing, y, 3, 0.9, grey=0.62 * skin, opacity=0.6, angle=tilt, bend=-side, soft=1.8)
        sketch.add(nostril, y + 1.6, 1.7, 0.8, 0.9, grey=0.25 * skin, opacity=0.85, angle=side * 0.25, soft=1.4)
        start, end = side * 1.2 + shot.yaw, side * 4 + shot.yaw
        for rise in (0, 2.6):
            sketch.stroke(start, bridge + 3 + rise, end, bridge + 0.8 + rise, 1.1, grey=0.5 * skin, opacity=wrinkles)


def _draw_forehead(sketch, person, shot, units):
    x, y = shot.yaw, person.eye_y + person.brow_y - 1.5
    # AU1 and AU2 wrinkle the forehead, AU4 furrows it between the brows.
    raised = np.clip((units[1] + units[2]) / 2 - 0.2, 0, 1)
    bend = 1 - 2 * (units[1] - units[2])
    for rise in (5, 8.5):
        height, opacity = y - rise - 4 * raised, 0.7 * raised
        sketch.add(x, height, 13 - 2 * units[4], 0.55, grey=0.65 * person.skin, opacity=opacity, bend=bend, soft=1.8)
    furrow = 0.7 * np.clip(units[4] - 0.1, 0, 1)
    for side in (-1, 1):
        sketch.stroke(x + side * 1.8, y + 1, x + side * 2.2, y + 7, 1.1, grey=0.5 * person.skin, opacity=furrow)


def _draw_mouth(sketch, person, shot, units, chin):
    skin, x = person.skin, 1.2 * shot.yaw
    # AU12 pulls the corners up and out, AU15 pulls them down, AU17 pushes the middle up.
    bend = -5.5 * units[12] + 4.5 * units[15] + units[17] + 0.6 * units[20]
    y = person.mouth_y - 1.2 * units[10] - units[17] + units[26] - 0.5 * units[12] - 0.35 * bend
    # AU20 widens the mouth too, AU23 and AU26 narrow it.
    length = person.mouth_length + 3.5 * units[12] + 3 * units[20] - 1.5 * units[23] - 2.5 * units[26]
    # AU25 parts the lips, AU10 lifts the upper one, AU26 drops the lower one; AU23, AU20 and AU12 make them thinner.
    up = 0.35 + 1.3 * units[25] + 1.8 * units[10] + units[26]
    down = 0.35 + 1.5 * units[25] + 7 * units[26] - 0.3 * units[17]
    thin = np.clip(1 - 0.6 * units[23] - 0.3 * units[20] - 0.15 * units[12], 0.2, 1)
    upper, lower, lips = person.upper_lip * thin, person.lower_lip * thin, person.lips * skin
    below = y + down + lower

    sketch.add(x, below + 2.5, 6, 1.6, grey=0.6 * skin, opacity=0.5, bend=-1.5 * units[17], soft=4)
    sketch.add(x, (below + chin) / 2 + 2, 6, 3, grey=1.15 * skin, opacity=0.3, soft=5)
    dent = 0.6 * np.clip(units[17], 0, 1)
    sketch.add(x, below + 3.2, 5, 0.6, grey=0.5 * skin, opacity=dent, bend=2, soft=2)
    moustache, hair = np.clip(1.2 * person.beard, 0, 1), person.hair * skin
    droop = 2 + 0.5 * bend
    sketch.add(x, y - up - upper - 2, 0.9 * length, 1.6, grey=hair, opacity=moustache, bend=droop, soft=3)
    sketch.add(x, y, length + 0.8, up + upper, down + lower, grey=lips, bend=bend, roundness=0.35, soft=1.8)
    sketch.add(x, y + down + 0.5 * lower, 0.5 * length, 0.35 * lower, grey=lips + 0.1, bend=0.2 * bend, soft=2.5)
    inside = sketch.add(x, y, 0.93 * length, up, down, grey=0.12, bend=bend, roundness=0.35, soft=1.3)
    seen = np.clip(up + 0.4 * down - 0.9, 0, 1)
    teeth = 1.2 + 0.6 * units[12]
    sketch.add(x, y - 0.4 * up, 0.8 * length, up, teeth, grey=0.92, opacity=seen, bend=0.8 * bend, within=inside)
    sketch.add(x, y + down, 5, 0.4 * down, grey=0.3, opacity=seen, soft=3, within=inside)  # tongue
    corner = np.clip(0.3 + 0.08 * np.abs(bend), 0, 0.8)
    for side in (-1, 1):
        sketch.add(x + side * (length + 0.6), y + bend, 1.3, 1, grey=0.5 * skin, opacity=corner, soft=2)
