"""Drawn faces: the data set that the package carries within itself.

A clip shows a made-up person whose face moves from rest to one of six emotions.  People differ in build, hair and
light, and above all in their *resting* face: low brows or upturned corners of the mouth belong to some of them by nature,
so a single frame is ambiguous and the change over time is the expression.

A face is a list of soft shapes painted over each other.  NumPy works out the shapes of all clips and frames at once, from
the traits of the person and the strength of the action units; a kernel paints them, one task a clip.

Expressions are combinations of the action units (AU) of the Facial Action Coding System, after the prototypes of Ekman,
Friesen and Hager (2002), chapter 12, in a plain reading.  Lengths are in hundredths of the smaller side of the frame,
origin in the middle, y downwards; greys and the strength of action units lie in 0 ... 1.
"""

import math
from types import SimpleNamespace

import numpy as np
from numba import prange

from kernels.cpu.jit import parallel, serial

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
"""The emotions by label."""

TRAINING_FACES = (960, 0, 80)
"""``count, first_identity, identity_count`` of the default training set, for :func:`drawn_faces`."""

VALIDATION_FACES = (240, 80, 40)
"""The same of the default validation set: other people."""

EXPRESSIONS = {
    "anger": {4: 1.0, 5: 0.5, 7: 0.8, 23: 1.0},
    "disgust": {9: 1.0, 10: 0.9, 15: 0.3, 25: 0.3},
    "fear": {1: 0.9, 2: 0.6, 4: 0.6, 5: 1.0, 20: 1.0, 25: 0.8, 26: 0.2},
    "happiness": {6: 1.0, 12: 1.0, 25: 0.9},
    "sadness": {1: 1.0, 4: 0.7, 15: 1.0, 17: 0.7},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.9, 25: 0.5, 26: 1.0},
}
"""Strength at the apex of each action unit that takes part."""

# AU 1 inner brow raiser, 2 outer brow raiser, 4 brow lowerer, 5 upper lid raiser, 6 cheek raiser, 7 lid tightener,
# 9 nose wrinkler, 10 upper lip raiser, 12 lip corner puller, 15 lip corner depressor, 17 chin raiser, 20 lip stretcher,
# 23 lip tightener, 25 lips part, 26 jaw drop
RESTING_UNITS = {
    1: 0.7, 2: 0.7, 4: 0.8, 5: 0.5, 6: 0.4, 7: 0.5, 9: 0.3, 10: 0.3,
    12: 0.6, 15: 0.7, 17: 0.4, 20: 0.5, 23: 0.6, 25: 0.4, 26: 0.3,
}  # fmt: skip
"""The most that each action unit may be part of a person's resting face."""

PERSON = {
    "head_width": (28, 34),
    "head_top": (39, 45),
    "chin": (37, 43),
    "jaw": (0.75, 1.0),  # roundness of the head's outline
    "skin": (0.5, 0.82),
    "hair": (0.06, 0.5),
    "hair_volume": (0, 5),
    "hair_length": (5, 45),
    "hairline": (8, 17),  # depth of the hair over the forehead
    "fringe": (-4, 6),  # how much lower it is at the temples
    "parting": (-9, 9),
    "clothes": (0.15, 0.8),
    "eye_gap": (13, 16),  # centre of the face to centre of the eye
    "eye_y": (-9, -5),
    "eye_length": (5.6, 7.4),
    "eye_opening": (0.85, 1.2),
    "eye_tilt": (-0.12, 0.12),
    "iris": (0.1, 0.4),
    "brow_y": (-12, -9),  # above the eye
    "brow_length": (6.5, 9),
    "brow_thickness": (0.9, 2.0),
    "brow_tilt": (-0.18, 0.18),
    "brow_arch": (0.5, 2.5),
    "nose_y": (8, 12),
    "nose_width": (4.2, 6.5),
    "mouth_y": (21, 25),
    "mouth_length": (9.5, 13),
    "upper_lip": (1.0, 2.2),
    "lower_lip": (1.6, 3.2),
    "lips": (0.6, 0.82),  # of the skin's grey
    "creases": (0.1, 0.45),  # how deep the folds of the skin are
    "beard": (-1.2, 0.6),  # below 0: none
}
"""Range of every trait of a person."""

