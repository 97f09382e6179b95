"""How fast videos are taken in, where the time goes, and how much memory it needs.

    python bench/video.py FACE.mpg                       a video with a face, for example of the GRID corpus
    python bench/video.py FACE.mpg --long 3600           instead: a pass over so many seconds, and a quarter
    python bench/video.py FACE.mpg --short 1000          instead: ``prepare`` of so many short videos

The video is shown over and over, stretched to 720 x 576 (MPEG-4 in AVI, 25 frames a second, as eNTERFACE'05 has them).
Times are wall-clock; stages are measured one after the other on the same frames.  Prints one JSON object.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import platform
import resource
import shutil
import statistics
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import emop3d_np as emo
from emop3d_np.training import building, checkpoint, flags
from emop3d_np.video import predict as prediction
from emop3d_np.video.decode import Video
from emop3d_np.video.prepare import prepare
from emop3d_np.video.track import FaceTracker

HEIGHT, WIDTH, RATE = 576, 720, 25


def write(path, source, seconds, height=HEIGHT, width=WIDTH):
    """``source`` over and over, forth and back, in another size."""
    with Video(source) as video:
        pictures = [frame._coded.reformat(width, height, "yuv420p") for frame in video]
    order = itertools.cycle([*range(len(pictures)), *range(len(pictures) - 2, 0, -1)])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", RATE)
        stream.height, stream.width, stream.bit_rate = height, width, 2_000_000
        for number, which in zip(range(round(seconds * RATE)), order, strict=False):
            frame = pictures[which]
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, RATE), 0
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def memory(who=resource.RUSAGE_SELF):
    """Largest resident memory so far, MB."""
    return round(resource.getrusage(who).ru_maxrss / 1024)


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def stages(path):
    """Milliseconds a frame of each step of ``predict``, and of the whole."""
    with Video(path) as video:
        decoding, frames = timed(lambda: list(itertools.islice(video, 75)))
    tracker = FaceTracker()
    seen = [tracker(frame) for frame in frames]
    shrink = tracker.min_face * HEIGHT / 24
    small = [frame.colour(shrink) for frame in frames]
    boxes = [tracker.detector.detect(picture, 24)[0].box for picture in small[:15]]
    clip = np.array([each.pixels for each in seen[:16]])[None, ..., None]
    with checkpoint_folder() as folder:
        predictor = prediction.Predictor(folder)
        predictor.probabilities(clip)
        with tracker._blas.limit(limits=1, user_api="blas"):
            cut_out = statistics.median(timed(lambda f=f: tracker(f))[0] for f in frames)
            result = {
                "decode": decoding / len(frames),
                "shrink to search in": timed(lambda: [frame.colour(shrink) for frame in frames])[0] / len(frames),
                "search, every 5th frame": timed(lambda: [tracker.detector.detect(p, 24) for p in small[:15]])[0] / 75,
                "follow, the others": timed(
                    lambda: [tracker.detector.follow(p, b) for p, b in zip(small, boxes, strict=False)]
                )[0] / 15 * 0.8,
                "grey": timed(lambda: [frame.grey() for frame in frames])[0] / len(frames),
                "a followed frame, all of it": cut_out,
            }  # fmt: skip
        clips, _ = timed(lambda: [predictor.probabilities(clip) for _ in range(20)])
        result["network, a clip every 8 frames"] = clips / (20 * 8)
        whole, answers = timed(lambda: list(prediction.predict(path, predictor)))
    with Video(path) as video:
        count = sum(1 for _ in video)
    result["whole"] = whole / count
    return {name: round(1000 * value, 2) for name, value in result.items()} | {
        "frames": count,
        "clips": len(answers),
        "frames a second": round(count / whole, 1),
        "times real time": round(count / whole / RATE, 1),
    }


class checkpoint_folder(tempfile.TemporaryDirectory):
    """A run's folder with an untrained network of the default size."""

    def __enter__(self):
        folder = super().__enter__()
        chosen = flags.merge({})
        net = building.build_network(chosen)
        checkpoint.save(f"{folder}/3dpyranet.ckpt", checkpoint.Checkpoint(0, vars(chosen), net.parameters, {}, {}))
        return folder


def long_video(folder, source, seconds):
    """Time and memory of a pass over a quarter of a long video, and over all of it."""
    result = {}
    with checkpoint_folder() as run:
        predictor = prediction.Predictor(run)
        for part in (seconds / 4, seconds):
            path = folder / "long.avi"
            # In a process of its own, so that its memory does not count.
            writer = multiprocessing.get_context("spawn").Process(target=write, args=(path, source, part))
            writer.start()
            writer.join()
            taken, clips = timed(lambda path=path: sum(1 for _ in prediction.predict(path, predictor)))
            result[f"{part:g} s of video"] = {"seconds": round(taken, 1), "clips": clips, "memory MB": memory()}
    return result


def short_videos(folder, source, count):
    """Memory of ``prepare`` on ``count`` videos of 16 to 24 frames, at a quarter of them and at the end."""
    result = {}
    originals = [write(folder / f"{frames}.avi", source, frames / RATE, 288, 360) for frames in range(16, 25)]
    for number in range(count):
        target = folder / "in" / "AB"[number % 2] / f"{number % 40}" / f"{number}.avi"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(originals[number % len(originals)], target)
    for part in ("A/1", ""):
        taken, rows = timed(lambda part=part: prepare(*_source(folder, part), progress=False))
        clips = sum(row["clips"] for row in rows)
        result[f"{len(rows)} videos"] = {
            "seconds": round(taken, 1), "clips": clips, "memory MB": memory(),
            "memory of a process MB": memory(resource.RUSAGE_CHILDREN),
        }  # fmt: skip
    return result


def _source(folder, part):
    """All of the collection, or the folders of it that begin with ``part``."""
    if not part:
        return folder / "in", folder / "out"
    lines = [
        "path,label,subject",
        *(f"in/{p.relative_to(folder / 'in')},x,y" for p in (folder / "in").glob(f"{part}*/*")),
    ]
    (folder / "part.csv").write_text("\n".join(lines))
    return folder / "part.csv", folder / "out_of_part"


def main():
    building.use_threads(1)  # as the command predict
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("--long", type=float, metavar="SECONDS")
    parser.add_argument("--short", type=int, metavar="COUNT")
    given = parser.parse_args()
    result = {
        "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "av": av.__version__},
        "date": time.strftime("%Y-%m-%d"),
        "emop3d_np": emo.__version__,
    }
    with tempfile.TemporaryDirectory() as folder:
        if not (given.long or given.short):
            path = write(Path(folder) / "video.avi", given.video, 10)
            result["milliseconds a frame, 720 x 576"] = stages(path)
        if given.long:  # apart from the stages, whose memory would count
            result["long video"] = long_video(Path(folder), given.video, given.long)
        if given.short:
            result["short videos"] = short_videos(Path(folder), given.video, given.short)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
