"""``prepare`` as its user meets it: videos in, clips that can be traced to a frame out; what is in the way is named."""

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import PATIENCE
from videos import blank, moving_face, needs_faces, write, write_sound

from emop3d_np.__main__ import main
from emop3d_np.datasets import load_prepared
from emop3d_np.errors import InputError
from emop3d_np.video import prepare as module
from emop3d_np.video.layouts import Recording, list_recordings
from emop3d_np.video.prepare import FaceSettings, prepare
from emop3d_np.video.prepare_messages import summary

pytestmark = [needs_faces, pytest.mark.once]
ROOT = Path(__file__).resolve().parents[2]
SMALL = FaceSettings(size=32)


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def check(out, dtype="uint8", depth=16, size=32):
    """What the four files say together; returns the index."""
    clips, labels = np.load(out / "Training.npy"), np.load(out / "labels.npy")
    index, names = rows_of(out / "index.csv"), (out / "classes.txt").read_text().splitlines()
    assert clips.shape == (len(index), depth, size, size, 1)
    assert clips.dtype == dtype
    assert labels.dtype == np.int64
    assert labels.tolist() == [int(row["label"]) for row in index]
    assert [names[label] for label in labels] == [row["label_name"] for row in index]
    assert [int(row["clip"]) for row in index] == list(range(len(index)))
    return index


