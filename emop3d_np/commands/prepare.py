"""Turn a folder of videos into clips of faces to train on."""

import argparse
import sys
from pathlib import Path

from ..launchers import EXECUTORS, PROCESSES
from .shared_arguments import a_share, add_faces, at_least, executor

EXAMPLE = "prepare videos clips --layout folders"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The videos, the folder, how clips are cut, how faces are found."""
    add = parser.add_argument
    add("source", help="folder of videos, or a CSV file path,label,subject[,start,end]")
    add("out", help="folder to write Training.npy, labels.npy, index.csv, classes.txt and report.csv to")
    add("--layout", help="folders, enterface05, cremad, ravdess, csv or ict-youtube (folders, or csv for a file)")
    add("--depth_frames", type=at_least(1), default=16, help="frames of a clip (16)")
    add("--size", type=at_least(8), default=100, help="rows and columns of a clip, pixels (100)")
    add(
        "--clips_per_file",
        type=at_least(1),
        help="write clips to several files, Training/part-00000.npy and so on, of so many each (one, Training.npy)",
    )
    add("--dtype", choices=["uint8", "float32"], default="uint8", help="uint8, or float32 from 0 to 1 (uint8)")
    add_faces(parser)
    add("--processes", type=at_least(1), help="videos worked on at once (as many as cores)")
    add("--executor", type=executor, default=PROCESSES, help=f"who works on them: {EXECUTORS} ({PROCESSES})")
    add(
        "--part",
        type=a_share,
        metavar="I/N",
        help="look at every N-th video, from the I-th on, for a cluster's job array; the last part to finish writes "
        "the clips (all)",
    )


def run(given: argparse.Namespace) -> None:
    """Prepare the folder and say how to train on it."""
    from ..datasets.classes import read_names
    from ..training.flags import defaults
    from ..video.prepare import FaceSettings, prepare
    from ..video.prepare_messages import summary

    faces = FaceSettings(
        given.size, given.face, given.detect_every, given.min_face, given.patience, given.margin, given.fps
    )
    clips = given.layout, given.depth_frames, given.overlap, given.dtype
    try:
        rows = prepare(
            given.source, given.out, *clips, faces, given.clips_per_file,
            processes=given.processes, executor=given.executor, part=given.part,
        )  # fmt: skip
    except KeyboardInterrupt:
        print("\nwhat is finished is kept: the same command goes on from here", file=sys.stderr)
        raise
    if not rows:  # other parts are not finished
        return
    print(summary(rows, given.out))
    classes = len(read_names(Path(given.out) / "classes.txt"))
    if classes == 1:
        print("all clips have one label: to learn, a network needs two")
        return
    sizes = {"depth_frames": given.depth_frames, "height": given.size, "width": given.size}
    others = "".join(f" --{name} {size}" for name, size in sizes.items() if size != defaults()[name])
    print(f"to train: python run.py --train_path {given.out} --num_classes {classes}{others}")
