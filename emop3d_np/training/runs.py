"""The folder of a run: its settings, what it logged, its checkpoints; and which of them to go on with."""

import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import files, reading
from ..datasets import record
from ..errors import InputError
from . import checkpoint
from .flags import Settings, defaults, validated

OWN_FILES = (
    "settings.json",
    "history.jsonl",
    "tests.jsonl",
    "answers.csv",
    "answers.sha256",
    "output.txt",
    record.FILE,
)
"""Names in a run's folder that no checkpoint may have."""


def best_checkpoint(path: str | Path) -> Path:
    """The checkpoint to use of a run: the best network's (``--patience``) where there is one, else the last one's.

    Args:
        path: the run's folder; a checkpoint is returned as it is.

    Raises:
        InputError: the folder holds neither, or its settings, which name it, are damaged.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    name = defaults()["checkpoint_name"]
    if (path / "settings.json").exists():
        try:
            name = read_settings(path).get("checkpoint_name", name)
        except InputError as error:  # another checkpoint of the folder could answer
            raise InputError(f"{error}; give the checkpoint itself in place of the run's folder") from None
    run = RunFolder(path, name)
    for found in (run.best, run.checkpoint):
        if found.exists():
            return found
    raise InputError(f"checkpoint: the folder {path} holds no {name}; train with --save_checkpoint True")


def read_settings(folder: str | Path) -> dict[str, Any]:
    """What ``settings.json`` of a run says, by name.

    Raises:
        InputError: there is none, it is damaged, or a value is none that its flag takes.
    """
    path = Path(folder) / "settings.json"
    return validated(reading.read_json(path), str(path))


class RunFolder:
    """The folder of a run: ``settings.json``, ``history.jsonl``, ``tests.jsonl`` and the checkpoint.

    Args:
        path: the folder; it exists.
        checkpoint_name: file name of the checkpoint.

    Attributes:
        path: the folder.
        checkpoint, best: where the last network and the best one are saved.
    """

    def __init__(self, path: str | Path, checkpoint_name: str) -> None:
        self.path = Path(path)
        self.checkpoint = self.path / checkpoint_name
        self.best = self.path / f"best-{checkpoint_name}"

    @classmethod
    def create(cls, save_path: str | Path, checkpoint_name: str, name: str | None = None) -> "RunFolder":
        """Make a new folder.

        Args:
            save_path: where it is made.
            checkpoint_name: file name of the checkpoint.
            name: of the folder, which may be there already: whoever goes on in it rewinds it; default None, the
                folder is named by the time.

        Raises:
            InputError: nothing can be written there.
        """
        stamp = time.strftime("%Y%m%d-%H%M%S")
        try:
            os.makedirs(save_path, exist_ok=True)
            if name:
                run = cls(Path(save_path) / name, checkpoint_name)
                run.path.mkdir(exist_ok=True)
                return run
            for name in (stamp, *(f"{stamp}-{number}" for number in range(2, 1000))):
                path = Path(save_path) / name
                with suppress(FileExistsError):  # another run's, of this second
                    path.mkdir()
                    return cls(path, checkpoint_name)
        except OSError as error:
            raise InputError(f"--save_path {save_path}: cannot be written: {error.strerror}") from None
        raise InputError(f"--save_path {save_path}: holds a thousand runs of this second")

    def require_apart(self, settings: Settings) -> None:
        """Raises InputError if two files of the run have one name, or one of them is a file of the clips."""
        outputs = {f"{name} of the run": self.path / name for name in OWN_FILES}
        outputs |= {"--checkpoint_name": self.checkpoint, "the best network": self.best}
        paths = ("train_path", "train_labels_path", "val_path", "val_labels_path")
        files.require_apart(outputs, [getattr(settings, name) for name in paths])

    def write_settings(self, settings: Settings, made: record.Record | None = None) -> None:
        """Write ``settings.json`` and, where the training clips have a record, that: ``record.json``."""
        files.write_text(self.path / "settings.json", json.dumps(vars(settings), indent=2) + "\n")
        if made:
            record.write(self.path, made)

    def append(self, file_name: str, row: dict[str, Any]) -> None:
        """Add ``row`` to a file as one line of JSON.

        Raises:
            InputError: it cannot be written.
        """
        path = self.path / file_name
        try:
            with files.open_to_append(path) as file:
                file.write(files.as_json(row) + "\n")
                file.flush()
                files.sync_open(file)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from None

    def rewind(self, step: int) -> None:
        """Drop what was logged after ``step``, so that a resumed run logs it once."""
        for name in ("history.jsonl", "tests.jsonl"):
            path = self.path / name
            if path.is_symlink() and not path.exists():
                path.unlink()  # whoever made the folder would have us make a file elsewhere
            if path.exists():
                lines = reading.read_text(path).split("\n")
                files.write_text(path, "".join(f"{line}\n" for line in lines if line and _step_of(line) <= step))

    def save(self, state: checkpoint.Checkpoint, path: Path | None = None) -> None:
        """Write a checkpoint; where it cannot be, to a new folder among the system's temporary ones, and say so.

        Args:
            state: the run as it stands.
            path: of another than :attr:`checkpoint`, which the run does not go on from, and which is written nowhere
                else; default None.

        Raises:
            InputError: it could not be written where it belongs.
        """
        if path:
            with files.writing(f"checkpoint {path}"):
                return checkpoint.save(path, state)
        path = self.checkpoint
        try:
            checkpoint.save(path, state)
        except OSError as error:
            try:
                rescue = Path(tempfile.mkdtemp(prefix=f"{self.path.name}-")) / path.name
                checkpoint.save(rescue, state)
                where = f"this step's is in {rescue}; python run.py --resume {rescue} goes on"
            except OSError:
                where = self.words_to_resume()
            raise InputError(f"checkpoint {path} cannot be written: {error.strerror}; {where}") from None

    def words_to_resume(self) -> str:
        """What tells the user how to go on from the last checkpoint, or that there is none."""
        if self.checkpoint.exists():
            return f"to go on from the last checkpoint: python run.py --resume {self.checkpoint}"
        return "no checkpoint was written (--save_checkpoint writes one at every evaluation)"


class FollowedRun(RunFolder):
    """The folder of a run as those ranks have it that do not write to it: the first one does."""

    def require_apart(self, settings: Settings) -> None: ...

    def write_settings(self, settings: Settings, made: record.Record | None = None) -> None: ...

    def append(self, file_name: str, row: dict[str, Any]) -> None: ...

    def rewind(self, step: int) -> None: ...

    def save(self, state: checkpoint.Checkpoint, path: Path | None = None) -> None: ...

    def words_to_resume(self) -> str:
        """Nothing: the first rank says it."""
        return ""


def _step_of(line: str) -> float:
    """The step of a logged line."""
    try:
        step = reading.json_object(line)["step"]
    except (ValueError, KeyError, RecursionError):
        step = None  # a line that a crash cut short
    return float(step) if reading.is_number(step) else float("inf")
