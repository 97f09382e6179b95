"""Random changes of training clips that leave what they show as it is."""

from dataclasses import dataclass

import numpy as np

from kernels.arrays import AnyArray


@dataclass(frozen=True)
class Augmentation:
    """What may happen to every clip of a batch, each time anew; all frames of a clip are changed in the same way.

    Attributes:
        shift: ``(d, h, w)``, the farthest that a clip is moved along each axis, either way; its border is repeated.
        flip: axis letters of ``dhw`` along which a clip is turned round half of the time, or "".
        brightness: a clip's values are multiplied by a factor of ``1 - brightness ... 1 + brightness``.  Where frames
            are standardised afterwards (``normalize``), a factor changes nothing but for values that are cut off.
        seed: the changes of a batch follow from the seed and the step alone, so a resumed run makes the same.
    """

    shift: tuple[int, ...] = (0, 0, 0)
    flip: str = ""
    brightness: float = 0.0
    seed: int = 0

    def __bool__(self) -> bool:
        return bool(any(self.shift) or self.flip or self.brightness)

    def apply(self, clips: AnyArray, step: int) -> None:
        """Change ``clips``, ndarray of shape (n, d, h, w, c), in place, as step ``step`` does."""
        generator = np.random.default_rng((self.seed, 1, step))  # 1: the order of clips is drawn from (seed, epoch)
        for clip in clips:
            moves = [generator.integers(-most, most + 1) for most in self.shift]
            turned = [axis for axis, letter in enumerate("dhw") if letter in self.flip and generator.random() < 0.5]
            factor = generator.uniform(1 - self.brightness, 1 + self.brightness)
            if any(moves) or turned:
                places = [
                    np.clip(np.arange(length) - move, 0, length - 1)
                    for length, move in zip(clip.shape, moves, strict=False)
                ]
                for axis in turned:
                    places[axis] = places[axis][::-1]
                clip[...] = clip[np.ix_(*places)]
            if self.brightness:
                clip[...] = _in_range(clip * np.float32(factor), clip.dtype)


def _in_range(values, dtype):
    """Rounded and cut off to what whole numbers of ``dtype`` can be; floats as they are."""
    if dtype.kind == "f":
        return values
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max)
