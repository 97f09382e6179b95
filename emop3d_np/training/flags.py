"""Every flag of run.py, once: the parser, ``--help``, ``settings.json`` and the page of flags all come from here."""

import argparse
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NoReturn

import kernels

from ..errors import InputError
from ..files import taken_for_flag
from ..launchers import EXECUTORS, PROCESSES, is_executor
from ..reading import short


class Settings(SimpleNamespace):
    """All settings of a run, an attribute per flag in :data:`SETTINGS`, as :func:`merge` makes them.

    What a flag may hold is said there, by its :class:`Kind`.
    """


@dataclass(frozen=True)
class Setting:
    """One flag: ``--name value``."""

    name: str
    default: Any
    kind: "Kind"
    help: str


@dataclass(frozen=True)
class Kind:
    """How the text of a value is read, and what it must be, in words."""

    read: Callable[[str], Any]
    words: str


def _checked(read: Callable[[str], Any], test: Callable[[Any], Any]) -> Callable[[str], Any]:
    """``read``, which refuses what does not pass the ``test``."""

    def checked(text):
        value = read(text)
        if not test(value):
            raise ValueError(text)
        return value

    return checked


def _boolean(text):
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]


def _optional(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """``read``, which also takes None."""
    return lambda text: None if text.lower() == "none" else read(text)


def _numbers(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Reader of a list with commas between."""
    return lambda text: [read(part) for part in text.split(",")]


def _choice(*values):
    return Kind(_checked(str, values.__contains__), f"one of {', '.join(values)}")


def _optional_choice(*values):
    kind = _choice(*values)
    return Kind(_optional(kind.read), f"{kind.words}, or None")


def _pixels_or_share(text):
    if text.strip().isdecimal():
        return int(text)
    return _checked(float, lambda value: 0 <= value < 1)(text) or 0


_finite = _checked(float, lambda value: abs(value) < float("inf"))
_positive = _checked(_finite, lambda value: value > 0)
_count = _checked(int, lambda value: value >= 1)

BOOLEAN = Kind(_boolean, "True or False")
COUNT = Kind(_count, "a whole number of at least 1")
OPTIONAL_COUNT = Kind(_optional(_count), "a whole number of at least 1, or None")
WHOLE = Kind(_checked(int, lambda value: value >= 0), "a whole number of at least 0")
POSITIVE = Kind(_positive, "a number above 0")
LENGTH = Kind(_checked(_finite, lambda value: value >= 0), "a number of at least 0")
OPTIONAL_FOLDS = Kind(_optional(_checked(int, lambda value: value >= 2)), "a whole number of at least 2, or None")
OPTIONAL_DECAY = Kind(_optional(_checked(_finite, lambda value: value >= 0)), "a number of at least 0, or None")
MILESTONES = Kind(_optional(_numbers(_positive)), "numbers above 0 with commas between, or None")
TRIPLE = Kind(_checked(_numbers(_count), lambda values: len(values) == 3), "three whole numbers like 3,4,4")
SHIFTS = Kind(
    _checked(_numbers(_pixels_or_share), lambda values: len(values) == 3),
    "three whole numbers like 0,4,4, or shares of the side, below 1, like 0,0.04,0.04",
)
DEGREES = Kind(_checked(float, lambda value: 0 <= value <= 180), "degrees from 0 to 180")
AXES = Kind(_optional(_checked(str, lambda letters: letters and set(letters) <= set("dhw"))), "letters of dhw, or None")
OPTIONAL_SHARE = Kind(_optional(_checked(float, lambda value: 0 < value < 1)), "a number between 0 and 1, or None")
SHARE = Kind(_checked(float, lambda value: 0 <= value < 1), "a number from 0 to below 1")
RUN_FILES = (".json", ".jsonl", ".csv", ".sha256", ".txt")
"""How the names of a run's own files end."""

FILE_NAME = Kind(
    _checked(
        str,
        lambda name: (
            name not in ("", ".", "..")
            and not set(name) & {"/", "\\"}
            and name.isprintable()
            and not name.lower().endswith(RUN_FILES)
        ),
    ),
    f"a file name, no folders, that does not end in {', '.join(RUN_FILES)}",
)
PATH = Kind(_optional(_checked(str, lambda text: text and "\0" not in text)), "a path")

RECIPES = {
    "original": "",
    "strong": "--optimizer ADAMW --schedule one_cycle --learning_rate 0.001 --feature_maps 8 --max_steps 30",
    "small": "--optimizer ADAMW --schedule one_cycle --learning_rate 0.0003 --batch_size 20 --feature_maps 8 "
    "--max_steps 90 --rotate 5 --scale 0.05 --shift 0,0.04,0.04 --flip w",
}
"""The flags that ``--recipe NAME`` stands for, as a user would write them: ``strong`` for a thousand clips and more,
``small`` for some hundred clips of faces, which are as likely mirrored."""

SETTINGS: dict[str, tuple[Setting, ...]] = {
    "Recipe": (
        Setting(
            "recipe",
            "original",
            _choice(*RECIPES),
            "other defaults, by name: "
            + "; ".join(f"{name}, {flags or 'the defaults of this table'}" for name, flags in RECIPES.items()),
        ),
    ),
    "Data": (
        Setting(
            "train_path",
            None,
            PATH,
            "clips to train on, .npy (n, d, h, w, c), a folder of parts of it, or a prepared folder; without, faces "
            "drawn by the package",
        ),
        Setting("train_labels_path", None, PATH, "their labels, .npy (n,), whole numbers from 0"),
        Setting("val_path", None, PATH, "clips to validate on, .npy, a folder of parts, or a prepared folder"),
        Setting("val_labels_path", None, PATH, "their labels, .npy"),
        Setting(
            "faces",
            "default",
            _choice("easy", "default", "hard"),
            "drawn faces: default, emotions in pairs, each turning to the other; hard, any turning to any other; easy, "
            "the last frame tells",
        ),
        Setting("normalize", True, BOOLEAN, "standardise every frame and channel of the clips: mean 0, deviation 1"),
        Setting("check_values", True, BOOLEAN, "look through float clips for NaN and infinities before the first step"),
        Setting("depth_frames", 16, COUNT, "frames of a clip"),
        Setting("height", 100, COUNT, "rows of a frame as stored, pixels"),
        Setting("width", 100, COUNT, "columns of a frame as stored, pixels"),
        Setting("in_channels", 1, COUNT, "channels of a frame"),
        Setting("num_classes", 6, COUNT, "classes; labels run from 0 to this less 1"),
    ),
    "Network": (
        Setting("shrink", 1, COUNT, "the network sees means of so many rows by so many columns of the clips"),
        Setting("feature_maps", 3, COUNT, "maps of every layer"),
        Setting("receptive_field", [3, 4, 4], TRIPLE, "frames, rows, columns one unit of L1WS and L5WS sees"),
        Setting("strides", [1, 1, 1], TRIPLE, "steps between their windows: frames, rows, columns"),
        Setting("pool", [3, 2, 2], TRIPLE, "frames (overlapping), rows, columns that L3P pools"),
        Setting("pooling", "max", _choice("max", "average"), "what L3P takes of them"),
    ),
    "Training": (
        Setting("batch_size", 100, COUNT, "clips of a step; what fills no batch is left out of the epoch"),
        Setting("max_steps", 50.0, POSITIVE, "length of the training, epochs (decimals allowed)"),
        Setting("optimizer", "MOMENTUM", _choice("GD", "MOMENTUM", "ADAM", "ADAMW"), "update rule"),
        Setting("learning_rate", 0.00015, POSITIVE, "rate of the first step; of one_cycle the highest"),
        Setting(
            "schedule",
            None,
            _optional_choice("constant", "stairs", "cosine", "one_cycle"),
            "course of the rate: constant, stairs, cosine or one_cycle; None: the original's, stairs, but constant for "
            "ADAM and ADAMW; cosine and one_cycle span --max_steps: changing that at --resume changes their rates",
        ),
        Setting("warm_up", 0.0, LENGTH, "epochs in which the rate rises from near 0 to what the schedule says"),
        Setting("decay_steps", 15.0, POSITIVE, "epochs between two stairs of the rate (stairs)"),
        Setting("decay_rate", 0.1, POSITIVE, "factor of the rate at each stair (stairs)"),
        Setting("use_nesterov", False, BOOLEAN, "Nesterov's correction (MOMENTUM)"),
        Setting(
            "weight_decay",
            None,
            OPTIONAL_DECAY,
            "factor of half the squared weights in the loss; of ADAMW, share of the weights that a rate of 1 takes off",
        ),
        Setting("dense_decay", None, OPTIONAL_DECAY, "the same for the dense layer alone; None: as --weight_decay"),
        Setting(
            "average",
            None,
            OPTIONAL_SHARE,
            "also keep an average of the network over the steps, and use it: the share kept at a step, like 0.999",
        ),
        Setting("overfit_one_batch", False, BOOLEAN, "train on the first batch alone, to debug: the loss must go to 0"),
    ),
    "Augmentation": (
        Setting(
            "shift",
            [0, 0, 0],
            SHIFTS,
            "move training clips by up to so many frames, rows, columns, at random; below 1: shares of the sides",
        ),
        Setting("flip", None, AXES, "axes of d, h, w along which training clips are turned round half of the time"),
        Setting("rotate", 0.0, DEGREES, "turn training clips by up to so many degrees, at random"),
        Setting("scale", 0.0, SHARE, "make training clips larger or smaller, by 1 - this to 1 + this, at random"),
        Setting("shear", 0.0, SHARE, "slant training clips by up to this share, at random"),
        Setting("augment_in", "hw", _choice("hw", "dhw"), "rotate, scale, shear: hw, all frames alike; dhw, volumes"),
        Setting("brightness", 0.0, SHARE, "multiply training clips by 1 - this to 1 + this, at random"),
        Setting("contrast", 0.0, SHARE, "multiply their distance from their mean by 1 - this to 1 + this, at random"),
    ),
    "Evaluation": (
        Setting("evaluate_every", 1.0, POSITIVE, "epochs between two evaluations (decimals allowed)"),
        Setting("patience", None, OPTIONAL_COUNT, "stop after so many evaluations without a lower validation loss"),
        Setting("evaluate_clips", 500, COUNT, "validation clips of an evaluation, evenly spaced, at most"),
        Setting(
            "test_milestones", [15.0, 25.0, 50.0], MILESTONES, "epochs after which all of the validation set is tested"
        ),
    ),
    "Cross-validation": (
        Setting("folds", None, OPTIONAL_FOLDS, "cross-validate the training set in this many folds; None: one run"),
        Setting("fold", None, OPTIONAL_COUNT, "train and test this fold alone, from 1; None: all that are unfinished"),
        Setting("fold_jobs", 1, COUNT, "folds trained at a time, each in its own process with its share of --threads"),
        Setting(
            "executor",
            PROCESSES,
            Kind(_checked(str, is_executor), EXECUTORS),
            f"who starts these processes: {EXECUTORS}; elsewhere each gets --threads, or 1",
        ),
        Setting(
            "fold_protocol",
            "subjects",
            _choice("subjects", "clips"),
            "subjects: no person and no video on two sides; clips: each clip by itself, which leaks",
        ),
    ),
    "Output": (
        Setting("save_path", "train_dir", PATH, "folder that collects the runs"),
        Setting("save_checkpoint", False, BOOLEAN, "write a checkpoint at every evaluation (Ctrl-C always does)"),
        Setting("checkpoint_name", "3dpyranet.ckpt", FILE_NAME, "file name of the checkpoint in the run's folder"),
        Setting("resume", None, PATH, "checkpoint, or folder of a run, to go on from; other flags given beside it win"),
    ),
    "Machine": (
        Setting("seed", 0, WHOLE, "of initial values and shuffling; the same seed gives the same bits"),
        Setting("threads", None, OPTIONAL_COUNT, "threads of the kernels; None: all cores"),
        Setting("backend", "cpu", _choice(*kernels.BACKENDS), "edition of the kernels"),
        Setting("dtype", "float32", _choice("float32", "float64"), "numbers the network computes with"),
        Setting(
            "portable_bits",
            False,
            BOOLEAN,
            "compile kernels for a processor that all machines can stand for, so that unlike ones give the same bits",
        ),
    ),
}


VARIED = [
    setting.name for section in ("Recipe", "Network", "Training", "Augmentation") for setting in SETTINGS[section]
]
"""Names of the settings that a sweep may list several values of."""


def defaults() -> dict[str, Any]:
    """Every setting at its default, by name."""
    return {setting.name: setting.default for section in SETTINGS.values() for setting in section}


def parse(arguments: Sequence[str]) -> dict[str, Any]:
    """Read command-line flags.

    Args:
        arguments: ``--name value`` or ``--name=value``; a boolean may stand without a value.

    Returns:
        The given settings, by name, and only those.

    Raises:
        InputError: an unknown flag, or a value of the wrong form.
        SystemExit: ``--help`` was asked for and printed.
    """
    return {name: _read(name, text) for name, text in _texts(arguments).items()}


def parse_lists(arguments: Sequence[str]) -> dict[str, list[Any]]:
    """Read command-line flags of which those of the network and the training may list several values.

    Args:
        arguments: as of :func:`parse`; ``--learning_rate 0.001,0.003`` lists two values.  Values that have commas
            themselves are listed with slashes: ``--shift 0,0,0/0,4,4``.

    Returns:
        Lists of the values given, by name, in the order of ``--help``.

    Raises:
        InputError: as of :func:`parse`, or a value is listed twice.
    """
    lists: dict[str, list[Any]] = {}
    texts = _texts(arguments)
    for name, text in ((name, texts[name]) for name in defaults() if name in texts):
        between = "/" if isinstance(defaults()[name], list) else ","
        lists[name] = [_read(name, part) for part in (text.split(between) if name in VARIED else [text])]
        for place, value in enumerate(lists[name]):
            if value in lists[name][:place]:
                raise InputError(f"--{name} {text} lists {show(value)} twice; leave one out")
    return lists


def arguments(given: Mapping[str, Any]) -> list[str]:
    """The command-line flags that :func:`parse` reads as ``given``, a dict of settings by name."""
    return [f"--{name}={show(value)}" for name, value in given.items()]


def _texts(arguments):
    """The flags given and their texts, by name."""
    parser = _Parser(
        prog="run.py",
        description="Train EmoP3D. Every flag has a default; without paths it trains on faces drawn by the package.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        usage="python run.py [--flag value ...]",
    )
    for title, section in SETTINGS.items():
        group = parser.add_argument_group(title)
        for setting in section:
            optional_value = {"nargs": "?", "const": "True"} if setting.kind is BOOLEAN else {}
            group.add_argument(
                f"--{setting.name}",
                metavar="VALUE",
                help=f"{setting.help} (default {show(setting.default)})".replace("%", "%%"),
                **optional_value,
            )
    try:
        given, unknown = parser.parse_known_args(arguments)
    except InputError as error:
        raise InputError(f"{error}{taken_for_flag(arguments)}") from None
    if unknown:
        close = difflib.get_close_matches(unknown[0].split("=")[0].lstrip("-"), defaults(), 1)
        hint = f"did you mean --{close[0]}? " if close else ""
        raise InputError(f"unknown flag {unknown[0]}: {hint}python run.py --help lists all")
    return vars(given)


def merge(*layers: Mapping[str, Any]) -> Settings:
    """The settings of a run: the defaults, and over them each of ``layers``, settings by name, the later the stronger.

    The flags of the recipe that the last of ``layers`` names, if any does, stand between the defaults and all layers.
    Names that are no settings, as another version may have written them, are passed over.
    """
    values = defaults()
    recipe = next((layer["recipe"] for layer in reversed(layers) if "recipe" in layer), values["recipe"])
    values |= parse(RECIPES.get(recipe, "").split())
    for layer in layers:
        values |= {name: value for name, value in layer.items() if name in values}
    return Settings(**values)


def validated(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Settings that were read from a file, each as the command line would have it.

    Args:
        values: settings by name; names that are no settings stay as they are.
        where: what the file is called in messages.

    Raises:
        InputError: a value is none that the flag takes.
    """
    kinds = {setting.name: setting.kind for section in SETTINGS.values() for setting in section}
    checked = dict(values)
    for name in [name for name in values if name in kinds]:
        try:
            checked[name] = kinds[name].read(show(values[name]))
            fits = bool(checked[name] == values[name])
        except (ValueError, KeyError, OverflowError):
            fits = False
        if not fits:
            raise InputError(f"{where}: --{name} is {short(show(values[name]))}; it must be {kinds[name].words}")
    return checked


def table(settings: Settings) -> str:
    """The settings as aligned lines, for the start of a run."""
    lines = []
    for title, section in SETTINGS.items():
        lines.append(title)
        lines += [f"  {setting.name:<18} {show(getattr(settings, setting.name))}" for setting in section]
    return "\n".join(lines)


def markdown() -> str:
    """The table of ``docs/reference/flags.md``."""
    lines = ["| flag | default | what it sets |", "|---|---|---|"]
    for title, section in SETTINGS.items():
        lines.append(f"| **{title}** | | |")
        lines += [f"| `--{setting.name}` | `{show(setting.default)}` | {setting.help} |" for setting in section]
    return "\n".join(lines)


def show(value: Any) -> str:
    """A value as a user writes it."""
    if isinstance(value, list):
        return ",".join(map(show, value))
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return str(value)


def _read(name: str, text: str) -> Any:
    """The value of a flag."""
    kind = next(setting.kind for section in SETTINGS.values() for setting in section if setting.name == name)
    try:
        return kind.read(text)
    except (ValueError, KeyError, OverflowError):
        raise InputError(f"--{name} is {text!r}; it must be {kind.words}") from None


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are InputErrors."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.color = False  # which Python 3.14 would write as escapes; see screen.py

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; python run.py --help lists all flags")