TAKE = {
    "onset": (0.1, 0.4),  # of the length of the clip
    "duration": (0.2, 0.5),  # from rest to apex
    "intensity": (0.7, 1.0),
    "x": (-3, 3),
    "y": (-3, 3),
    "scale": (0.94, 1.06),
    "roll": (-0.07, 0.07),  # radians
    "yaw": (-1, 1),
    "drift_x": (-1.5, 1.5),  # from the first frame to the last
    "drift_y": (-1.5, 1.5),
    "drift_roll": (-0.03, 0.03),
    "blink": (0.0, 3.0),  # the moment of a blink; beyond 1 there is none
    "background": (0.2, 0.9),
    "light_x": (-0.35, 0.35),  # change of the light from the middle to the border
    "light_y": (-0.25, 0.25),
    "gain": (0.8, 1.05),
    "noise": (0.01, 0.03),
}
"""Range of everything that differs between two takes of the same person and emotion."""

SMALLEST = (1, 16, 16, 1)
CLIPS_AT_A_TIME = 256
"""Clips whose shapes are worked out together: bounds the memory, decides nothing else."""

NOISE_OFFSETS = 1 << 16
"""Frames take their noise from one table, each from another of so many places."""


def draw_faces(labels, identities, seed=0, shape=(16, 100, 100, 1), takes=0):
    """Draw clips of faces that move from rest to an emotion.

    A clip depends on ``seed``, its label, identity and take, and on nothing else: neither on the number of threads nor on
    the clips drawn along with it.

    Args:
        labels: integers of shape (n,), indices into :data:`EMOTIONS`.
        identities: integers of shape (n,), at least 0: who is seen.
        seed: of all randomness, at least 0; default 0.  Another seed draws other people.
        shape: ``(d, h, w, c)`` of a clip, at least 1 x 16 x 16 x 1; default (16, 100, 100, 1).  Channels are equal.
        takes: integers of shape (n,) or one for all, at least 0; default 0.  Takes of the same person and emotion differ
            in timing, intensity, place, light and noise.

    Returns:
        ndarray of shape (n, d, h, w, c), uint8.

    Raises:
        ValueError: a label without emotion, a negative or fractional number, lengths that differ, or a clip that is too
            small.
    """
    d, h, w, c = _checked_shape(shape)
    seed = int(_whole_numbers("seed", seed, np.inf))
    labels = _whole_numbers("labels", labels, len(EMOTIONS))
    identities = _whole_numbers("identities", identities, np.inf)
    takes = _whole_numbers("takes", takes, np.inf)
    if labels.ndim != 1 or identities.shape != labels.shape or takes.shape not in ((), labels.shape):
        raise ValueError(
            f"labels have shape {labels.shape}, identities {identities.shape}, takes {takes.shape}; "
            "give one of each for every clip (or one take for all)"
        )
    takes = np.broadcast_to(takes, labels.shape)
    noise = np.random.default_rng((0, seed, 0, 0, 0)).standard_normal(NOISE_OFFSETS + h * w, np.float32)
    grey = np.empty((len(labels), d, h, w), np.uint8)
    for start in range(0, len(labels), CLIPS_AT_A_TIME):
        part = slice(start, start + CLIPS_AT_A_TIME)
        shapes, light, offsets = _scenes(labels[part], identities[part], takes[part], seed, (d, h, w))
        _paint_clips(shapes, light, noise, offsets, grey[part])
    return np.repeat(grey[..., np.newaxis], c, axis=-1) if c > 1 else grey[..., np.newaxis]


