"""Random changes of training clips that leave what they show as it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kernels.arrays import AnyArray, FloatArray

PLANES = {"hw": ((1, 2),), "dhw": ((1, 2), (0, 2), (0, 1))}
"""The pairs of axes that clips are turned and slanted in: of frames, or of volumes."""


@dataclass(frozen=True)
class Augmentation:
    """What may happen to every clip of a batch, each time anew; all frames of a clip are changed in the same way.

    A clip is turned over, moved, slanted, scaled and turned about its middle by one map, so that it is resampled once,
    linearly between pixels; its border is repeated beyond it.

    Attributes:
        shift: ``(d, h, w)``, the farthest that a clip is moved along each axis, either way: an int counts frames or
            pixels, and moves are whole; a float is a share of the clip's side.
        flip: axis letters of ``dhw`` along which a clip is turned round half of the time, or "".
        brightness: a clip's values are multiplied by a factor of ``1 - brightness ... 1 + brightness``.  Where frames
            are standardised afterwards (``normalize``), a factor changes nothing but for values that are cut off.
        seed: the changes of a batch follow from the seed and the step alone, so a resumed run makes the same.
        rotate: the farthest that a clip is turned, either way, in degrees.
        scale: a clip is made larger or smaller by a factor of ``1 - scale ... 1 + scale``.
        shear: the farthest that a clip is slanted: rows are moved along, against each other, by up to this share of
            their distance.
        contrast: the distance of a clip's values from their mean is multiplied by ``1 - contrast ... 1 + contrast``;
            where frames are standardised afterwards, see ``brightness``.
        within: "hw" (default) turns, scales and slants the frames, all of a clip alike; "dhw" the clip as a volume, in
            each of its three planes by an angle and a slant of their own.
    """

    shift: Sequence[float] = (0, 0, 0)
    flip: str = ""
    brightness: float = 0.0
    seed: int = 0
    rotate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    contrast: float = 0.0
    within: str = "hw"

    def __bool__(self) -> bool:
        amounts = *self.shift, self.brightness, self.rotate, self.scale, self.shear, self.contrast
        return bool(any(amounts) or self.flip)

    def apply(self, clips: AnyArray, step: int) -> None:
        """Change ``clips``, ndarray of shape (n, d, h, w, c), in place, as step ``step`` does.

        All is done in the caller's thread, beside which others may run kernels.
        """
        from kernels import cpu  # brings Numba along

        cpu.affine(clips, *self.draw(len(clips), clips.shape[1:4], step), out=clips, beside=True)

    def draw(self, count: int, sides: Sequence[int], step: int) -> tuple[FloatArray, FloatArray]:
        """The changes that step ``step`` makes to its clips.

        Args:
            count: of clips.
            sides: ``(d, h, w)`` of a clip.
            step: number of the step.

        Returns:
            ``maps, levels``: as ``kernels.reference.affine`` takes them, float64, of shapes (n, 3, 4) and (n, 2).
        """
        generator = np.random.default_rng((self.seed, 1, step))  # 1: the order of clips is drawn from (seed, epoch)
        more = np.random.default_rng((self.seed, 2, step))  # apart, so that these change nothing about the others
        maps, levels = np.empty((count, 3, 4)), np.empty((count, 2))
        for map_, level in zip(maps, levels, strict=True):
            moves = [self._move(generator, axis, side) for axis, side in enumerate(sides)]
            turned = [letter in self.flip and generator.random() < 0.5 for letter in "dhw"]
            level[0] = np.float32(generator.uniform(1 - self.brightness, 1 + self.brightness))
            level[1] = more.uniform(1 - self.contrast, 1 + self.contrast)
            back = np.linalg.inv(self._shape(more))
            middle = (np.array(sides) - 1) / 2
            map_[:, :3] = back * np.where(turned, -1, 1)
            map_[:, 3] = middle - map_[:, :3] @ middle - back @ moves
        return maps, levels

    def _move(self, generator, axis, side):
        """How far a clip is moved along an axis, in pixels."""
        most = self.shift[axis]
        if not isinstance(most, float):
            return generator.integers(-most, most + 1)
        move = generator.uniform(-most, most) * side
        return move if axis or self.within == "dhw" else round(move)  # frames are not mixed where they stay frames

    def _shape(self, generator):
        """Scaled, slanted and turned: what becomes of a place's distance from the middle, (3, 3)."""
        planes = PLANES[self.within]
        shape = np.eye(3)
        axes = sorted({axis for plane in planes for axis in plane})
        shape[axes, axes] = generator.uniform(1 - self.scale, 1 + self.scale)
        for i, j in planes:
            slanted, turned = np.eye(3), np.eye(3)
            slanted[j, i] = generator.uniform(-self.shear, self.shear)
            angle = np.deg2rad(generator.uniform(-self.rotate, self.rotate))
            turned[np.ix_((i, j), (i, j))] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            shape = turned @ slanted @ shape
        return shape
