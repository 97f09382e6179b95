"""``prepare`` by ranks of MPI, by workers of Dask, in parts: the files that one process writes, whoever is killed."""

import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import PATIENCE
from test_executors import ENVIRONMENT, needs_mpi, start
from videos import moving_face, needs_faces, write

from emop3d_np.__main__ import main
from emop3d_np.errors import InputError
from emop3d_np.locks import one_of_several_writers, only_writer
from emop3d_np.tasks import Share
from emop3d_np.video import prepare as module
from emop3d_np.video.prepare import FaceSettings, prepare

pytestmark = [needs_faces, pytest.mark.once]
SMALL = FaceSettings(size=32)
SIZES = ["--size", "32"]


def collection(folder, count, frames=40):
    """Videos of ``count`` people, and one that is none; a video is made once and copied."""
    seeds = [
        write(folder / f"made/{seed}.mp4", moving_face(frames, seed=seed), "libx264") for seed in range(min(5, count))
    ]
    for number in range(count):
        path = folder / "in" / "AB"[number % 2] / str(number) / "x.mp4"
        path.parent.mkdir(parents=True)
        shutil.copy(seeds[number % 5], path)
    (folder / "in/A/0/none.mp4").write_bytes(b"no video")
    return folder / "in"


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def descendants(pid):
    """Numbers of the processes below ``pid``, with what each runs."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            words = (path / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except (OSError, ValueError):
            continue
        if parent == pid:
            yield int(path.name), words
            yield from descendants(int(path.name))


def prepared_with_a_kill(executor, source, out, victim, count=2):
    """Prepare, and kill one process that ``victim`` tells by its words as soon as the first face is written."""
    sizes = SIZES + (["--processes", "2"] if executor == "dask" else [])
    words = start(executor, count, "-m", "emop3d_np", "prepare", source, out, *sizes, "--executor", executor)
    process = subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and not list((out / "faces").glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    victims = [pid for pid, words in descendants(process.pid) if victim(words)]
    os.kill(victims[-1], signal.SIGKILL)
    said, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def spawned(words):
    return "spawn_main" in words


@needs_mpi
def test_by_ranks_of_which_a_process_is_killed(tmp_path):
    source = collection(tmp_path, 4, frames=24)
    code, said = prepared_with_a_kill("mpi", source, tmp_path / "out", spawned)
    assert code == 0, said
    prepare(source, tmp_path / "whole", faces=SMALL, processes=1, progress=False)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@needs_mpi
@pytest.mark.long
def test_a_rank_is_killed(tmp_path):
    """That ends all ranks; nobody works on; and the same command does the rest."""
    source = collection(tmp_path, 40)
    command = ["-m", "emop3d_np", "prepare", source, tmp_path / "out", *SIZES, "--executor", "mpi"]
    code, said = prepared_with_a_kill(
        "mpi", source, tmp_path / "out", lambda words: "mpi4py.futures" in words and "hydra" not in words
    )
    assert code != 0, said
    assert not (tmp_path / "out" / "Training.npy").exists()
    deadline = time.monotonic() + PATIENCE
    while (found := working_on(source)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not found
    subprocess.run(start("mpi", 2, *command), env=ENVIRONMENT, check=True, capture_output=True, timeout=PATIENCE)
    prepare(source, tmp_path / "whole", faces=SMALL, processes=1, progress=False)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def working_on(source):
    """Processes that have ``source`` among their words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(source).encode() in path.read_bytes():
                found.append(path)
        except OSError:
            continue
    return found


@pytest.mark.long
@pytest.mark.parametrize("executor", [pytest.param("mpi", marks=needs_mpi), "dask"])
def test_two_hundred_videos_of_which_a_process_is_killed(tmp_path, executor):
    pytest.importorskip("distributed", reason="needs the extra 'dask'")
    source = collection(tmp_path, 200, frames=18)
    code, said = prepared_with_a_kill(executor, source, tmp_path / "out", spawned)
    assert code == 0, said
    prepare(source, tmp_path / "whole", faces=SMALL, processes=1, progress=False)
    whole = contents(tmp_path / "whole")
    assert contents(tmp_path / "out") == whole
    assert sum(path.suffix == ".json" for path in whole) == 201  # with the record


