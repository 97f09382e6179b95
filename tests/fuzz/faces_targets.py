"""What ``prepare`` keeps of a recording: it is used as it was written, or the recording is looked at anew."""

from functools import partial

import damage
import numpy as np
from fuzz import Target
from targets import equal

from emop3d_np.video import layouts, prepare


def faces(name, folder):
    """Its faces, their places, and their description."""
    (folder / "x.mp4").write_bytes(b"a video")
    recording, settings = layouts.Recording("x.mp4", "no", "ann"), prepare.FaceSettings(size=8)
    stem = folder / "0123"
    job = folder / "x.mp4", recording, stem, settings
    rows = [(run, 2 * run + frame, frame / 25, 1, 2, 30, True) for run in (0, 1) for frame in range(8)]
    sightings = np.array(rows, np.float64)
    np.save(stem.with_suffix(".npy"), np.arange(16 * 64, dtype=np.uint8).reshape(16, 8, 8))
    np.save(stem.with_suffix(".track.npy"), sightings)
    own = prepare._identity(folder / "x.mp4", recording, settings)
    prepare._write_result(stem, own, sightings, 18, 2, ["a note"])

    def read():
        return prepare._kept(job) or "cut out anew"

    kept = read()
    assert kept != "cut out anew"

    def check(found):
        assert found == "cut out anew" or equal(found, kept)

    how = damage.of_json if name.endswith("json") else damage.of_npy
    return Target(stem.with_suffix(name.removeprefix("faces/*")), how, read, check)


def why(folder):
    """Why ``prepare`` could not use a recording: it is known as it was written, or the recording is tried again."""
    (folder / "x.mp4").write_bytes(b"no video")
    job = folder / "x.mp4", layouts.Recording("x.mp4", "no", "ann"), folder / "0123", prepare.FaceSettings(size=8)
    said = prepare._write_why(job, "cannot be opened")

    def read():
        return prepare._known(job) or "tried again"

    assert read() == said

    def check(found):
        assert found in ("tried again", said)

    return Target(folder / "0123.why", damage.of_json, read, check)


TARGETS = {name: partial(faces, name) for name in ("faces/*.json", "faces/*.npy", "faces/*.track.npy")}
TARGETS["faces/*.why"] = why
