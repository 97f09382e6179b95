"""Random changes of training clips that leave what they show as it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kernels.arrays import AnyArray, FloatArray

PLANES = {"hw": ((1, 2),), "dhw": ((1, 2), (0, 2), (0, 1))}
"""The pairs of axes that clips are turned and slanted in: of frames, or of volumes."""

MOVES: dict[str, Any] = {"shift": (0, 0.04, 0.04), "rotate": 5.0, "scale": 0.05}
"""Moves of the copies that :meth:`Augmentation.copy` makes for a run that was trained without any: up to 4 % of the
rows and columns, 5 degrees, 5 % in size."""


@dataclass(frozen=True)
class Augmentation:
    """What may happen to every clip of a batch, each time anew; all frames of a clip are changed in the same way.

    A clip is turned over, moved, scaled, slanted and turned about its middle by one map, so that it is resampled once,
    linearly between pixels; its border is repeated beyond it, and values that are stored as whole numbers are rounded.

    Attributes:
        shift: ``(d, h, w)``, the farthest that a clip is moved along each axis, either way: an int counts frames or
            pixels, and moves are whole; a float is a share of the clip's side (within "hw", rounded to whole frames).
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

    @classmethod
    def of(cls, settings: Any) -> "Augmentation":
        """As the flags of a run say."""
        names = "shift", "brightness", "seed", "rotate", "scale", "shear", "contrast"
        given = {name: getattr(settings, name) for name in names}
        return cls(**given, flip=settings.flip or "", within=settings.augment_in)

    @classmethod
    def of_copies(cls, settings: Any) -> "Augmentation":
        """What the moved copies of a clip are drawn from when a run answers.

        The moves that the run was trained with (``--shift``, ``--flip``, ``--rotate``, ``--scale``, ``--shear``), or
        :data:`MOVES` where it was trained with none.  Brightness and contrast stay, and the seed is 0, whatever the
        run's, so all runs of the same moves are shown the same copies.
        """
        trained = replace(cls.of(settings), brightness=0.0, contrast=0.0, seed=0)
        return trained or cls(**MOVES, within=settings.augment_in)

    def __bool__(self) -> bool:
        amounts = *self.shift, self.brightness, self.rotate, self.scale, self.shear, self.contrast
        return bool(any(amounts) or self.flip)

    def apply(self, clips: AnyArray, step: int, own: slice = slice(None), count: int | None = None) -> None:
        """Change ``clips``, ndarray of shape (n, d, h, w, c), in place, as step ``step`` does.

        They are those numbered ``own`` of a batch of ``count``; default, the whole batch.

        All is done in the caller's thread, beside which others may run kernels.
        """
        from kernels import cpu  # brings Numba along

        maps, levels = self.draw(len(clips) if count is None else count, clips.shape[1:4], step)
        if len(clips):
            cpu.affine(clips, maps[own], levels[own], out=clips, beside=True)

    def copy(self, clips: AnyArray, number: int, out: AnyArray | None = None) -> AnyArray:
        """Moved copies of clips, which follow from ``number`` alone: every clip is moved by the same map.

        Copy 0 is the clips themselves.  Copies 1 and 2 are moved by the map that step 1 draws for its first clip and
        by its inverse, copies 3 and 4 by that of step 2 and its inverse, and so on: moves in opposite pairs favour
        no side.

        Args:
            clips: array of shape (n, d, h, w, c).
            number: of the copy, from 0.
            out: array to write to, which may be ``clips``; default a new one.  Copy 0 is not written.

        Returns:
            Array of the shape and dtype of ``clips``; for copy 0 ``clips``.
        """
        if number == 0:
            return clips
        from kernels import cpu  # brings Numba along

        (drawn,), _ = self.draw(1, clips.shape[1:4], (number + 1) // 2)
        if number % 2 == 0:
            drawn = np.linalg.inv(np.vstack([drawn, [0, 0, 0, 1]]))[:3]
        moved: AnyArray = cpu.affine(clips, np.tile(drawn, (len(clips), 1, 1)), out=out, beside=True)
        return moved

    def draw(self, count: int, sides: Sequence[int], step: int) -> tuple[FloatArray, FloatArray]:
        """The changes that step ``step`` makes to its clips.

        Args:
            count: of clips.
            sides: ``(d, h, w)`` of a clip.
            step: number of the step.

        Returns:
            ``maps, levels``: as ``kernels.reference.affine`` takes them, float64, of shapes (n, 3, 4) and (n, 2).
        """
        moves, turned, brightness = self._first_draws(count, sides, step)
        more = np.random.default_rng((self.seed, 2, step))  # apart, so that these change nothing about the first ones
        contrast = more.uniform(1 - self.contrast, 1 + self.contrast, count)
        back = np.linalg.inv(self._shapes(count, more))
        middle = (np.array(sides) - 1) / 2
        linear = back * np.where(turned, -1.0, 1.0)[:, np.newaxis]
        start = middle - linear @ middle - np.einsum("nij,nj->ni", back, moves)
        return np.concatenate([linear, start[..., np.newaxis]], 2), np.stack([brightness, contrast], 1)

    def _first_draws(self, count, sides, step):
        """Of each clip moves in pixels, (n, 3), whether it is turned over along each axis, (n, 3), and brightness."""
        generator = np.random.default_rng((self.seed, 1, step))  # 1: the order of clips is drawn from (seed, epoch)
        moves, turned, brightness = [], [], []
        for _ in range(count):
            moves.append([self._move(generator, axis, side) for axis, side in enumerate(sides)])
            turned.append([letter in self.flip and generator.random() < 0.5 for letter in "dhw"])
            brightness.append(generator.uniform(1 - self.brightness, 1 + self.brightness))
        return np.array(moves, np.float64), np.array(turned), np.array(brightness, np.float32)

    def _move(self, generator, axis, side):
        """How far a clip is moved along an axis."""
        most = self.shift[axis]
        if not isinstance(most, float):
            return most and generator.integers(-most, most + 1)
        move = generator.uniform(-most, most) * side
        return move if axis or self.within == "dhw" else round(move)  # frames that stay frames are not mixed

    def _shapes(self, count, generator):
        """What becomes of a place's distance from the middle as clips are scaled, slanted and turned, (n, 3, 3)."""
        shapes = np.tile(np.eye(3), (count, 1, 1))
        factor = generator.uniform(1 - self.scale, 1 + self.scale, count)
        for axis in {axis for plane in PLANES[self.within] for axis in plane}:
            shapes[:, axis, axis] = factor
        for i, j in PLANES[self.within]:
            slanted, turned = np.tile(np.eye(3), (2, count, 1, 1))
            slanted[:, j, i] = generator.uniform(-self.shear, self.shear, count)
            angle = np.deg2rad(generator.uniform(-self.rotate, self.rotate, count))
            turned[:, i, i] = turned[:, j, j] = np.cos(angle)
            turned[:, j, i] = np.sin(angle)
            turned[:, i, j] = -turned[:, j, i]
            shapes = turned @ slanted @ shapes
        return shapes
