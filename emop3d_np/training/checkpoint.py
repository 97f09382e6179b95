"""Checkpoints: all that a run needs to go on as if it had never stopped, in one .npz file.

Written to a file beside and then renamed, so whatever happens in between, the last whole checkpoint is there.  Every
array has a checksum, and so has the header, so that a bit that flipped is found, and said where.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kernels.arrays import AnyArray, FloatArray

from .. import files
from ..datasets.identity import require_form
from ..datasets.record import Record, from_dict
from ..errors import InputError
from ..reading import is_number, is_whole, json_object, read_npz, reading, require, short
from . import flags

FORMAT = 2
"""Number of the checkpoint's form.  Format 1 has no checksums, and may not tell what its clips were."""


@dataclass
class Checkpoint:
    """The state of a run after some step.

    Attributes:
        step: updates made.
        settings: the run's settings, by name.
        parameters: the network's arrays, by name.
        slots: the optimiser's arrays: slot name to a dict of arrays, by parameter name.
        progress: plain values: the sums since the last evaluation, the patience, the training set's size, and the
            random state, which is seed, epoch and batch, since every epoch's order is drawn from seed and epoch alone;
            ``due``, the learning rate of the step, where its evaluation failed and is still to be made.
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
    arrays = {name: np.asarray(values) for name, values in arrays.items()}
    header = {"format": FORMAT, "step": state.step, "settings": state.settings, "progress": state.progress}
    header |= {"data": state.data, "checksums": {name: _checksum(values) for name, values in arrays.items()}}
    arrays["header"] = np.array(json.dumps(header))
    arrays["header_checksum"] = np.array(_checksum(arrays["header"]))
    files.write_atomically(path, lambda file: np.savez(file, **arrays))


def load(path: str | Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InputError: there is no such file, or it is damaged or something else, or says what cannot be.
    """
    where = f"checkpoint {path}"
    with reading(
        where,
        missing=f"there is no checkpoint {path}",
        damaged=f"{where} is damaged, or not a checkpoint of this program",
    ):
        arrays = read_npz(path, where)
        header_array = arrays.pop("header")
        header = json_object(header_array.item())
        if header["format"] not in (1, FORMAT):
            found = short(repr(header["format"]))
            raise InputError(f"{where} has format {found}; this version reads formats 1 and {FORMAT}")
        if header["format"] == FORMAT:
            if arrays.pop("header_checksum").item() != _checksum(header_array):
                raise ValueError("its header does not agree with its checksum")
            _require_checksums(arrays, header["checksums"])
        require(is_whole(header["step"]), where, "step", header["step"])
        for name in ("settings", "progress"):
            require(isinstance(header[name], dict), where, name, header[name])
        state = Checkpoint(
            header["step"], flags.validated(header["settings"], where), {}, {}, header["progress"],
            data=header.get("data", {}),
        )  # fmt: skip
        _require_progress(state, where)
        require_form(state.data, where, state.settings.get("num_classes"))
        for name, values in arrays.items():
            _keep(state, name, values)
        return state


def _keep(state: Checkpoint, name: str, values: AnyArray) -> None:
    """Put an array of a checkpoint where it belongs."""
    if values.dtype.kind != "f":
        raise ValueError(f"{name} has dtype {values.dtype}")
    part, rest = name.split("/", 1)
    if part in ("parameters", "average"):
        getattr(state, part)[rest] = values
    elif part == "slots":
        slot, parameter = rest.split("/", 1)
        state.slots.setdefault(slot, {})[parameter] = values
    else:
        raise ValueError(f"it holds {name}")


def _checksum(values: AnyArray) -> str:
    """SHA-256 of an array's type, shape and values."""
    digest = hashlib.sha256(f"{values.dtype.str} {values.shape} ".encode())
    digest.update(values.tobytes())
    return digest.hexdigest()


def _require_checksums(arrays: Mapping[str, AnyArray], checksums: Mapping[str, str]) -> None:
    """Raises ValueError if there are other arrays than ``checksums``, by name, or one does not agree with its own."""
    differing = sorted(set(arrays) ^ set(checksums))
    if differing:
        raise ValueError(f"{differing[0]} is missing, or too much")
    for name, values in arrays.items():
        if _checksum(values) != checksums[name]:
            raise ValueError(f"{name} does not agree with its checksum")


def _require_progress(state: Checkpoint, where: str) -> None:
    """Raises InputError where the progress is none that a run can have made, or not that of the step."""
    progress = state.progress
    if "tally" in progress:
        tally = progress["tally"]
        fits = isinstance(tally, dict) and set(tally) == {"clips", "loss_sum", "correct"}
        fits = fits and is_whole(tally["clips"]) and is_whole(tally["correct"], 0, tally["clips"])
        require(fits and is_number(tally["loss_sum"]), where, "the tally", tally)
    if "patience" in progress:
        patience = progress["patience"]
        fits = isinstance(patience, dict) and set(patience) == {"lowest", "waited"} and is_whole(patience["waited"])
        fits = fits and (patience["lowest"] in (None, float("inf")) or is_number(patience["lowest"]))
        require(fits, where, "the patience", patience)
    require("due" not in progress or is_number(progress["due"]), where, "due", progress.get("due"))
    count, state_of_order = progress.get("training_clips"), progress.get("random_state")
    require(count is None or is_whole(count, 1), where, "training_clips", count)
    batch_size, seed = (state.settings.get(name) for name in ("batch_size", "seed"))
    if state_of_order is not None and count and batch_size and count >= batch_size:
        epoch, batch = divmod(state.step, count // batch_size)
        expected = {"seed": seed, "epoch": epoch, "batch": batch}
        require(state_of_order == expected, where, f"the random state of step {state.step}", state_of_order)
