"""The flags of every command: what is damaged is a command line, kept as lines of a file.

A command does all that it does up to its long work, a training's first step or the search for faces, which is left out.
"""

import contextlib
import io
import os
import re
import shutil
import sys
from functools import partial
from unittest import mock

import numpy as np
from fuzz import Target
from targets import SMALL, STROKE, a_run, as_flags_take_them

from emop3d_np import commands
from emop3d_np.errors import InputError
from emop3d_np.screen import safe
from emop3d_np.training import building, crossvalidation, flags, sweep
from emop3d_np.video import prepare

VALUES = (
    *("", " ", "0", "1", "-1", "2", "3", "0.5", "-0.5", "1e300", "1e-320", "nan", "inf", "-inf", "None", "True", "x"),
    *("9" * 300, "100000000000", "4294967296", "1,2,3", "0,0,0", "1e9,1e9,1e9", "1,2", "1,,2", "3,4,4,4"),
    *("é", "e\u0301", "\udcff", "x\x1b[2J", "a\nb", "../x", "-x", "--", "=", "%s", "{}", "clips", "run"),
    *("gone", "settings.json", "x.ckpt", "hwd", "hh", "ADAM", "float32", "uint8", "camera", "http://[", "file:", "½"),
)  # fmt: skip
"""Words that may stand on a command line.  None of them is a place outside the scratch folder."""

TARGETS = {}


class Done(BaseException):
    """The long work would begin."""


def begun(*_, **__):
    raise Done


def of_arguments(random, content):
    """A command line, an argument per line: values, flags and places change, come twice, or go."""
    lines = content.decode().split("\n")
    for _ in range(random.choice((1, 1, 2, 3))):
        at, kind = random.randrange(1, len(lines) + 1), random.randrange(16)
        # That of --seconds is how long the user wants it to take.
        values = [place for place in range(1, len(lines)) if not lines[place].startswith("--")]
        values = [place for place in values if lines[place - 1] != "--seconds"]
        names = FLAGS.get(lines[0], ())
        if kind <= 8 and values:
            lines[random.choice(values)] = random.choice(VALUES)
        elif kind == 9 and at < len(lines):
            del lines[at]
        elif kind == 10:
            lines.insert(at, random.choice(VALUES))
        elif names:
            lines += [f"--{random.choice(names)}", random.choice(VALUES)]
    return "\n".join(line.replace("\n", "\v") for line in lines).encode("utf-8", "surrogateescape")


def _flags_of(name):
    if name in commands.TAKE_FLAGS:
        return list(flags.defaults())
    import argparse

    parser = argparse.ArgumentParser()
    commands.import_module(f"emop3d_np.commands.{name}").add_arguments(parser)
    slow = {"moved", "seconds", "batch_size"} if name == "gradcheck" else {"moved"}
    return [each.dest for each in parser._actions if each.option_strings and each.dest not in slow | {"help"}]


FLAGS = {name: _flags_of(name) for name in commands.NAMES}


def command(name, arguments):
    """A target of a command's whole command line."""

    def make(folder):
        inside = folder / "a" / "b" / "c"  # so that ../x stays within the folder
        inside.mkdir(parents=True)
        os.chdir(inside)
        files(inside)
        path = folder / "arguments"
        path.write_text("\n".join([name, *arguments.split()]))
        kept = {each.name for each in inside.iterdir()}

        def restore():
            for each in inside.iterdir():
                if each.name not in kept:
                    shutil.rmtree(each) if each.is_dir() else each.unlink()

        def nothing(found):
            """An answer, whatever it is, is one."""

        return Target(path, of_arguments, partial(answer, path), nothing, multiple=1 << 14, restore=restore)

    TARGETS[f"flags of {name}"] = make


def answer(path):
    """Run the command; what it said, where it says that something is wrong, as an InputError."""
    words = [line.replace("\v", "\n") for line in path.read_bytes().decode("utf-8", "surrogateescape").split("\n")]
    said, before = io.StringIO(), sys.stdout
    with contextlib.ExitStack() as held:
        held.enter_context(contextlib.redirect_stderr(said))
        held.enter_context(contextlib.redirect_stdout(io.StringIO()))
        for owner, what, by in ASIDE:
            held.enter_context(mock.patch.object(owner, what, by))
        try:
            code = commands.main(words)
        except Done:
            return "begun"
        except SystemExit as end:  # --help, --version
            code = end.code
        finally:
            sys.stdout = before
    if code == 2:
        last = re.split("[\r\n]", said.getvalue().rstrip("\n"))[-1]  # a bar's end is no line's
        assert "error: " in last, said.getvalue()
        raise InputError(last)
    assert code in (0, None, 1, 130), code
    assert "Traceback" not in said.getvalue(), said.getvalue()
    return code