def test_parts_are_the_whole(tmp_path, capsys, monkeypatch):
    """The last one writes the clips; what cannot be used is known; the whole command tries it once more."""
    source, out = collection(tmp_path, 3, frames=18), tmp_path / "out"
    monkeypatch.setattr(module, "open_executor", in_this_process)
    assert main(["prepare", str(source), str(out), *SIZES, "--part", "2/2"]) == 0
    assert capsys.readouterr().out == "recordings not looked at yet: 2; the last part to finish writes the clips\n"
    assert not (out / "Training.npy").exists()
    assert prepare(source, out, faces=SMALL, part=Share(2, 2), progress=False) == []
    with only_writer(out), pytest.raises(InputError, match="is being written by process"):
        prepare(source, out, faces=SMALL, part=Share(1, 2), progress=False)
    with one_of_several_writers(out):  # somebody else is at another part
        with pytest.raises(InputError, match="is being written by process"):
            prepare(source, out, faces=SMALL, progress=False)
        capsys.readouterr()
        assert prepare(source, out, faces=SMALL, part=Share(1, 2), progress=False) == []
        assert "it writes the clips" in capsys.readouterr().out
    looked_at = []
    monkeypatch.setattr(module, "_cut_out", lambda *job: looked_at.append(job))
    assert main(["prepare", str(source), str(out), *SIZES, "--part", "1/2"]) == 0
    assert not looked_at
    assert "1 warnings" in capsys.readouterr().out
    monkeypatch.undo()
    monkeypatch.setattr(module, "open_executor", in_this_process)
    parts = contents(out)
    assert prepare(source, out, faces=SMALL, progress=False)
    assert contents(out) == parts
    write(source / "A/0/none.mp4", moving_face(18), "libx264")
    assert len(prepare(source, out, faces=SMALL, part=Share(1, 1), progress=False)) == 4
    assert not list((out / "faces").glob("*.why"))
    prepare(source, tmp_path / "whole", faces=SMALL, progress=False)
    assert contents(out) == contents(tmp_path / "whole")


def test_whoever_works_sees_another_file(tmp_path, monkeypatch):
    """Or none, as a machine without the videos does: a recording is not left out for that."""
    source = collection(tmp_path, 1, frames=18)
    monkeypatch.setattr(module, "open_executor", in_this_process)
    cut_out = module._cut_out
    for elsewhere in (tmp_path / "nowhere.mp4", source / "A/0/none.mp4"):
        monkeypatch.setattr(module, "_cut_out", lambda path, *job, there=elsewhere: cut_out(there, *job))
        with pytest.raises(InputError, match=r"\.mp4 is another file, or none, where it was worked on; all who"):
            prepare(source, tmp_path / "out", faces=SMALL, progress=False)
    assert not (tmp_path / "out" / "report.csv").exists()


def test_a_number_that_the_executor_does_not_take(tmp_path, capsys):
    for executor in ("mpi", "dask://there:8786"):
        words = ["prepare", "in", str(tmp_path), "--processes", "3", "--executor", executor]
        assert main(words) == 2
        said = capsys.readouterr().err
        assert f"--processes 3: with --executor {executor} as many videos are worked on at a time as it has" in said


def test_a_word_on_a_recording_that_was_damaged(tmp_path, monkeypatch):
    """It is looked at once more, as where nobody had."""
    source, out = collection(tmp_path, 1, frames=18), tmp_path / "out"
    monkeypatch.setattr(module, "open_executor", in_this_process)
    prepare(source, out, faces=SMALL, part=Share(1, 1), progress=False)
    (word,) = (out / "faces").glob("*.why")
    whole = word.read_bytes()
    for content in (b"", whole[:-3], whole.replace(b"cannot", b"could"), b"{}", b'"x"'):
        word.write_bytes(content)
        prepare(source, out, faces=SMALL, part=Share(1, 1), progress=False)
        assert word.read_bytes() == whole


def in_this_process(what, jobs, folder):
    """In the place of processes: threads of this one."""
    return module_open(ThreadPoolExecutor(1), jobs, folder)


module_open = module.open_executor