def drawn_faces(count, first_identity, identity_count, seed=0, shape=(16, 100, 100, 1)):
    """Draw a set of clips in which emotions and people take turns, as equally often as ``count`` allows.

    Args:
        count: clips, n.
        first_identity, identity_count: the people are ``first_identity ... first_identity + identity_count - 1``.
        seed, shape: as of :func:`draw_faces`.

    Returns:
        ``clips, labels, identities``: uint8 of shape (n, d, h, w, c), and int64 of shape (n,) each.

    Raises:
        ValueError: as :func:`draw_faces`, or there is nobody to draw.

    Example: ``drawn_faces(*TRAINING_FACES)`` and ``drawn_faces(*VALIDATION_FACES)`` are the default sets.
    """
    if identity_count < 1:
        raise ValueError(f"identity_count is {identity_count}; it must be at least 1")
    turn, labels = np.divmod(np.arange(count), len(EMOTIONS))
    takes, person = np.divmod(turn, identity_count)
    identities = first_identity + person
    return draw_faces(labels, identities, seed, shape, takes), labels, identities


def _checked_shape(shape):
    names = ("d", "h", "w", "c")
    if len(shape) != 4 or any(size != int(size) or size < least for size, least in zip(shape, SMALLEST, strict=True)):
        raise ValueError(
            f"shape is {tuple(shape)}; faces need whole numbers ({', '.join(names)}) of at least {SMALLEST}: "
            "draw them larger and scale the clips down"
        )
    return tuple(int(size) for size in shape)


def _whole_numbers(name, values, end):
    """``values`` as an int64 array, each in ``0 ... end - 1``."""
    values = np.asarray(values)
    if values.dtype.kind not in "fiu" or (values != np.floor(values)).any() or (values < 0).any():
        raise ValueError(f"{name} must be whole numbers of at least 0; given: {values}")
    if (values >= end).any():
        raise ValueError(f"{name} run to {values.max()}; the last is {end - 1}")
    return values.astype(np.int64)


def _draw(ranges, rng):
    """One uniform draw for each of ``ranges``."""
    low, high = np.array(list(ranges.values())).T
    return low + (high - low) * rng.random(len(low))


def _named(ranges, rows):
    """Rows of draws as a namespace of columns, each of shape (n, 1)."""
    return SimpleNamespace(**dict(zip(ranges, np.stack(rows).T[:, :, np.newaxis], strict=True)))


def _scenes(labels, identities, takes, seed, frame_shape):
    """What the kernel paints: shapes (n, d, s, 12), light (n, 5) and the noise's offsets (n, d)."""
    d, h, w = frame_shape
    rest_ranges = {unit: (0, most) for unit, most in RESTING_UNITS.items()}
    people, rests, strengths, shots, offsets = [], [], [], [], []
    for label, identity, take in zip(labels, identities, takes, strict=True):
        rng = np.random.default_rng((1, seed, identity, 0, 0))
        people.append(_draw(PERSON, rng))
        rests.append(_draw(rest_ranges, rng))
        rng = np.random.default_rng((2, seed, identity, label, take))
        shots.append(_draw(TAKE, rng))
        apex = EXPRESSIONS[EMOTIONS[label]]
        strengths.append([apex.get(unit, 0) * rng.uniform(0.8, 1.1) for unit in RESTING_UNITS])
        offsets.append(rng.integers(NOISE_OFFSETS, size=d))
    person, shot = _named(PERSON, people), _named(TAKE, shots)

    moment = (np.arange(d) + 1) / d
    progress = np.clip((moment - shot.onset) / shot.duration, 0, 1)
    motion = shot.intensity * progress**2 * (3 - 2 * progress)
    units = {}
    for unit, rest, strength in zip(RESTING_UNITS, np.transpose(rests), np.transpose(strengths), strict=True):
        units[unit] = rest[:, np.newaxis] + (strength[:, np.newaxis] - 0.3 * rest[:, np.newaxis]) * motion
    units[45] = np.clip(1 - np.abs(moment - shot.blink) * 8, 0, 1)  # blink

    sketch = _Sketch()
    _draw_person(sketch, person, shot, units)
    shapes = sketch.as_array((len(labels), d))
    _place(shapes, shot, moment - 0.5, (h, w))
    light = np.hstack([shot.gain, shot.light_x * 2 / w, shot.light_y * 2 / h, shot.noise, shot.background])
    return shapes, light.astype(np.float32), np.array(offsets)


