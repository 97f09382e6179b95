"""Tell the emotions in a video, clip by clip."""

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from ..errors import InputError
from .shared_arguments import add_answering, add_faces

EXAMPLE = "predict video.mp4 --checkpoint train_dir/20261126-120000 --picture timeline.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The video, the network, what is written, how faces are found."""
    add = parser.add_argument
    add(
        "source",
        help="video, folder of pictures, .npy of clips or frames, folder of parts, URL, camera, camera:1, camera:NAME",
    )
    add(
        "--checkpoint",
        required=True,
        nargs="+",
        metavar="RUN",
        help="folder of a run, or its checkpoint; of several, probabilities are averaged (the video stands before)",
    )
    add_answering(parser)
    add("--json", action="store_true", help="print a line of JSON per clip instead of a table")
    add("--picture", help="file to draw the timeline to, .png for example")
    add("--annotated", help="video to write, with the face's square and the answer drawn in, .mp4 for example")
    add_faces(parser, recorded=True)


def run(given: argparse.Namespace) -> None:
    """Answer as the video goes, then write what was asked for."""
    from ..files import require_apart
    from ..training.building import use_threads
    from ..video import predict as videos
    from ..video.annotated import Annotated
    from ..video.cutting import FLAGS

    require_apart({"--picture": given.picture, "--annotated": given.annotated}, _inputs(given))
    use_threads(1)  # one clip at a time is too little work to share out
    predictor = videos.Predictor(given.checkpoint, given.moved, given.temperature or 1.0)
    for note in predictor.notes:
        print(f"note: {note}", file=sys.stderr)
    names, moments = predictor.class_names, videos.Moments()
    options, notes = predictor.cutting(**{name: getattr(given, flag) for name, flag in FLAGS.items()})
    if not videos.holds_clips(given.source):
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
    depth = predictor.net.input_shape[0]
    if given.annotated and videos.holds_clips(given.source):
        raise InputError(f"--annotated {given.annotated}: {given.source} holds no video to draw in; leave it out")
    with Annotated(given.annotated, names, depth) if given.annotated else nullcontext() as annotated:
        found = videos.predict(given.source, predictor, given.overlap, moments, annotated, **options)
        if not given.json:
            print(f"{'clip':>5} {'frames':>13} {'seconds':>15}  answer  probabilities of {', '.join(names)}")
        answers = _answers(found, names, given.json)
        if not answers:
            raise InputError(f"{given.source}: no clip: {depth} frames with a face in a row are needed")
    _print_summary(answers, names)
    if given.picture:
        from ..report import draw_timeline

        draw_timeline(answers, moments.evenly(), names, given.picture)
        print(f"drawn: {given.picture}", file=sys.stderr)
    if given.annotated:
        print(f"written: {given.annotated}", file=sys.stderr)


def _inputs(given):
    """The files and folders that are read, with the pictures of a folder of pictures."""
    from ..video.decode import pictures_of

    pictures = pictures_of(given.source) if Path(given.source).is_dir() else []
    return [given.source, *given.checkpoint, *pictures]


def _answers(found, names, as_json):
    """Print each answer as soon as it is found, and at the end what became of the frames; returns the answers."""
    from ..video.predict import as_json as json_line
    from ..video.predict import as_line

    answers, outcome = [], None
    try:
        while True:
            try:
                answer = next(found)
            except StopIteration as end:
                outcome = end.value
                break
            answers.append(answer)
            print(json_line(answer, names) if as_json else as_line(answer, names), flush=True)
    except KeyboardInterrupt:
        print("stopped; what was seen so far counts", file=sys.stderr)
    if outcome:
        frames, lost, notes = outcome
        print(f"{frames} frames, {lost} without a face; {len(answers)} clips", file=sys.stderr)
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
    return answers


def _print_summary(answers, names):
    """Print the most probable class by the mean over all clips."""
    import numpy as np

    mean = np.mean([answer.probabilities for answer in answers], axis=0)
    print(f"all clips together: {names[mean.argmax()]}, {100 * mean.max():.1f} %", file=sys.stderr)
