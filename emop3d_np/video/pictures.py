"""What the file of a picture says of itself and FFmpeg does not hand on: which side is up, and how a TIFF is packed.

Both stand in a directory of tags (TIFF 6.0, section 2), which TIFF files have, and JPEG, PNG and WebP as their EXIF.
"""

from typing import TypeAlias

Orientation: TypeAlias = tuple[bool, bool, bool]
"""How coded rows and columns become upright ones: swapped first; then, each if True, rows and columns turned round."""

UPRIGHT: Orientation = (False, False, False)
ORIENTATIONS: dict[int, Orientation] = {
    1: UPRIGHT,
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
"""By the number that EXIF gives it (tag 274)."""

JPEG_IN_TIFF = (6, 7)
"""Compressions (tag 259) of a TIFF that holds a JPEG, of which FFmpeg makes noise."""


def orientation(data: bytes) -> Orientation:
    """Which side of the picture in ``data``, its file, is up; :data:`UPRIGHT` where it does not say."""
    return ORIENTATIONS.get(tags_of(data).get(274, 1), UPRIGHT)


def is_jpeg_in_tiff(data: bytes) -> bool:
    """Whether ``data`` is a TIFF that FFmpeg cannot read rightly, since it holds a JPEG."""
    return _is_tiff(data) and tags_of(data).get(259) in JPEG_IN_TIFF


def tags_of(data: bytes) -> dict[int, int]:
    """The tags in the first directory of a picture's file that are one small number each; none where it is damaged."""
    exif = _exif_of(data)
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(exif[:4])
    if order is None:
        return {}

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], order)  # type: ignore[arg-type]

    start = number(4, 4)
    entries = range(start + 2, start + 2 + 12 * number(start, 2), 12)
    short = [entry for entry in entries if len(exif) >= entry + 12 and number(entry + 2, 2) == 3]
    return {number(entry, 2): number(entry + 8, 2) for entry in short}


def _is_tiff(data: bytes) -> bool:
    return data[:4] in (b"II*\0", b"MM\0*")


def _exif_of(data: bytes) -> bytes:
    """The directories in a picture's file: of a TIFF all of it, of others their EXIF; empty where there is none."""
    if _is_tiff(data):
        return data
    found = b""
    if data[:2] == b"\xff\xd8":  # JPEG: segments of marker and length, before the picture itself
        at = 2
        while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] not in (b"\xda", b"") and not found:
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            segment = data[at + 4 : at + 2 + length]
            if data[at + 1] == 0xE1 and segment[:6] == b"Exif\0\0":
                found = segment
            at += 2 + max(length, 2)
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        at = 8
        while at < len(data) and not found:
            length = int.from_bytes(data[at : at + 4], "big")
            if data[at + 4 : at + 8] == b"eXIf":
                found = data[at + 8 : at + 8 + length]
            at += 12 + length
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        at = 12
        while at < len(data) and not found:
            length = int.from_bytes(data[at + 4 : at + 8], "little")
            if data[at : at + 4] == b"EXIF":
                found = data[at + 8 : at + 8 + length]
            at += 8 + length + length % 2
    return found.removeprefix(b"Exif\0\0")