class _Sketch:
    """Soft shapes in the order of painting; every number may be an array that broadcasts to (n, d)."""

    def __init__(self):
        self.shapes = []

    def add(
        self, x, y, length, up, down=None, *, grey, opacity=1, angle=0, bend=0, roundness=1, soft=1.5, within=-1
    ):
        """Add a shape and return its index.

        In the shape's own axes, ``p`` along (1 at the end) and ``r`` across (``up`` towards -r, ``down`` towards +r), it is
        the inside of ``p^2 + roundness s^2 + (1 - roundness) |s| = 1`` with ``s = (r - bend p^2) / up`` or ``/ down``: an
        ellipse for roundness 1, a leaf with pointed ends for 0; ``bend`` is how far the ends hang down.

        Args:
            x, y: centre.
            length, up, down: half the length, and the extents to either side; ``down`` defaults to ``up``.
            grey, opacity: what is painted, and how much it covers.
            angle: of the axis p, radians, clockwise.
            soft: width of the edge.
            within: index of the shape that clips this one; -1, the default, for none.
        """
        down = up if down is None else down
        self.shapes.append((x, y, angle, length, up, down, bend, roundness, soft, grey, opacity, within))
        return len(self.shapes) - 1

    def stroke(self, x0, y0, x1, y1, thickness, **look):
        """Add a stroke from one point to another; further arguments as of :meth:`add`."""
        return self.add(
            (x0 + x1) / 2,
            (y0 + y1) / 2,
            np.hypot(x1 - x0, y1 - y0) / 2,
            thickness / 2,
            angle=np.arctan2(y1 - y0, x1 - x0),
            **look,
        )

    def as_array(self, clips_and_frames):
        """All shapes as float32 of shape (n, d, s, 12)."""
        shapes = np.empty((*clips_and_frames, len(self.shapes), len(self.shapes[0])), np.float32)
        for index, numbers in enumerate(self.shapes):
            for column, number in enumerate(numbers):
                shapes[:, :, index, column] = number
        return shapes


def _place(shapes, shot, moment, size):
    """Move the shapes from the face's own coordinates to pixels, in place: scale, roll, jitter and drift."""
    unit = min(size) / 100
    scale = (unit * shot.scale)[..., np.newaxis]
    roll = (shot.roll + shot.drift_roll * moment)[..., np.newaxis]
    x, y = shapes[..., 0] * scale, shapes[..., 1] * scale
    middle_x = (size[1] - 1) / 2 + unit * (shot.x + shot.drift_x * moment)
    middle_y = (size[0] - 1) / 2 + unit * (shot.y + shot.drift_y * moment)
    shapes[..., 0] = middle_x[..., np.newaxis] + np.cos(roll) * x - np.sin(roll) * y
    shapes[..., 1] = middle_y[..., np.newaxis] + np.sin(roll) * x + np.cos(roll) * y
    shapes[..., 2] += roll
    shapes[..., 3:7] *= scale[..., np.newaxis]
    shapes[..., 8] *= unit


