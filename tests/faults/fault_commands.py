"""The commands that are put to every fault.  A new command is one line of :data:`COMMANDS`.

Each has its arguments, with paths relative to a folder of its own beside ``inputs``, and names what it makes; what it
made is brought to a form in which an undisturbed one is equal to the byte.
"""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIZES = ("--depth_frames=8", "--height=14", "--width=14", "--batch_size=4", "--backend=reference", "--save_checkpoint")
SETS = (
    *("--train_path=../inputs/train.npy", "--train_labels_path=../inputs/train_labels.npy"),
    *("--val_path=../inputs/val.npy", "--val_labels_path=../inputs/val_labels.npy"),
)
TRAIN = [
    *("run", *SETS, *SIZES, "--num_classes=3", "--max_steps=1", "--evaluate_every=0.5", "--test_milestones=0.5"),
    *("--average=0.9", "--patience=9", "--save_path=out"),
]
FOLDS = [*SIZES, "--train_path=../inputs/prepared", "--num_classes=2", "--folds=2", "--max_steps=1", "--save_path=out"]
SAME = {"resume": None, "save_path": None, "threads": None}
"""Settings that a repeated command may have otherwise."""

VIDEOS = ["--depth_frames=4", "--size=16", "--detect_every=9", "--processes=2"]
PREDICT = ["predict", "../inputs/videos/A/0/x.mp4", "--checkpoint=../inputs/run"]


@dataclass(frozen=True)
class Command:
    """A command that is put to faults.

    Attributes:
        name: of the command.
        arguments: "run" for run.py or "emop3d", and what follows.
        needs: "faces" where it needs that extra.
        again: the arguments that go on where it was, as of the case's folder; default the same.
        quick: False where only `make test-long` puts it to faults.
        result: what it made there, bytes by name; default all files, hidden ones too.
    """

    name: str
    arguments: list[str]
    needs: str = ""
    again: Callable[[Path, list[str]], list[str]] = lambda _, arguments: arguments
    quick: bool = True
    result: Callable[[Path], dict[str, bytes]] = lambda place: contents(place)  # noqa: PLW0108


def contents(folder):
    """Every file below ``folder`` as bytes, by its path, but for what differs between two undisturbed commands."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: canonical(path) for name, path in found.items() if path.name != "output.txt"}


def canonical(path):
    """A file without the seconds that something took and without the settings :data:`SAME`; of a video, its frames."""
    try:
        return _canonical(path)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        return path.read_bytes()


def _canonical(path):
    if path.suffix == ".mp4":  # threads of the encoder may share the work in other ways
        import av

        with av.open(str(path)) as video:
            return str([(frame.width, frame.height) for frame in video.decode(video=0)]).encode()
    if path.suffix == ".jsonl":
        rows = map(json.loads, path.read_text().splitlines())
        return json.dumps([{name: value for name, value in row.items() if name != "seconds"} for row in rows]).encode()
    if path.name == "settings.json":
        return json.dumps(json.loads(path.read_text()) | SAME).encode()
    if path.name.endswith(".ckpt"):
        with np.load(path) as arrays:
            header = json.loads(arrays["header"].item())
            header["settings"] |= SAME
            return json.dumps(header).encode() + b"".join(
                arrays[name].tobytes() for name in sorted(arrays) if "header" not in name
            )
    return path.read_bytes()


def resumed(place, arguments):
    """``--resume`` of the run that has a checkpoint, if there is one."""
    saved = sorted((place / "out").glob("*/3dpyranet.ckpt"))
    return ["run", "--resume", str(saved[0].parent.relative_to(place))] if saved else arguments


def the_run(place):
    """The run that is finished; one that was killed before its first checkpoint lies beside it."""
    (saved,) = (place / "out").glob("*/3dpyranet.ckpt")
    return contents(saved.parent)


COMMANDS = [
    Command("training", TRAIN, again=resumed, result=the_run),
    Command("folds", ["run", *FOLDS]),
    Command("folds side by side", ["run", *FOLDS, "--fold_jobs=2"], quick=False),
    Command("sweep", ["emop3d", "sweep", *FOLDS, "--fold_jobs=2", "--learning_rate=0.001,0.01"], quick=False),
    Command("prepare", ["emop3d", "prepare", "../inputs/videos", "out", *VIDEOS], "faces"),
    Command(
        "prepare in parts",
        ["emop3d", "prepare", "../inputs/videos", "out", *VIDEOS, "--clips_per_file=2"],
        "faces",
        quick=False,
    ),
    Command("strokes", ["emop3d", "strokes", "../inputs/letters.zip", "out"], quick=False),
    Command("features", ["emop3d", "features", "../inputs/run", "../inputs/prepared", "out"]),
    Command("evaluate", ["emop3d", "evaluate", "../inputs/run", "../inputs/prepared", "--json=out.json"]),
    Command(
        "annotated",
        ["emop3d", *PREDICT, "--annotated=out.mp4"],
        "faces",
    ),
]


def by_name(name):
    (command,) = (each for each in COMMANDS if each.name == name)
    return command
