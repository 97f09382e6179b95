"""Checkpoints: all that a run needs to go on as if it had never stopped, in one .npz file.

Written to a file beside and then renamed, so whatever happens in between, the last whole checkpoint is there.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kernels.arrays import FloatArray

from .. import files
from ..datasets.record import Record, from_dict
from ..errors import InputError

FORMAT = 1


@dataclass
class Checkpoint:
    """The state of a run after some step.

    Attributes:
        step: updates made.
        settings: the run's settings, by name.
        parameters: the network's arrays, by name.
        slots: the optimiser's arrays: slot name to a dict of arrays, by parameter name.
        progress: plain values: the sums since the last evaluation, the patience, the training set's size, and the
            random state, which is seed, epoch and batch, since every epoch's order is drawn from seed and epoch alone.
        average: the arrays of the averaged network, by name; none without ``--average``.
        data: what is known of the clips that it was trained on, as of :func:`emop3d_np.datasets.identity.describe`;
            nothing in a checkpoint of an older version.
    """

    step: int
    settings: Mapping[str, Any]
    parameters: dict[str, FloatArray]
    slots: dict[str, dict[str, FloatArray]]
    progress: dict[str, Any]
    average: dict[str, FloatArray] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def answering(self) -> dict[str, FloatArray]:
        """The arrays of the network that answers: the averaged one's where there is one, else the last one's."""
        return self.average or self.parameters

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, in the order of their labels; None in a checkpoint of an older version."""
        names = self.data.get("class_names")
        return tuple(names) if names else None

    @property
    def record(self) -> Record | None:
        """How the training clips came to be; None where that is not known."""
        made = self.data.get("record")
        return from_dict(made, "the checkpoint's record") if made else None


def save(path: str | Path, state: Checkpoint) -> None:
    """Write ``state`` to ``path``; the file there stays as it was until the new one is complete.

    Raises:
        OSError: it cannot be written.
    """
    arrays: dict[str, Any] = {f"parameters/{name}": values for name, values in state.parameters.items()}
    arrays |= {f"average/{name}": values for name, values in state.average.items()}
    for slot, by_name in state.slots.items():
        arrays |= {f"slots/{slot}/{name}": values for name, values in by_name.items()}
    header = {"format": FORMAT, "step": state.step, "settings": state.settings, "progress": state.progress}
    header["data"] = state.data
    arrays["header"] = np.array(json.dumps(header))
    files.write_atomically(path, lambda file: np.savez(file, **arrays))


def load(path: str | Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InputError: there is no such file, or it is damaged or something else.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop("header").item())
        if header["format"] != FORMAT:
            raise InputError(f"checkpoint {path} has format {header['format']}; this version reads format {FORMAT}")
        state = Checkpoint(header["step"], header["settings"], {}, {}, header["progress"])
        state.data = header.get("data", {})
        for name, values in arrays.items():
            part, rest = name.split("/", 1)
            if part == "parameters":
                state.parameters[rest] = values
            elif part == "average":
                state.average[rest] = values
            else:
                slot, parameter = rest.split("/", 1)
                state.slots.setdefault(slot, {})[parameter] = values
        return state
    except FileNotFoundError:
        raise InputError(f"there is no checkpoint {path}") from None
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"checkpoint {path} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"checkpoint {path} is damaged, or not a checkpoint of this program ({error})") from None