def _draw_person(sketch, person, shot, units):
    """Add the whole picture to ``sketch``, from the background to the hair over the forehead."""
    chin = person.chin + 6 * units[26] - 1.0 * units[17]
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
    width, top, skin = person.head_width, person.head_top, person.skin
    sketch.add(-30, -20, 30, 40, grey=shot.background * 0.8, opacity=0.6, soft=40)
    sketch.add(0, 72, 56, 26, grey=person.clothes, roundness=1, soft=2)
    hair = sketch.add(
        0, -8, width + 2 + person.hair_volume, top - 5 + person.hair_volume, person.hair_length, grey=person.hair, soft=2.5
    )
    sketch.add(0, 44, 14, 22, grey=skin * 0.72, soft=3)  # neck
    for side in (-1, 1):
        sketch.add(side * (width + 0.5) - shot.yaw, 0, 4, 7, grey=skin * 0.85)
        sketch.add(side * (width + 1) - shot.yaw, 0, 2, 4.5, grey=skin * 0.68, soft=2)
    head = sketch.add(0, 0, width, top, chin, grey=skin * 0.78, roundness=person.jaw)
    sketch.add(shot.yaw, -1, width - 4, top - 4, chin - 4, grey=skin, roundness=person.jaw, soft=11, within=head)
    beard = np.clip(person.beard, 0, 1)
    sketch.add(0, chin - 9, width * 0.75, 15, 14, grey=person.hair, opacity=beard, bend=-9, soft=9, within=head)
    return hair


def _draw_fringe(sketch, person, hair):
    top, width = person.head_top, person.head_width
    sketch.add(
        person.parting,
        -top - 3,
        width + 12,
        20,
        person.hairline + 3,
        bend=14 + person.fringe,
        grey=person.hair,
        soft=2.5,
        within=hair,
    )
    sketch.add(person.parting, -top + 2, 15, 3, grey=person.hair + 0.15, bend=6, opacity=0.5, soft=6, within=hair)


def _draw_eye(sketch, person, shot, units, side):
    x = side * person.eye_gap + shot.yaw
    y = person.eye_y
    skin = person.skin
    awake = 1 - units[45]
    # AU5 raises the upper lid; AU7, AU6 and AU9 narrow the eye, the latter two mostly from below.
    up = 3.1 * person.eye_opening + 2.3 * units[5] - 0.9 * units[7] - 0.6 * units[6] - 1.0 * units[9]
    down = 2.3 * person.eye_opening + 0.4 * units[5] - 1.1 * units[7] - 1.3 * units[6] - 0.8 * units[9]
    up = np.maximum(up, 0.5) * awake - 1.5 * (1 - awake)
    down = np.maximum(down, 0.4)
    opening = np.maximum(up, 0.3)
    angle = side * person.eye_tilt
    length = person.eye_length
    sketch.add(x, y - 4, length + 2.5, 4.5, 5, grey=skin * 0.72, opacity=0.45, soft=6)  # socket
    eye = sketch.add(x, y, length, opening, down, grey=np.minimum(skin + 0.22, 0.95), angle=angle, roundness=0.35)
    iris = person.iris
    sketch.add(x + shot.yaw, y - 0.2, 3.1, 3.1, grey=iris, within=eye, soft=1.2)
    sketch.add(x + shot.yaw, y - 0.2, 1.3, 1.3, grey=iris * 0.2, within=eye, soft=1.2)
    sketch.add(x + shot.yaw + 1, y - 1.4, 0.8, 0.8, grey=1, within=eye, soft=1)
    # Lid lines follow the edge of the leaf, which the bend of a thin stroke reproduces.
    sketch.add(x, y - up, length + 0.6, 0.8, grey=skin * 0.18, bend=up, angle=angle, roundness=0.5, soft=1.4)
    sketch.add(x, y + down, length, 0.5, grey=skin * 0.5, bend=-down, angle=angle, opacity=0.6)
    sketch.add(
        x, y - up - 2, length, 0.5, grey=skin * 0.5, bend=up, angle=angle, opacity=0.55 - 0.3 * units[5].clip(0, 1)
    )
    bag = np.clip(person.creases + 0.5 * units[6] + 0.3 * units[7], 0, 0.8)
    sketch.add(x, y + down + 2.2, length * 0.8, 0.5, grey=skin * 0.6, bend=-down, opacity=bag, soft=2)
    # AU6: crow's feet
    for rise in (-2.4, 0, 2.4):
        sketch.stroke(
            x + side * (length + 1.2),
            y + 0.4 * rise,
            x + side * (length + 5),
            y + 1.3 * rise,
            0.9,
            grey=skin * 0.55,
            opacity=np.clip(units[6], 0, 1) * 0.7,
        )


