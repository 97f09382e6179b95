"""The folder of a run: its settings, what it logged, its checkpoints; and which of them to go on with."""

import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import files
from ..errors import InputError
from . import checkpoint
from .flags import Settings, defaults


def best_checkpoint(path: str | Path) -> Path:
    """The checkpoint to use of a run: the best network's (``--patience``) where there is one, else the last one's.

    Args:
        path: the run's folder; a checkpoint is returned as it is.

    Raises:
        InputError: the folder holds neither.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    try:
        name = json.loads((path / "settings.json").read_text())["checkpoint_name"]
    except (OSError, ValueError, KeyError):
        name = defaults()["checkpoint_name"]
    run = RunFolder(path, name)
    for found in (run.best, run.checkpoint):
        if found.exists():
            return found
    raise InputError(f"checkpoint: the folder {path} holds no {name}; train with --save_checkpoint True")


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
            name: of the folder, which may be there already: an unfinished run in it is begun again; default None,
                the folder is named by the time.

        Raises:
            InputError: nothing can be written there.
        """
        stamp = time.strftime("%Y%m%d-%H%M%S")
        try:
            os.makedirs(save_path, exist_ok=True)
            if name:
                run = cls(Path(save_path) / name, checkpoint_name)
                run.path.mkdir(exist_ok=True)
                run.rewind(0)
                return run
            for name in (stamp, *(f"{stamp}-{number}" for number in range(2, 1000))):
                path = Path(save_path) / name
                with suppress(FileExistsError):  # another run's, perhaps begun just now
                    path.mkdir()
                    return cls(path, checkpoint_name)
        except OSError as error:
            raise InputError(f"--save_path {save_path}: cannot be written: {error.strerror}") from None
        raise InputError(f"--save_path {save_path}: holds a thousand runs of this second")

    def write_settings(self, settings: Settings) -> None:
        """Write ``settings.json``."""
        files.write_text(self.path / "settings.json", json.dumps(vars(settings), indent=2) + "\n")

    def append(self, file_name: str, row: dict[str, Any]) -> None:
        """Add ``row`` to a file as one line of JSON."""
        path = self.path / file_name
        try:
            with open(path, "a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}; {self.words_to_resume()}") from None

    def rewind(self, step: int) -> None:
        """Drop what was logged after ``step``, so that a resumed run logs it once."""
        for name in ("history.jsonl", "tests.jsonl"):
            path = self.path / name
            if path.exists():
                rows = [line for line in path.read_text().splitlines() if line and _step_of(line) <= step]
                files.write_text(path, "".join(line + "\n" for line in rows))

    def save(self, state: checkpoint.Checkpoint, path: Path | None = None) -> None:
        """Write a checkpoint; where the disk is full, to the system's temporary folder, and say so.

        Args:
            state: the run as it stands.
            path: where it belongs; default None, :attr:`checkpoint`.

        Raises:
            InputError: it could not be written where it belongs.
        """
        path = path or self.checkpoint
        try:
            checkpoint.save(path, state)
        except OSError as error:
            rescue = Path(tempfile.gettempdir()) / f"{self.path.name}-{path.name}"
            try:
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


def _step_of(line: str) -> float:
    """The step of a logged line."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # a line that a crash cut short