LAYOUTS = {
    "enterface05": [
        ("subject 1/anger/sentence 1/s1_an_1.avi", {"tag": "DIVX"}, "anger", "1"),
        ("subject 6/fear/s6_fe_1.avi", {"tag": "XVID"}, "fear", "6"),
    ],
    "cremad": [
        ("1001_DFA_ANG_XX.flv", {"codec": "flv", "rate": 30}, "anger", "1001"),
        ("1002_IEO_NEU_XX.flv", {"codec": "flv", "rate": 30}, "neutral", "1002"),
    ],
    "ravdess": [
        ("Actor_12/01-01-03-02-01-01-12.mp4", {"codec": "libx264"}, "happy", "12"),
        ("Actor_01/02-01-04-01-01-01-01.mp4", {"codec": "libx264"}, "sad", "01"),
    ],
    "folders": [
        ("A/anna/talk.mpg", {"codec": "mpeg1video"}, "A", "anna"),
        ("B/bert/talk.mpg", {"codec": "mpeg1video"}, "B", "bert"),
    ],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_and_codecs(tmp_path, layout):
    lengths = {}
    for number, (name, how, *_) in enumerate(LAYOUTS[layout]):
        lengths[name] = 34 + 7 * number
        write(tmp_path / "in" / name, moving_face(lengths[name], seed=number), **how)
    rows = prepare(tmp_path / "in", tmp_path / "out", layout, faces=SMALL, progress=False)
    expected = {
        (name, first, subject, label)
        for name, _, label, subject in LAYOUTS[layout]
        for first in range(0, lengths[name] - 15, 8)
    }
    index = check(tmp_path / "out")
    assert {(r["source"], int(r["first_frame"]), r["subject"], r["label_name"]) for r in index} == expected
    assert len(index) == len(expected)
    assert {row["video"]: (row["frames"], row["lost"]) for row in rows} == {n: (lengths[n], 0) for n in lengths}
    assert not any(row["notes"] for row in rows)


def test_clips_show_their_frames(tmp_path):
    """Lost frames are counted, five of them bridged, more never; first_frame is the video's own count, in parts too."""
    face = moving_face(20)
    write(tmp_path / "a.mp4", np.concatenate([blank(5), face, blank(9), face]), "libx264")
    write(tmp_path / "b.mp4", moving_face(50), "libx264")
    (tmp_path / "list.csv").write_text("path,label,subject,start,end\na.mp4,x,1,,\nb.mp4,y,2,0.4,1.2\nb.mp4,x,2,1.2,\n")
    rows = prepare(tmp_path / "list.csv", tmp_path / "out", overlap=12, faces=SMALL, progress=False)
    index = check(tmp_path / "out")
    found = [(row["video"], int(row["first_frame"]), row["label_name"]) for row in index]
    assert [row for row in found if row[0] == "a.mp4"] == [("a.mp4", n, "x") for n in (5, 9, 13, 34, 38)]
    assert [row for row in found if row[0] == "b.mp4#0.4-1.2"] == [("b.mp4#0.4-1.2", n, "y") for n in (10, 14)]
    assert [row for row in found if row[0] == "b.mp4#1.2-"] == [("b.mp4#1.2-", 30, "x"), ("b.mp4#1.2-", 34, "x")]
    assert {row["source"] for row in index} == {"a.mp4", "b.mp4"}
    assert (rows[0]["frames"], rows[0]["lost"], rows[0]["lost_share"]) == (54, 14, "0.2593")
    assert "lost 25.9 %: a.mp4" in summary(rows, tmp_path / "out")
    # Neighbouring clips share their frames to the bit.
    clips = np.load(tmp_path / "out" / "Training.npy")
    assert np.array_equal(clips[0, 4:], clips[1, :-4])
    # Other clips are cut from the same faces, and float ones have the same values.
    write(tmp_path / "b.mp4", moving_face(50), "libx264")  # changed since: looked at anew
    prepare(tmp_path / "list.csv", tmp_path / "out", None, 8, 4, "float32", SMALL, progress=False)
    check(tmp_path / "out", "float32", 8)
    other = np.load(tmp_path / "out" / "Training.npy")
    assert np.array_equal((other[0] * 255).round(), clips[0, :8])
    assert 0 <= other.min() < other.max() <= 1


def damaged_collection(root):
    """Two good videos among everything that can be wrong; returns a pattern of words for each bad one."""
    good = write(root / "A/anna/good.avi", moving_face(40))
    write(root / "B/bert/good.avi", moving_face(24, seed=1))
    whole = good.read_bytes()
    for name, content in {
        "zero.avi": b"",
        "text.avi": b"a text, and no video\n" * 99,
        "noise.mp4": os.urandom(3000),
        "header.avi": whole[:3000],
    }.items():
        (root / "A/anna" / name).write_bytes(content)
    (root / "A/anna/half.avi").write_bytes(whole[: len(whole) * 3 // 4])
    write_sound(root / "A/anna/sound.avi")
    write(root / "A/anna/nobody.avi", blank(30))
    write(root / "A/anna/one.avi", moving_face(1))
    write(root / "B/nolabel.avi", moving_face(1))
    (root / "A/bert").mkdir()
    (root / "A/bert/linked.avi").symlink_to(root / "gone.avi")
    os.mkfifo(root / "A/bert/pipe.avi")
    (root / "B/bert" / os.fsdecode(b"caf\xe9.avi")).write_bytes(whole)
    return {
        "A/anna/zero.avi": "is empty, 0 bytes",
        "A/anna/text.avi": "cannot be opened as a video",
        "A/anna/noise.mp4": "cannot be opened as a video",
        "A/anna/header.avi": "cannot be opened as a video",
        "A/anna/sound.avi": "holds no video, only sound",
        "A/anna/nobody.avi": "no face in any of its 30 frames",
        "A/anna/one.avi": "too short: a clip needs 16 frames, the longest run with a face has 1",
        "A/bert/linked.avi": "No such file",
        "A/bert/pipe.avi": "is no file but a pipe, a socket or a device",
        "B/nolabel.avi": "has no subject",
    }


def test_bad_files_never_stop_the_others(tmp_path, capsys):
    expected = damaged_collection(tmp_path / "in")
    arguments = ["prepare", str(tmp_path / "in"), str(tmp_path / "out"), "--size", "32"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    index = check(tmp_path / "out")
    counts = {name: sum(row["source"] == name for row in index) for name in {row["source"] for row in index}}
    assert counts.pop("A/anna/half.avi") >= 1
    assert counts == {"A/anna/good.avi": 4, "B/bert/good.avi": 2, "B/bert/caf\\udce9.avi": 4}
    report = {row["video"]: row for row in rows_of(tmp_path / "out" / "report.csv")}
    for name, words in expected.items():
        assert words in report[name]["skipped"]
        assert f"skipped: {name}: {report[name]['skipped']}" in out
    assert "cut short" in report["A/anna/half.avi"]["notes"]
    assert f"{len(expected) + 1} warnings" in out
    assert f"to train: python run.py --train_path {tmp_path / 'out'} --num_classes 2 --height 32 --width 32\n" in out
    assert not list((tmp_path / "out" / "faces").glob("*.unfinished"))


def test_one_label_is_nothing_to_learn(tmp_path, capsys):
    write(tmp_path / "in/A/anna/good.avi", moving_face(20))
    assert main(["prepare", str(tmp_path / "in"), str(tmp_path / "out"), "--size", "32"]) == 0
    assert capsys.readouterr().out.endswith("all clips have one label: to learn, a network needs two\n")


def test_nothing_usable(tmp_path, capsys):
    (tmp_path / "in/A/anna").mkdir(parents=True)
    (tmp_path / "in/A/anna/x.avi").write_bytes(b"")
    assert main(["prepare", str(tmp_path / "in"), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "error: none of 1 recordings gave a clip (A/anna/x.avi: is empty, 0 bytes); see " in error
    assert rows_of(tmp_path / "out" / "report.csv")[0]["skipped"] == "is empty, 0 bytes"
    assert not (tmp_path / "out" / "Training.npy").exists()


def test_folders_without_permission():
    """Root may read anything, so it looks as nobody."""
    with tempfile.TemporaryDirectory() as folder:
        good, closed = Path(folder) / "A/anna/good.mp4", Path(folder) / "B/bert"
        good.parent.mkdir(parents=True)
        good.touch()
        closed.mkdir(parents=True)
        closed.chmod(0)
        Path(folder).chmod(0o755)
        user = os.geteuid()
        try:
            if user == 0:
                os.seteuid(65534)
            listing = list_recordings(folder)
        finally:
            os.seteuid(user)
            closed.chmod(0o755)
    assert [each.source for each in listing.recordings] == ["A/anna/good.mp4"]
    assert listing.skipped == [("B/bert", "cannot be read: Permission denied")]


@pytest.mark.parametrize(
    ("words", "more"),
    [
        ("--overlap is 16; clips of 16 frames can share 0 to 15", {"overlap": 16}),
        ("--dtype is 'int8'", {"dtype": "int8"}),
        ("there is no such folder", {"source": "absent"}),
        ("cannot be written", {"out": "in/A/anna/good.mp4/x"}),
    ],
)
def test_settings_that_do_not_fit(tmp_path, words, more):
    write(tmp_path / "in/A/anna/good.mp4", moving_face(1), "libx264")
    given = {"source": "in", "out": "out"} | more
    for name in ("source", "out"):
        given[name] = tmp_path / given[name]
    with pytest.raises(InputError, match=words):
        prepare(**given, progress=False)


def children(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


def test_goes_on_where_it_was(tmp_path):
    """A kill, and Ctrl-C, keep what is finished; the same command at once does the rest, to the same bits."""
    for number in range(4):
        write(tmp_path / f"in/A/{number}/x.mp4", moving_face(40, seed=number), "libx264")
    command = [sys.executable, "-m", "emop3d_np", "prepare", tmp_path / "in", tmp_path / "out", "--size", "32"]
    if sys.platform == "linux":
        killed = subprocess.Popen([*command, "--processes", "2"], cwd=ROOT, stderr=subprocess.DEVNULL)
        while killed.poll() is None and not list((tmp_path / "out" / "faces").glob(".*.unfinished.npy")):
            time.sleep(0.01)
        workers = children(killed)
        killed.kill()
        killed.wait()
        assert len(workers) >= 2
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
    first = subprocess.Popen([*command, "--processes", "1"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    faces, deadline = tmp_path / "out" / "faces", time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not list(faces.glob("*.json")):
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    _, error = first.communicate(timeout=PATIENCE)
    assert first.returncode == 130, error
    if sys.platform == "linux":
        while time.monotonic() < deadline and not all(map(ended, workers)):
            time.sleep(0.01)
        assert all(map(ended, workers))
    assert "the same command goes on from here" in error
    kept = {path: path.stat().st_mtime_ns for path in faces.glob("*.json")}
    assert 1 <= len(kept) < 4
    assert not (tmp_path / "out" / "Training.npy").exists()
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
    assert all(path.stat().st_mtime_ns == moment for path, moment in kept.items())
    prepare(tmp_path / "in", tmp_path / "whole", faces=SMALL, processes=1, progress=False)
    for name in ("Training.npy", "labels.npy", "index.csv", "classes.txt", "report.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_script_without_a_main_guard(tmp_path):
    """The process that would find faces runs the script, too, and both say what to do."""
    write(tmp_path / "in/A/anna/x.mp4", moving_face(4), "libx264")
    script = tmp_path / "script.py"
    script.write_text("from emop3d_np.video.prepare import prepare\nprepare('in', 'out', processes=1)\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert "the processes that find faces could not start: each imports the script that calls prepare()" in last
    assert "below the line: if __name__ == '__main__':" in last
    assert done.stderr.count("call it only below the line") == 2


def cut_out(tmp_path, faces):
    """Cut out the faces of the one recording below ``tmp_path``; returns the job and its result."""
    listing = list_recordings(tmp_path / "in")
    (recording,) = listing.recordings
    job = listing.root / recording.source, recording, module._stem(tmp_path / "out", recording), faces
    return job, module._cut_out(*job)


def test_clips_in_several_files(tmp_path):
    """With ``--clips_per_file`` they are those of one file; one form takes the other's place, and nothing else does."""
    write(tmp_path / "in/A/anna/x.mp4", moving_face(24), "libx264")
    (tmp_path / "out" / "faces").mkdir(parents=True)
    cut_out(tmp_path, FaceSettings(size=16))  # here, in place of a process that would take longer to start
    command = ["prepare", str(tmp_path / "in"), str(tmp_path / "out"), "--size=16", "--depth_frames=8", "--overlap=6"]
    several = [*command, "--clips_per_file=4"]
    assert main(command) == 0
    one = load_prepared(tmp_path / "out", (8, 16, 16, 1), 1)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.*")}
    values = np.array(one.clips)
    assert main(several) == 0
    names = sorted(path.name for path in (tmp_path / "out" / "Training").iterdir())
    assert names == ["part-00000.npy", "part-00001.npy", "part-00002.npy", "parts.json"]
    clips = load_prepared(tmp_path / "out", (8, 16, 16, 1), 1)
    assert np.array_equal(np.stack(list(clips.clips)), values)
    assert not (tmp_path / "out" / "Training.npy").exists()
    leftover = tmp_path / "out" / f".1{module.parts.UNFINISHED}"
    leftover.mkdir()
    (leftover / "part-00000.npy").write_text("of a process that was killed")
    assert main(command) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.*")} == whole
    assert not (tmp_path / "out" / "Training").exists()
    (tmp_path / "out" / "Training").mkdir()
    (tmp_path / "out" / "Training" / "mine.txt").write_text("mine")
    assert main(several) == 2
    assert main(command) == 0
    assert load_prepared(tmp_path / "out", (8, 16, 16, 1), 1).labels.tolist() == clips.labels.tolist()


def killed_at(monkeypatch, call):
    """From now on the ``call``-th renaming is the moment at which the process is killed: nothing happens any more."""
    replace, calls = os.replace, []

    def replaced(*paths):
        calls.append(paths)
        if len(calls) >= call:
            raise SystemExit
        replace(*paths)

    monkeypatch.setattr(os, "replace", replaced)


@pytest.mark.parametrize("call", [1, 2, 3])
def test_killed_between_the_files_of_a_recording(tmp_path, monkeypatch, call):
    """Whatever is there, what is used again is what these settings make; and nothing else is cut anew."""
    write(tmp_path / "in/A/anna/x.mp4", moving_face(4), "libx264")
    (tmp_path / "out/faces").mkdir(parents=True)
    first, result = cut_out(tmp_path, SMALL)
    assert module._kept(first) == result
    killed_at(monkeypatch, call)
    with pytest.raises(SystemExit):
        cut_out(tmp_path, FaceSettings(size=32, margin=0.6))
    monkeypatch.undo()
    other = (*first[:3], FaceSettings(size=32, margin=0.6))
    assert module._kept(other) is None
    assert module._kept(first) == (result if call == 1 else None)
    assert not list((tmp_path / "out/faces").glob("*.unfinished*"))


def test_faces_that_were_damaged_are_cut_anew(tmp_path):
    write(tmp_path / "in/A/anna/x.mp4", moving_face(2), "libx264")
    (tmp_path / "out/faces").mkdir(parents=True)
    job, _ = cut_out(tmp_path, SMALL)
    path = job[2].with_suffix(".npy")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert module._kept(job) is None


@pytest.mark.parametrize("call", range(1, 6))
def test_killed_between_the_files_of_the_folder(tmp_path, monkeypatch, call):
    """What is there is the old clips, or the new ones, or refused; then the same command ends with the new ones."""
    for label in "AB":
        write(tmp_path / f"in/{label}/1/x.mp4", moving_face(1), "libx264")
    found = {}
    for number, label in enumerate("AB"):
        recording = list_recordings(tmp_path / "in").recordings[number]
        pixels = np.full((40, 8, 8), 10 * number + np.arange(40)[:, None, None], np.uint8)
        (tmp_path / "out/faces").mkdir(parents=True, exist_ok=True)
        stem = module._stem(tmp_path / "out", recording)
        np.save(stem.with_suffix(".npy"), pixels)
        np.save(stem.with_suffix(".track.npy"), np.arange(40 * 7.0).reshape(40, 7))
        found[f"{label}/1/x.mp4"] = {"frames": 40, "lost": 0, "runs": [[0, 40 - 16 * number]], "notes": []}
    monkeypatch.setattr(module, "_all_faces", lambda *_: found)
    faces = FaceSettings(size=8)

    def state(folder):
        try:
            clips = load_prepared(folder, (16, 8, 8, 1), 2)
        except InputError:
            return None
        return clips.clips.tobytes(), clips.labels.tolist(), clips.index["first_frame"].tolist()

    def again(out, overlap, count=None):
        if count is not None:
            found["A/1/x.mp4"]["runs"] = [[0, count]]
        prepare(tmp_path / "in", out, None, 16, overlap, faces=faces, progress=False)
        return state(out)

    old = again(tmp_path / "out", 8, 40)
    killed_at(monkeypatch, call)
    with pytest.raises(SystemExit):
        again(tmp_path / "out", 12, 24)  # as many clips as before
    monkeypatch.undo()
    monkeypatch.setattr(module, "_all_faces", lambda *_: found)
    assert state(tmp_path / "out") == (old if call == 1 else None)  # the first is of report.csv
    new = again(tmp_path / "out", 12)
    assert len(new[1]) == len(old[1])
    assert new[0] != old[0]


def test_two_at_once(tmp_path, capsys):
    """The second says who the first is; nothing of the first's is touched."""
    write(tmp_path / "in/A/anna/x.mp4", moving_face(1), "libx264")
    code = "import sys; from emop3d_np import locks\nwith locks.only_writer(sys.argv[1]): print(flush=True), input()"
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        first.stdout.readline()
        assert main(["prepare", str(tmp_path / "in"), str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert f"out: is being written by process {first.pid} on " in error
        assert error.count("\n") == 1
        first.communicate(b"\n")
    assert os.listdir(tmp_path / "out") == []


def test_what_is_written_is_never_what_is_read(tmp_path):
    """A list of recordings called index.csv, in the very folder."""
    write(tmp_path / "in/x.mp4", moving_face(1), "libx264")
    (tmp_path / "in/index.csv").write_text("path,label,subject\nx.mp4,A,anna\n")
    with pytest.raises(InputError, match=r"its index\.csv .*: is a file that is read, and would be overwritten"):
        prepare(tmp_path / "in/index.csv", tmp_path / "in", progress=False)
    assert sorted(os.listdir(tmp_path / "in")) == ["index.csv", "x.mp4"]


def test_a_decoder_that_breaks_down(tmp_path, monkeypatch):
    """A process that dies takes no other recording with it."""
    recordings = [Recording(name, "A", "anna") for name in ("a", "b", "die", "c", "d")]
    jobs = [(tmp_path / each.name, each, tmp_path / each.name, SMALL) for each in recordings]
    monkeypatch.setattr(module, "_cut_out", _dies)
    results = {each.name: row for each, row in module._side_by_side(jobs, 2, "processes", tmp_path)}
    assert results.pop("die") == {"identity": None, "why": "the decoder broke down on it"}
    assert results == {name: {"frames": name} for name in "abcd"}


def _dies(_path, recording, _stem, _faces):
    if recording.name == "die":
        os._exit(11)
    return {"frames": recording.name}


def test_faces_of_other_settings_are_not_used(tmp_path):
    write(tmp_path / "in/A/anna/x.mp4", moving_face(16), "libx264")
    prepare(tmp_path / "in", tmp_path / "out", faces=SMALL, progress=False)
    (state,) = (tmp_path / "out" / "faces").glob("*.json")
    first = json.loads(state.read_text())
    prepare(tmp_path / "in", tmp_path / "out", faces=FaceSettings(size=24), progress=False)
    check(tmp_path / "out", size=24)
    assert json.loads(state.read_text())["identity"] != first["identity"]
    state.write_text("damaged")
    prepare(tmp_path / "in", tmp_path / "out", faces=SMALL, progress=False)
    check(tmp_path / "out")
    assert json.loads(state.read_text()) == first


def test_the_grid_corpus(tmp_path, shared_data):
    """Four sentences of four speakers, as they are distributed: 75 frames each, a face in every one."""
    folder = shared_data("grid")
    lines = [f"{path},{path.stem[0]},{path.stem}" for path in sorted(folder.glob("*.mpg"))]
    (tmp_path / "grid.csv").write_text("\n".join(["path,label,subject", *lines]))
    rows = prepare(tmp_path / "grid.csv", tmp_path / "out", faces=SMALL, progress=False)
    assert [(row["frames"], row["lost"], row["clips"], row["notes"]) for row in rows] == [(75, 0, 8, "")] * 4
    index = check(tmp_path / "out")
    assert [int(row["first_frame"]) for row in index] == list(range(0, 60, 8)) * 4
