"""Videos and pictures: what FFmpeg makes of a damaged one may be any picture, but it ends, or a line says why."""

import struct
import zlib
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import damage
import numpy as np
from fuzz import Target

TARGETS = {}
MOST = 2000
"""Frames that are looked at; a video of a few says at most that one stays for ten seconds."""


def exif(folder):
    """Which side of a picture is up: a tag in a JPEG, a PNG, a WebP and a TIFF; whatever it says is one of eight."""
    from emop3d_np.video import pictures

    tags = [(256, 3, 1, 4), (274, 3, 1, 6), (259, 3, 1, 1)]
    tiff = b"II*\0" + struct.pack("<IH", 8, len(tags))
    tiff += b"".join(struct.pack("<HHIHH", tag, kind, count, value, 0) for tag, kind, count, value in tags) + bytes(4)
    body = b"Exif\0\0" + tiff
    jpeg = b"\xff\xd8\xff\xe0" + struct.pack(">H", 4) + b"ab\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(tiff)) + b"eXIf" + tiff + bytes(4)
    webp = b"RIFF" + struct.pack("<I", 30 + len(tiff)) + b"WEBPEXIF" + struct.pack("<I", len(tiff)) + tiff
    forms = [jpeg + b"\xff\xda", png, webp, tiff]
    assert all(pictures.orientation(each) == pictures.ORIENTATIONS[6] for each in forms)
    (folder / "x").write_bytes(forms[0])

    def of_forms(random, content):
        return damage.of_bytes(random, random.choice(forms))

    def check(found):
        upright, packed = found
        assert upright in pictures.ORIENTATIONS.values()
        assert packed in (True, False)

    def read():
        content = (folder / "x").read_bytes()
        return pictures.orientation(content), pictures.is_jpeg_in_tiff(content)

    return Target(folder / "x", of_forms, read, check)


TARGETS["EXIF"] = exif


def frames(path, rate):
    """The frames of a video, grey, as far as they are looked at."""
    from emop3d_np.video.decode import Video

    with Video(path, rate=rate, threads=1) as video:
        return [(frame.height, frame.width, frame.time, frame.grey().copy()) for frame in islice(video, MOST)]


def check_frames(found):
    assert len(found) < MOST
    for height, width, time, grey in found:
        assert grey.shape == (height, width)
        assert grey.dtype == np.uint8
        assert np.isfinite(time)


def check_even_frames(found):
    """At a rate, time goes on; without, it is what the file says of each frame."""
    check_frames(found)
    times = [time for _, _, time, _ in found]
    assert times == sorted(times)


def video(ending, codec, rate, folder):
    """Six frames."""
    import sys

    sys.path.append(str(Path(__file__).resolve().parents[1]))
    import videos

    path = folder / f"x.{ending}"
    shades = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.uint8(40)
    videos.write(path, np.broadcast_to(shades, (6, 48, 64, 3)).copy(), codec)
    check = check_even_frames if rate else check_frames
    # A header may say that a frame has millions of pixels, which are taken up to a limit.
    return Target(path, damage.of_bytes, partial(frames, path, rate), check, multiple=1 << 19)


def picture(folder):
    """A folder with one PNG, 48 by 64 pixels."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = b"".join(bytes([0]) + bytes(range(64)) * 3 for _ in range(48))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0))
    path = folder / "pictures" / "1.png"
    path.parent.mkdir()
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return Target(path, damage.of_bytes, partial(frames, path.parent, None), check_frames, multiple=1 << 19)


if find_spec("av"):
    TARGETS["video .mp4"] = partial(video, "mp4", "mpeg4", None)
    TARGETS["video .mkv at a rate"] = partial(video, "mkv", "mpeg4", 25)
    TARGETS["video .avi"] = partial(video, "avi", "mpeg4", None)
    TARGETS["picture .png"] = picture
