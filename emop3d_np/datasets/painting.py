"""The kernels that paint soft shapes over each other, and light them: what the drawn faces are made with."""

import numpy as np
from numba import prange

from kernels.arrays import AnyArray, FloatArray, IntArray
from kernels.cpu.jit import parallel, serial

INVISIBLE = 0.01
"""Shapes of less opacity are passed over."""

ZERO, HALF, ONE, TWO, THREE, TINY = np.array([0, 0.5, 1, 2, 3, 1e-6], np.float32)
"""Constants of the inner loop: a literal would turn it to float64, half as fast."""


@parallel
def paint_clips(shapes: FloatArray, light: FloatArray, places: IntArray, noise: FloatArray, clips: AnyArray) -> None:
    """Paint clips (n, d, h, w), one task per clip.

    Args:
        shapes: (n, d, s, 13), painted in their order; the columns are those that :func:`_paint_shape` names, in pixels.
        light: (n, d, 5): background, gain, its slopes along w and h, deviation of the noise.
        places: (n, d), where each frame begins in the noise.
        noise: standard normal values.
        clips: uint8, overwritten.
    """
    for n in prange(clips.shape[0]):
        _paint_clip(shapes[n], light[n], places[n], noise, clips[n])


@serial
def _paint_clip(shapes, light, places, noise, clip):
    frames, rows, columns = clip.shape
    picture = np.empty((rows, columns), np.float32)
    for d in range(frames):
        picture[:] = light[d, 0]
        for index in range(shapes.shape[1]):
            _paint_shape(shapes[d], index, picture)
        _expose(picture, light[d], noise[places[d] :], clip[d])


@serial
def _paint_shape(shapes, index, picture):
    """Blend a shape into the picture, within the box that it can reach."""
    rows, columns = picture.shape
    x, y, length, up, down, bend, soft, cos, sin, _, grey, opacity, within = shapes[index]
    thickness = max(up, down) + abs(bend)
    reach_x = abs(cos) * length + abs(sin) * thickness + soft
    reach_y = abs(sin) * length + abs(cos) * thickness + soft
    left, right = max(int(x - reach_x), 0), min(int(x + reach_x) + 2, columns)
    top, bottom = max(int(y - reach_y), 0), min(int(y + reach_y) + 2, rows)
    if opacity < INVISIBLE or left >= right:
        return
    cover = np.empty(right - left, np.float32)
    window = np.empty(right - left, np.float32)
    for h in range(top, bottom):
        _cover_row(shapes[index], h, left, cover)
        if within >= 0:
            _cover_row(shapes[int(within)], h, left, window)
            cover *= window
        row = picture[h, left:right]
        for w in range(cover.size):
            row[w] += opacity * cover[w] * (grey - row[w])


@serial
def _cover_row(shape, h, left, cover):
    """How much of each pixel of row ``h``, from column ``left`` on, the shape covers, 0 ... 1."""
    x, y, length, up, down, bend, soft, cos, sin, roundness, _, _, _ = shape
    dy = np.float32(h) - y
    per_length, per_soft = ONE / length, ONE / soft
    per_up, per_down = ONE / max(up, TINY), ONE / max(down, TINY)
    pointed = ONE - roundness
    for w in range(cover.size):
        dx = np.float32(w + left) - x
        p = (cos * dx + sin * dy) * per_length
        r = cos * dy - sin * dx - bend * p * p
        per_side = per_down if r > ZERO else -per_up
        s = r * per_side
        q = p * p + roundness * s * s + pointed * s
        # The distance to the edge, q = 1, is (1 - q) / |grad q| to first order.
        q_r = (TWO * roundness * s + pointed) * per_side
        q_p = TWO * p * (ONE - bend * q_r) * per_length
        # np.divide, because a plain division checks for zero and so keeps the loop from being vectorised
        distance = np.divide(ONE - q, np.sqrt(q_p * q_p + q_r * q_r + TINY))
        t = min(max(HALF + distance * per_soft, ZERO), ONE)
        cover[w] = t * t * (THREE - TWO * t)


@serial
def _expose(picture, light, noise, frame):
    """Light the picture, add the noise of the sensor and round to bytes."""
    rows, columns = picture.shape
    _, gain, light_x, light_y, sigma = light
    for h in range(rows):
        for w in range(columns):
            level = gain + light_x * (w - columns / 2) + light_y * (h - rows / 2)
            value = level * picture[h, w] + sigma * noise[h * columns + w]
            frame[h, w] = np.uint8(255 * min(max(value, 0), 1) + 0.5)