def _black_faces(jobs, processes, executor, out):
    """In place of what the processes find: sixteen black faces in each recording."""
    for path, recording, stem, faces in jobs:
        sightings = np.array([(0, frame, frame / 25, 0, 0, 30, True) for frame in range(16)])
        np.save(stem.with_suffix(".npy"), np.zeros((16, faces.size, faces.size), np.uint8))
        np.save(stem.with_suffix(".track.npy"), sightings)
        yield recording, prepare._write_result(stem, prepare._identity(path, recording, faces), sightings, 16, 0, [])


ASIDE = (
    (building, "compile_kernels", begun),
    (crossvalidation, "train_side_by_side", begun),
    (sweep, "train_side_by_side", begun),
    (crossvalidation.CrossValidation, "train_fold", begun),
    (prepare, "_side_by_side", _black_faces),
)
"""The long work, and what stands in its place."""


def files(folder):
    """What the command lines name: a run, clips, a prepared folder, a collection of videos, strokes."""
    a_run(folder / "run")
    rng = np.random.default_rng(0)
    np.save(folder / "x.npy", rng.integers(0, 255, (8, 6, 12, 12, 1), np.uint8))
    np.save(folder / "y.npy", np.arange(8) % 2)
    (folder / "clips").mkdir()
    np.save(folder / "clips" / "Training.npy", rng.integers(0, 255, (8, 6, 12, 12, 1), np.uint8))
    np.save(folder / "clips" / "labels.npy", np.arange(8) % 2)
    (folder / "clips" / "classes.txt").write_text("no\nyes\n")
    rows = [f"{clip},{clip // 2},0,{'ab'[clip // 4]},{clip % 2}" for clip in range(8)]
    (folder / "clips" / "index.csv").write_text("\n".join(["clip,source,first_frame,subject,label", *rows, ""]))
    for label in "AB":
        (folder / "videos" / label / "ann").mkdir(parents=True)
        (folder / "videos" / label / "ann" / "x.mp4").write_bytes(b"no video")
    (folder / "strokes" / "Greek" / "character01").mkdir(parents=True)
    for drawer in (1, 2):
        (folder / "strokes" / "Greek" / "character01" / f"1_0{drawer}.txt").write_bytes(STROKE)


_small = " ".join(
    f"--{name} {flags.show(value)}" for name, value in SMALL.items() if name != "train_path"
)  # fmt: skip
command("train", f"{_small} --train_path clips --check_values True --save_path runs")
command("sweep", f"{_small} --train_path clips --learning_rate 0.1,0.2 --folds 2 --save_path runs")
command("evaluate", "run x.npy --labels y.npy --temperature 2 --json result.json")
command("predict", "x.npy --checkpoint run --overlap 2 --json")
command("features", "run x.npy features --labels y.npy")
command("prepare", "videos prepared --layout folders --size 24 --depth_frames 6 --overlap 3 --margin 0.25 --fps 25")
command("strokes", "strokes pens --held_out 1")
command("exercise", "start chain_of_two answers --number 1")
command("augmented", "x.npy sheet.png --rotate 10 --shift 0,1,1 --flip w")
command("gradcheck", "network --backend reference --input_shape 6,12,12,1 --feature_maps 1 --num_classes 2 "
        "--receptive_field 2,3,3 --pool 2,2,2 --seconds 0.1")  # fmt: skip


def train_flags(folder):
    """Flags as the parser reads them: what it gives is read again as itself."""
    path = folder / "arguments"
    given = {name: value for name, value in flags.defaults().items() if name != "recipe"}
    path.write_text("\n".join(["train", *flags.arguments(given)]))

    def read():
        try:
            return flags.parse(path.read_bytes().decode("utf-8", "surrogateescape").split("\n")[1:])
        except InputError as error:
            raise InputError(safe(error)) from None  # as it is shown

    return Target(path, of_arguments, read, as_flags_take_them)


TARGETS["flags of run.py"] = train_flags
