"""``python -m emop3d_np COMMAND``: what there is beside training."""

import argparse
import os
import sys
from pathlib import Path

from .errors import InputError, writing


def settings(given):
    """print README's table of run.py's flags"""
    from .settings import markdown

    print(markdown())


def faces(given):
    """draw a picture of the drawn faces"""
    from .report import draw_faces_sheet

    draw_faces_sheet(given.picture)
    print(f"drawn: {given.picture}")


def report(given):
    """draw a run: loss, accuracy, confusion matrix, weights"""
    from .report import draw_run

    draw_run(given.run_folder, given.picture)
    print(f"drawn: {given.picture}")


def sweep(given):
    """compare settings by folds of the training set: flags of run.py, of which some list values, like 0.001,0.003"""
    from .sweep import sweep as compare_settings

    compare_settings(given.flags)


def strokes(given):
    """turn an archive of pen drawings with time stamps into clips to train on"""
    from .datasets.strokes import prepare_strokes

    classes, counts = prepare_strokes(given.archive, given.out, given.held_out)
    flags = " ".join(f"--{part}_path {folder}" for part, folder in zip(("train", "val"), counts, strict=False))
    folds = "" if given.held_out else " --folds 10"
    print(f"written; to train: python run.py {flags} --num_classes {len(classes)}{folds}")


def evaluate(given):
    """test a trained network on a set of clips: accuracy, AUC, confusion matrix"""
    import json

    from .evaluation import evaluate as test

    result = test(given.checkpoint, given.clips, given.labels, given.part)
    print(f"{result['checkpoint']} on {result['set']}, {result['clips']} clips:")
    print(result.pop("table"))
    print(f"accuracy {100 * result['accuracy']:.1f} %, AUC {result['auc']:.3f}, loss {result['loss']:.4f}")
    if given.json:
        with writing(given.json):
            Path(given.json).write_text(json.dumps(result, indent=2) + "\n")


def gradcheck(given):
    """check gradients: the network's in every edition, functions in a file, or a port's vectors"""
    from .gradcheck.command import run

    return run(given)


def prepare(given):
    """turn a folder of videos into clips of faces to train on"""
    from .settings import defaults
    from .video.prepare import FaceSettings, summary
    from .video.prepare import prepare as prepare_videos

    faces = FaceSettings(
        given.size, given.face, given.detect_every, given.min_face, given.patience, given.margin, given.fps
    )
    clips = given.layout, given.depth_frames, given.overlap, given.dtype
    try:
        rows = prepare_videos(given.source, given.out, *clips, faces, given.processes)
    except KeyboardInterrupt:
        print("\nwhat is finished is kept: the same command goes on from here", file=sys.stderr)
        raise
    print(summary(rows, given.out))
    classes = len((Path(given.out) / "classes.txt").read_text().splitlines())
    if classes == 1:
        print("all clips have one label: to learn, a network needs two")
        return
    sizes = {"depth_frames": given.depth_frames, "height": given.size, "width": given.size}
    others = "".join(f" --{name} {size}" for name, size in sizes.items() if size != defaults()[name])
    print(f"to train: python run.py --train_path {given.out} --num_classes {classes}{others}")


def predict(given):
    """tell the emotions in a video, clip by clip"""
    import numpy as np

    from .runs import use_threads
    from .video import predict as videos

    use_threads(1)  # a clip at a time is too little work to share out
    predictor = videos.Predictor(given.checkpoint)
    names = predictor.class_names
    moments, track, answers = videos.Moments(), [] if given.annotated else None, []
    found = videos.predict(
        given.source, predictor, given.overlap, moments, track,
        rate=given.fps, prefer=given.face, every=given.detect_every, min_face=given.min_face,
        patience=given.patience, margin=given.margin,
    )  # fmt: skip
    outcome = None
    if not given.json:
        print(f"{'clip':>5} {'frames':>13} {'seconds':>15}  answer  probabilities of {', '.join(names)}")
    try:
        while True:
            try:
                answer = next(found)
            except StopIteration as end:
                outcome = end.value
                break
            answers.append(answer)
            print(videos.as_json(answer, names) if given.json else videos.as_line(answer, names), flush=True)
    except KeyboardInterrupt:
        print("stopped; what was seen so far counts", file=sys.stderr)
    if outcome:
        frames, lost, notes = outcome
        print(f"{frames} frames, {lost} without a face; {len(answers)} clips", file=sys.stderr)
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
    if not answers:
        depth = predictor.net.input_shape[0]
        raise InputError(f"{given.source}: no clip: {depth} frames with a face in a row are needed")
    mean = np.mean([answer.probabilities for answer in answers], axis=0)
    print(f"all clips together: {names[mean.argmax()]}, {100 * mean.max():.1f} %", file=sys.stderr)
    if given.picture:
        from .report import draw_timeline

        draw_timeline(answers, moments.evenly(), names, given.picture)
        print(f"drawn: {given.picture}", file=sys.stderr)
    if given.annotated:
        videos.annotate(given.source, given.annotated, track, answers, names, given.fps)
        print(f"written: {given.annotated}", file=sys.stderr)


def numbers(text):
    return [int(part) for part in text.split(",")]


def _at_least(least, read=int):
    def checked(text):
        value = read(text)
        if not least <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not a number of at least {least}")
        return value

    return checked


