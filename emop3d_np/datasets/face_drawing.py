"""How a drawn face becomes shapes: what every trait of a person and every action unit does to the picture.

A face is a list of soft shapes painted over each other.  NumPy works out the shapes of many clips and all their frames
at once; ``painting.py`` paints them.

Lengths are in hundredths of the smaller side of the frame, from the middle of the face, y downwards.  Greys, and the
strengths of action units, run from 0 to 1.
"""

from types import SimpleNamespace

import numpy as np

from kernels.arrays import FloatArray


def shapes_of(
    person: SimpleNamespace,
    shot: SimpleNamespace,
    units: dict[int, FloatArray],
    moment: FloatArray,
    size: tuple[int, int, int],
) -> FloatArray:
    """The shapes of n clips, in the order in which they are painted.

    Args:
        person: the traits that ``face_courses.PERSON`` names, arrays of shape (n, 1).
        shot: those that ``face_courses.Degree.take`` names, likewise.
        units: strength of every action unit, by its number: arrays of shape (n, d).
        moment: when each frame is, from 0 to 1, of shape (d,).
        size: ``(d, h, w)`` of a clip.

    Returns:
        float32 ndarray of shape (n, d, s, 13), in pixels; the columns are those of :meth:`_Sketch.add`.
    """
    sketch = _Sketch()
    _draw_person(sketch, person, shot, units)
    shapes: FloatArray = sketch.placed(shot, moment, size)
    return shapes


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

    def placed(self, shot: SimpleNamespace, moment: FloatArray, size: tuple[int, int, int]) -> FloatArray:
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