def _draw_brow(sketch, person, shot, units, side):
    # AU1 lifts the inner end, AU2 the outer end, AU4 lowers all and draws the inner ends together, AU9 pulls them down.
    inner_x = person.eye_gap - 0.75 * person.brow_length - 2.2 * units[4]
    outer_x = person.eye_gap + 1.1 * person.brow_length
    y = person.eye_y + person.brow_y
    tilt = person.brow_tilt * person.brow_length
    inner_y = y + tilt - 6.0 * units[1] - 1.0 * units[2] + 4.5 * units[4] + 2.0 * units[9]
    outer_y = y - tilt - 5.5 * units[2] + 1.5 * units[4] + 0.5 * units[9]
    look = dict(grey=np.minimum(person.hair * 0.8, person.skin * 0.6), soft=1.8, roundness=0.6)
    sketch.stroke(
        side * inner_x + shot.yaw,
        inner_y,
        side * outer_x + shot.yaw,
        outer_y,
        2 * person.brow_thickness,
        bend=side * (person.brow_arch + 0.8 * units[2] - 0.6 * units[4]),
        **look,
    )


def _draw_cheek(sketch, person, shot, units, side):
    skin = person.skin
    lift = 3 * units[6] + 1.5 * units[12]
    sketch.add(side * 17 + shot.yaw, 11 - lift, 7, 5.5, grey=np.minimum(skin * 1.15, 1), opacity=0.35, soft=8)
    # nasolabial fold: AU12 and AU6 push it outwards, AU9 and AU10 lift and deepen it
    depth = np.clip(person.creases + 0.5 * units[12] + 0.5 * units[9] + 0.4 * units[10], 0, 0.85)
    wing = person.nose_width + 1.5
    sketch.stroke(
        side * wing + shot.yaw,
        person.nose_y + 0.5 - 2 * units[9],
        side * (person.mouth_length + 2.5 + 2.5 * units[12] + 1.5 * units[20]) + shot.yaw,
        person.mouth_y - 1 - 1.5 * units[12],
        1.5,
        grey=skin * 0.55,
        opacity=depth,
        bend=side * (2.2 + units[9]),
        soft=2.5,
    )


def _draw_nose(sketch, person, shot, units):
    skin, width = person.skin, person.nose_width
    x = 2 * shot.yaw
    y = person.nose_y - 2.2 * units[9] - 0.8 * units[10]
    for side in (-1, 1):
        sketch.stroke(
            side * 3.2 + shot.yaw, person.eye_y - 3, side * 2.6 + x, y - 3, 2.2, grey=skin * 0.75, opacity=0.4, soft=4
        )
    sketch.stroke(shot.yaw, person.eye_y, x, y - 3, 2.5, grey=np.minimum(skin * 1.2, 1), opacity=0.4, soft=4)
    sketch.add(x, y - 1, width * 0.55, 3, grey=np.minimum(skin * 1.18, 1), opacity=0.45, soft=4)
    sketch.add(x, y + 2.6, width + 0.5, 1.3, grey=skin * 0.62, opacity=0.6, bend=-1.5, soft=3)
    for side in (-1, 1):
        flare = width + 0.8 * units[9]
        sketch.add(
            x + side * flare, y, 3, 0.9, grey=skin * 0.62, angle=side * 1.25, bend=-side * 1.0, opacity=0.6, soft=1.8
        )
        sketch.add(
            x + side * flare * 0.5, y + 1.6, 1.7, 0.8, 0.9, grey=skin * 0.25, angle=side * 0.25, opacity=0.85, soft=1.4
        )
        # AU9: wrinkles across the bridge
        for rise in (0, 2.6):
            sketch.stroke(
                side * 1.2 + shot.yaw,
                person.eye_y + 3 + rise,
                side * 4 + shot.yaw,
                person.eye_y + 0.8 + rise,
                1.1,
                grey=skin * 0.5,
                opacity=np.clip(units[9], 0, 1) * 0.75,
            )


