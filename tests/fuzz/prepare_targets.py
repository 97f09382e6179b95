"""What ``prepare`` reads, its table of recordings and what it keeps of each: more of the targets of ``targets.py``."""

import damage
import numpy as np
from fuzz import Target
from targets import TARGETS as TARGETS
from targets import equal, target

from emop3d_np.datasets.classes import require_names
from emop3d_np.video import layouts, prepare


@target("faces/*.json", "faces/*.npy", "faces/*.track.npy")
def faces(name, folder):
    """What ``prepare`` keeps of a recording: it is used as it was written, or the recording is cut out anew."""
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


@target("faces/*.why")
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


@target("table of recordings")
def table(folder):
    rows = ["path,label,subject,start,end", "a.mp4,no,ann,,", 'b.mp4,yes,"ben, é",1.5,3', "c.mp4,no,ann,0,1e1", ""]
    (folder / "x.csv").write_text("\n".join(rows), encoding="utf-8")

    def check(found):
        names = [each.name for each in found.recordings]
        assert len(set(names)) == len(names) > 0
        for each in found.recordings:
            assert each.label in found.classes
            for time in (each.start, each.end):
                assert time is None or 0 <= time < 1e9
        assert all(map(str.strip, found.classes))

    def read():
        listing = layouts.list_recordings(folder / "x.csv")
        require_names(listing.classes, "x.csv")
        return listing

    return Target(folder / "x.csv", damage.of_table, read, check)