def _share(text):
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _rate(text):
    value = float(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is no number of frames a second, above 0 and up to 1000")
    return value


FACES = {
    "--face": {"choices": ["largest", "central"], "default": "largest", "help": "of several, begin with (largest)"},
    "--detect_every": {
        "type": _at_least(1),
        "default": 5,
        "help": "frames between two searches of the whole frame (5)",
    },
    "--min_face": {
        "type": _share,
        "default": 0.1,
        "help": "smallest face searched for, share of the frame's shorter side (0.1)",
    },
    "--patience": {"type": _at_least(0), "default": 5, "help": "frames without a face that are bridged (5)"},
    "--margin": {
        "type": _share,
        "default": 44 / 182,
        "help": "share of a clip's side beyond the face's box, both borders together (FaceNet's 44 of 182)",
    },
    "--fps": {"type": _rate, "help": "frames a second to take, by their time stamps (every frame, as it comes)"},
}

ARGUMENTS = {
    settings: {},
    faces: {"picture": {"help": "file to write, .png for example"}},
    report: {"run_folder": {"help": "folder of a run"}, "picture": {"help": "file to write"}},
    sweep: {},
    strokes: {
        "archive": {"help": "zip archive of stroke files, or the folder it unpacks to"},
        "out": {"help": "prepared folder to make; with --held_out, folder of two, train and val"},
        "--held_out": {"type": numbers, "help": "drawers to validate on, like 1,2 (none: all go into one folder)"},
    },
    evaluate: {
        "checkpoint": {"help": "folder of a run (its best network, where it has one), or a checkpoint"},
        "clips": {"help": "clips: .npy, a prepared folder, or a 3D set of MedMNIST, .npz"},
        "--labels": {"help": "labels of an .npy"},
        "--part": {"choices": ["train", "val", "test"], "default": "test", "help": "split of a MedMNIST set (test)"},
        "--json": {"help": "write the result to this file"},
    },
    gradcheck: {
        "what": {
            "nargs": "*",
            "help": "network (default) | function FILE.py | export VECTORS.npz | compare VECTORS.npz THEIRS.npz",
        },
        "--backend": {"default": "all", "help": "edition to check (default all)"},
        "--dtype": {"default": "float64", "help": "float64 (default) or float32"},
        "--batch_size": {"type": int, "default": 2, "help": "clips (default 2)"},
        "--input_shape": {"type": numbers, "default": [16, 100, 100, 1], "help": "d,h,w,c (default 16,100,100,1)"},
        "--feature_maps": {"type": int, "default": 3, "help": "maps of every layer (default 3)"},
        "--num_classes": {"type": int, "default": 6, "help": "classes (default 6)"},
        "--receptive_field": {"type": numbers, "default": [3, 4, 4], "help": "rd,rh,rw (default 3,4,4)"},
        "--strides": {"type": numbers, "default": [1, 1, 1], "help": "sd,sh,sw (default 1,1,1)"},
        "--pool": {"type": numbers, "default": [3, 2, 2], "help": "rd,ph,pw (default 3,2,2)"},
        "--pooling": {"default": "max", "help": "max (default) or average"},
        "--weight_decay": {"type": float, "default": 0.0, "help": "factor of half the squared weights (default 0)"},
        "--seconds": {"type": float, "default": 25.0, "help": "time budget an edition (default 25); 0: every element"},
        "--seed": {"type": int, "default": 0, "help": "of values and directions (default 0)"},
        "--json": {"help": "write the reports to this file"},
        "--picture": {"help": "draw the error maps to this file (extra plots)"},
    },
    prepare: {
        "source": {"help": "folder of videos, or a CSV file path,label,subject[,start,end]"},
        "out": {"help": "folder to write Training.npy, labels.npy, index.csv, classes.txt and report.csv to"},
        "--layout": {"help": "folders, enterface05, cremad, ravdess, csv or ict-youtube (folders, or csv for a file)"},
        "--depth_frames": {"type": _at_least(1), "default": 16, "help": "frames of a clip (16)"},
        "--overlap": {"type": _at_least(0), "help": "frames that neighbouring clips share (half a clip: 8 of 16)"},
        "--size": {"type": _at_least(8), "default": 100, "help": "rows and columns of a clip, pixels (100)"},
        "--dtype": {
            "choices": ["uint8", "float32"],
            "default": "uint8",
            "help": "uint8, or float32 from 0 to 1 (uint8)",
        },
        **FACES,
        "--processes": {"type": _at_least(1), "help": "videos worked on at once (as many as cores)"},
    },
    predict: {
        "source": {"help": "video, folder of pictures, .npy of clips or frames, URL, or camera, camera:1, camera:NAME"},
        "--checkpoint": {"required": True, "help": "folder of a run, or its checkpoint"},
        "--overlap": {"type": _at_least(0), "help": "frames that neighbouring clips share (half a clip: 8 of 16)"},
        "--json": {"action": "store_true", "help": "print a line of JSON a clip instead of a table"},
        "--picture": {"help": "file to draw the timeline to, .png for example"},
        "--annotated": {"help": "video to write, with the face's square and the answer drawn in, .mp4 for example"},
        **FACES,
    },
}


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise InputError(f"{message}; {self.prog} --help says more")


def main(arguments=None):
    """Run one command; a mistake in what was given ends it with one line and exit code 2."""
    parser = _Parser(prog="python -m emop3d_np", description="What there is beside training (python run.py).")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command, its_arguments in ARGUMENTS.items():
        own = commands.add_parser(command.__name__, help=command.__doc__, description=command.__doc__)
        for name, options in its_arguments.items():
            own.add_argument(name, **options)
        own.set_defaults(command=command)
    try:
        given, given.flags = parser.parse_known_args(arguments)
        if given.flags and given.command is not sweep:
            parser.error(f"unrecognized arguments: {' '.join(given.flags)}")
        code = given.command(given)
    except InputError as error:
        print(f"python -m emop3d_np: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