def _draw_forehead(sketch, person, shot, units):
    # AU1 and AU2 wrinkle the forehead; AU4 furrows it between the brows
    y = person.eye_y + person.brow_y
    raised = np.clip((units[1] + units[2]) / 2 - 0.2, 0, 1)
    for rise in (5, 8.5):
        sketch.add(
            shot.yaw,
            y - rise - 4 * raised,
            13 - 2 * units[4],
            0.55,
            grey=person.skin * 0.65,
            opacity=0.7 * raised,
            bend=1 - 2.0 * (units[1] - units[2]),
            soft=1.8,
        )
    furrow = np.clip(units[4] - 0.1, 0, 1) * 0.7
    for side in (-1, 1):
        sketch.stroke(
            side * 1.8 + shot.yaw, y + 1, side * 2.2 + shot.yaw, y + 7, 1.1, grey=person.skin * 0.5, opacity=furrow
        )


def _draw_mouth(sketch, person, shot, units, chin):
    skin = person.skin
    x = 1.2 * shot.yaw
    y = person.mouth_y - 1.2 * units[10] - 1.0 * units[17] + 1.0 * units[26] - 0.5 * units[12]
    # AU12 and AU20 widen the mouth, AU23 and the dropping jaw narrow it
    length = person.mouth_length + 3.5 * units[12] + 3 * units[20] - 1.5 * units[23] - 2.5 * units[26]
    # AU12 pulls the corners up, AU15 down
    bend = -5.5 * units[12] + 4.5 * units[15] + 1.0 * units[17] + 0.6 * units[20]
    y = y - 0.35 * bend
    thin = np.clip(1 - 0.6 * units[23] - 0.3 * units[20] - 0.15 * units[12], 0.2, 1)
    up = 0.35 + 1.3 * units[25] + 1.8 * units[10] + 1.0 * units[26]
    down = 0.35 + 1.5 * units[25] + 7.0 * units[26] - 0.3 * units[17]
    upper, lower = person.upper_lip * thin, person.lower_lip * thin
    lips = skin * person.lips
    sketch.add(x, y + down + lower + 2.5, 6, 1.6, grey=skin * 0.6, opacity=0.5, bend=-1.5 * units[17], soft=4)
    sketch.add(
        x, (y + down + lower + chin) / 2 + 2, 6, 3, grey=np.minimum(skin * 1.15, 1), opacity=0.3, soft=5
    )  # chin
    chin_crease = np.clip(units[17], 0, 1) * 0.6
    sketch.add(x, y + down + lower + 3.2, 5, 0.6, grey=skin * 0.5, opacity=chin_crease, bend=2, soft=2)
    beard = np.clip(person.beard * 1.2, 0, 1)
    sketch.add(x, y - up - upper - 2, length * 0.9, 1.6, grey=person.hair, opacity=beard, bend=2 + bend * 0.5, soft=3)
    sketch.add(x, y, length + 0.8, up + upper, down + lower, grey=lips, bend=bend, roundness=0.35, soft=1.8)
    sketch.add(x, y + down + lower * 0.5, length * 0.5, lower * 0.35, grey=lips + 0.1, bend=0.2 * bend, soft=2.5)
    inside = sketch.add(x, y, length * 0.93, up, down, grey=0.12, bend=bend, roundness=0.35, soft=1.3)
    show = np.clip(up + 0.5 * down - 0.8, 0, 1)
    teeth = 1.2 + 0.6 * units[12]
    sketch.add(x, y - up * 0.4, length * 0.8, up, teeth, grey=0.92, opacity=show, bend=bend * 0.8, within=inside)
    sketch.add(x, y + down, 5, down * 0.4, grey=0.3, opacity=show, within=inside, soft=3)  # tongue
    corner = np.clip(0.3 + 0.4 * np.abs(bend) / 5, 0, 0.8)
    for side in (-1, 1):
        sketch.add(x + side * (length + 0.6), y + bend, 1.3, 1.0, grey=skin * 0.5, opacity=corner, soft=2)


@parallel
def _paint_clips(shapes, light, noise, offsets, clips):
    for n in prange(clips.shape[0]):
        _paint_clip(shapes[n], light[n], noise, offsets[n], clips[n])


@serial
def _paint_clip(shapes, light, noise, offsets, clip):
    frames, rows, columns = clip.shape
    picture = np.empty((rows, columns), np.float32)
    for frame in range(frames):
        picture[:] = light[4]
        for index in range(shapes.shape[1]):
            _paint_shape(shapes[frame], index, picture)
        _expose(picture, light, noise[offsets[frame] :], clip[frame])


@serial
def _paint_shape(shapes, index, picture):
    """Blend shape ``index`` into the picture."""
    rows, columns = picture.shape
    x, y, angle, length, up, down, bend, _, soft, grey, opacity, within = shapes[index]
    if opacity <= 0:
        return
    thickness = max(up, down) + abs(bend)
    reach_x = abs(math.cos(angle)) * length + abs(math.sin(angle)) * thickness + soft
    reach_y = abs(math.sin(angle)) * length + abs(math.cos(angle)) * thickness + soft
    left, right = max(0, math.floor(x - reach_x)), min(columns, math.ceil(x + reach_x) + 1)
    top, bottom = max(0, math.floor(y - reach_y)), min(rows, math.ceil(y + reach_y) + 1)
    if left >= right:
        return
    cover = np.empty(right - left, np.float32)
    clip = np.empty(right - left, np.float32)
    for h in range(top, bottom):
        _cover_row(shapes[index], h, left, cover)
        if within >= 0:
            _cover_row(shapes[int(within)], h, left, clip)
            for w in range(cover.size):
                cover[w] *= clip[w]
        row = picture[h, left:right]
        for w in range(cover.size):
            row[w] += opacity * cover[w] * (grey - row[w])


@serial
def _cover_row(shape, h, left, cover):
    """How much of each pixel of row ``h``, from column ``left`` on, the shape covers, in 0 ... 1."""
    x, y, angle, length, up, down, bend, roundness, soft, _, _, _ = shape
    # float32 constants, because a literal would draw the loop into float64
    zero, half, one, two, three, tiny = F0, F05, F1, F2, F3, TINY
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    dy = np.float32(h) - y
    along_length, per_length = one / length, one / soft
    per_up, per_down = one / max(up, tiny), one / max(down, tiny)
    pointed = one - roundness
    for w in range(cover.size):
        dx = np.float32(w + left) - x
        p = (cos * dx + sin * dy) * along_length
        r = cos * dy - sin * dx - bend * p * p
        per_side = per_up if r < zero else per_down
        s = abs(r) * per_side
        q = p * p + roundness * s * s + pointed * s
        # to first order, the distance to the edge q = 1 is (1 - q) / |grad q|
        q_s = (two * roundness * s + pointed) * (per_side if r > zero else -per_side)
        q_p = (two * p - two * bend * p * q_s) * along_length
        distance = np.divide(one - q, math.sqrt(q_p * q_p + q_s * q_s + tiny))
        t = min(max(half + distance * per_length, zero), one)
        cover[w] = t * t * (three - two * t)


@serial
def _expose(picture, light, noise, frame):
    """Light the picture, add the sensor's noise and round to bytes."""
    rows, columns = picture.shape
    gain, light_x, light_y, sigma, _ = light
    for h in range(rows):
        for w in range(columns):
            level = gain + light_x * (w - columns / 2) + light_y * (h - rows / 2)
            value = picture[h, w] * level + sigma * noise[h * columns + w]
            frame[h, w] = np.uint8(min(max(value, 0), 1) * 255 + 0.5)


F0, F05, F1, F2, F3, TINY = np.array([0, 0.5, 1, 2, 3, 1e-6], np.float32)
