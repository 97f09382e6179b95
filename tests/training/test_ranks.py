"""One training on several ranks, in real processes that mpiexec starts: the same bits, and every way to end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from conftest import PATIENCE

import run
from emop3d_np.training import checkpoint, ranks

ROOT = Path(__file__).resolve().parents[2]
FAULTS = ROOT / "tests" / "faults"
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
SIZES = ("--depth_frames=8", "--height=14", "--width=14", "--num_classes=3", "--batch_size=13", "--learning_rate=0.01")
SETS = ("--train_path=train.npy", "--train_labels_path=train_labels.npy")
SETS += ("--val_path=val.npy", "--val_labels_path=val_labels.npy")
ALL = (*SETS, *SIZES, "--save_checkpoint", "--threads=1")
MOVED = ("--shift=1,2,2", "--rotate=10", "--contrast=0.2")
DECAYED = ("--optimizer=ADAMW", "--weight_decay=0.01", "--average=0.9", "--patience=9")
CHEAP = ("--backend=reference",)
"""Starts in half of the time: nothing is compiled."""
SLEEPS = ("sleep", str(2 * PATIENCE))
SMALLER = ("--shrink=2", "--receptive_field=2,2,2")

needs_mpi = pytest.mark.skipif(
    not (MPIEXEC and find_spec("mpi4py")), reason="needs mpi4py and an mpiexec: pip install mpi4py mpich"
)
pytestmark = [pytest.mark.once, needs_mpi]


@pytest.fixture
def place(tmp_path, rng, monkeypatch):
    """A folder with clips whose bright row tells the class; the working directory of what is run."""
    for part, count in (("train", 31), ("val", 70)):
        labels = np.arange(count) % 3
        clips = rng.integers(0, 100, (count, 8, 14, 14, 1), np.uint8)
        for clip, label in zip(clips, labels, strict=True):
            clip[:, 4 * label : 4 * label + 3] += 120
        np.save(tmp_path / f"{part}.npy", clips)
        np.save(tmp_path / f"{part}_labels.npy", labels)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(count, *arguments, of_rank=None, where=None, environment=None, launcher=()):
    """Start run.py on ``count`` ranks.

    ``of_rank`` is what the rank of that number is started with besides: arguments of ``env``; ``where``, its folder;
    ``launcher``, arguments of mpiexec.
    """
    command = [MPIEXEC, *launcher]
    for rank in range(count):
        own = (of_rank or {}).get(rank, [])
        command += [":"] if rank else []
        command += ["-n", "1", *(["-wdir", str(where[rank])] if rank in (where or {}) else []), "env", *own]
        command += [sys.executable, str(ROOT / "run.py"), *map(str, arguments)]
    told = {"PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1", "EMOP3D_RANKS_START": str(PATIENCE)}
    environment = os.environ | told | (environment or {})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, **pipes)


def ended(process):
    """Exit code, output, and the lines of the error output that are ours."""
    out, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, out, [line for line in errors.splitlines() if line.startswith("run.py")]


def on(count, *arguments, **more):
    return ended(start(count, *arguments, **more))


def the_run(folder):
    (found,) = Path(folder).iterdir()
    return found


def left(folder):
    """What a run left, but for the seconds it took and the settings that may differ: bits as bytes."""
    found = {}
    for path in sorted(Path(folder).rglob("*.ckpt")):
        state = checkpoint.load(path)
        arrays = {"": state.parameters, "average": state.average, **state.slots}
        found[path.name] = {(kind, name): a.tobytes() for kind, own in arrays.items() for name, a in own.items()}
        found[path.name] |= {"step": state.step, "progress": state.progress, "data": state.data}
    for path in sorted(Path(folder).rglob("*.jsonl")):
        rows = map(json.loads, path.read_text().splitlines())
        found[path.name] = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
    return found


def alone(*arguments, save_path="alone"):
    """What one process leaves, which is this one."""
    assert run.main([*ALL, *arguments, f"--save_path={save_path}"]) == 0
    return left(the_run(save_path))


def wait_for_checkpoints(process):
    """Until the run has written two: by then what is said where it is killed names the first."""
    until, times = time.monotonic() + PATIENCE, set()
    while len(times) < 2:
        times |= {path.stat().st_mtime_ns for path in Path().glob("ranks/*/*.ckpt")}
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, f"checkpoints do not come: {times}"
        time.sleep(0.02)


def its_ranks(process):
    """The processes of the ranks, in the order of their numbers."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            words = dict(part.split("=", 1) for part in path.read_text().split("\0") if "=" in part)
            command = (path.parent / "cmdline").read_text()
        except (OSError, UnicodeDecodeError):
            continue
        if words.get("EMOP3D_TEST") == str(process.args) and "run.py" in command and "PMI_RANK" in words:
            found[int(words["PMI_RANK"])] = int(path.parent.name)
    return [found[rank] for rank in sorted(found)]


def test_three_ranks_have_the_bits_of_one_process(place, capfd):
    """Batches of 13 clips in 4 parts: the ranks have one, one and two of them; of moved clips, and by another rule."""
    arguments = (*MOVED, *DECAYED, "--max_steps=3", "--evaluate_every=0.5")
    expected = alone(*arguments)
    code, out, errors = on(3, *ALL, *arguments, "--save_path=ranks")
    assert (code, errors) == (0, [])
    assert left(the_run("ranks")) == expected
    mine = capfd.readouterr().out
    assert out.count("epoch ") == mine.count("epoch ")  # one rank speaks
    assert not list(the_run("ranks").glob(".*"))


@pytest.mark.long
@pytest.mark.parametrize("arguments", [(), MOVED, DECAYED, (*MOVED, *DECAYED)], ids=" ".join)
def test_any_number_of_ranks_and_threads_has_the_same_bits(place, arguments):
    """After 20 steps; of the 4 parts of a batch, 8 ranks have one or none."""
    arguments = (*arguments, "--max_steps=10", "--test_milestones=None")
    expected = alone(*arguments)
    assert expected["3dpyranet.ckpt"]["step"] == 20
    for count, threads in product((1, 2, 3, 4, 8), (1, 2)):
        folder = f"ranks-{count}-{threads}"
        code, _, errors = on(count, *ALL, *arguments, f"--threads={threads}", f"--save_path={folder}")
        assert (code, errors) == (0, [])
        assert left(the_run(folder)) == expected, (count, threads)


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments", [CHEAP, ("--pooling=average",), ("--dtype=float64", "--overfit_one_batch"), SMALLER], ids=" ".join
)
def test_other_networks_have_the_same_bits(place, arguments):
    """Layer by layer, in another edition and with another pooling; in other numbers, with one batch; of smaller clips.

    One rank of the five has no part of a batch.
    """
    expected = alone(*arguments, "--max_steps=3")
    code, _, errors = on(5, *ALL, *arguments, "--max_steps=3", "--save_path=ranks")
    assert (code, errors) == (0, [])
    assert left(the_run("ranks")) == expected


@pytest.mark.long
def test_folds_on_ranks(place):
    """Each fold is trained and tested by all ranks; one that was there already is left alone."""
    arguments = (*SETS[:2], *SIZES, "--threads=1", "--folds=3", "--fold_protocol=clips", "--max_steps=2")
    assert run.main([*arguments, "--save_path=alone"]) == 0
    assert run.main([*arguments, "--save_path=ranks", "--fold=2"]) == 0
    code, out, errors = on(2, *arguments, "--save_path=ranks")
    assert (code, errors) == (0, [])
    assert out.count("finished already") == 1
    names = [path.relative_to("alone") for path in Path("alone").rglob("*") if path.suffix in (".json", ".csv", ".md")]
    assert len([name for name in names if name.name == "answers.csv"]) == 3
    for name in names:
        if name.name != "settings.json":
            assert (Path("ranks") / name).read_bytes() == (Path("alone") / name).read_bytes(), name
    assert left("ranks") == left("alone")


@pytest.mark.parametrize(("count", "then"), [(2, 1), pytest.param(4, 3, marks=pytest.mark.long)])
def test_a_rank_that_is_killed(place, count, then):
    """The others end, a line says how to go on, and the run does so on another number of ranks, to the same bits."""
    backend = CHEAP if then == 1 else ()
    arguments = (*ALL, *backend, "--max_steps=300", "--evaluate_every=0.5", "--test_milestones=None")
    process = start(count, *arguments, "--save_path=ranks", environment={"EMOP3D_TEST": "killed"})
    process.args = "killed"
    wait_for_checkpoints(process)
    os.kill(its_ranks(process)[-1], signal.SIGKILL)
    code, _, errors = ended(process)
    assert code
    saved = the_run("ranks") / "3dpyranet.ckpt"
    line = (
        f"run.py: error: rank {count - 1} was killed, which ends all ranks; to go on from the last checkpoint: "
        f"python run.py --resume {saved}"
    )
    # Where many processes wait for a core, the launcher may be gone before the witness has said it.
    assert errors in ([line], [])
    step = checkpoint.load(saved).step
    assert step < 600
    shorter = ("--resume", saved, f"--max_steps={(step + 3) / 2}")
    if then == 1:
        assert run.main([*map(str, shorter)]) == 0
    else:
        code, _, errors = on(then, *shorter)
        assert (code, errors) == (0, [])
    expected = alone(*backend, f"--max_steps={(step + 3) / 2}", "--evaluate_every=0.5", "--test_milestones=None")
    assert left(the_run("ranks"))["3dpyranet.ckpt"] == expected["3dpyranet.ckpt"]


@pytest.mark.long
@pytest.mark.parametrize("which", [0, 2])
def test_a_rank_that_is_killed_under_a_launcher_that_lets_the_others_be(place, which):
    """As SLURM's srun does where it is told nothing else."""
    if "-disable-auto-cleanup" not in subprocess.check_output([MPIEXEC, "-help"], text=True):
        pytest.skip("this mpiexec ends the others whatever it is told")
    arguments = (*ALL, *CHEAP, "--max_steps=3000", "--evaluate_every=0.5", "--test_milestones=None")
    launcher = ["-disable-auto-cleanup"]
    process = start(3, *arguments, "--save_path=ranks", environment={"EMOP3D_TEST": "let be"}, launcher=launcher)
    process.args = "let be"
    wait_for_checkpoints(process)
    os.kill(its_ranks(process)[which], signal.SIGKILL)
    code, _, errors = ended(process)
    assert code
    name = f"rank {which}" if which else "a rank"
    saved = the_run("ranks") / "3dpyranet.ckpt"
    advice = f"to go on from the last checkpoint: python run.py --resume {saved}"
    assert errors == [f"run.py: error: {name} was killed, which ends all ranks; {advice}"]


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to", ["the launcher", "one rank"])
def test_all_stop_at_one_step(place, number, to):
    """Ctrl-C, or the end that a system of queues gives: a checkpoint of the step that all had made."""
    arguments = (*ALL, "--max_steps=3000", "--evaluate_every=1", "--test_milestones=None")
    process = start(3, *arguments, "--save_path=ranks", environment={"EMOP3D_TEST": "stopped"})
    process.args = "stopped"
    wait_for_checkpoints(process)
    os.kill(process.pid if to == "the launcher" else its_ranks(process)[1], number)
    code, out, errors = ended(process)
    assert (code, errors) == (130, [])
    saved = the_run("ranks") / "3dpyranet.ckpt"
    step = checkpoint.load(saved).step
    assert f"stopped at step {step} of 6000; to go on from the last checkpoint: python run.py --resume {saved}" in out


def test_a_full_disk_of_the_first_rank(place):
    """One line names it and the last checkpoint, which resumes; the other rank ends as well."""
    (place / "state").mkdir()
    plan = "\n".join((str(place / "ranks"), str(place / "state"), "full", "60", "0"))
    path = os.pathsep.join(map(str, (FAULTS / "site", ROOT, FAULTS)))
    fault = [f"EMOP3D_TESTS_FAULT={plan}", f"PYTHONPATH={path}"]
    arguments = (*ALL, *CHEAP, "--max_steps=300", "--evaluate_every=1")
    code, _, errors = on(2, *arguments, "--save_path=ranks", of_rank={0: fault})
    assert code == 2
    (line,) = errors
    assert "No space left on device" in line
    saved = the_run("ranks") / "3dpyranet.ckpt"
    assert line.endswith(f"to go on from the last checkpoint: python run.py --resume {saved}")
    step = checkpoint.load(saved).step
    assert 0 < step < 600
    assert run.main(["--resume", str(saved), f"--max_steps={step / 2 + 1}"]) == 0
    assert checkpoint.load(saved).step == step + 2


def test_a_rank_without_the_data(place):
    (place / "elsewhere").mkdir()
    arguments = (*ALL, *CHEAP, "--save_path=ranks")
    code, _, errors = on(2, *arguments, where={1: place / "elsewhere"})
    assert code == 2
    assert errors == ["run.py: error: rank 1: train_path train.npy: there is no such file"]


@pytest.mark.long
def test_a_clip_that_one_rank_cannot_take(place):
    """Found while the clips are read, in the middle of a training: what was trained is saved."""
    clips = np.load("train.npy").astype(np.float32)
    clips[:, 0, 0, 0, 0] = np.where(np.arange(len(clips)) == 30, np.nan, 0)
    np.save("train.npy", clips)
    code, _, errors = on(3, *ALL, *CHEAP, "--check_values=False", "--seed=1", "--save_path=ranks")
    assert code == 2
    (line,) = errors
    assert "clip 30 holds nan" in line
    assert line.count("to go on from the last checkpoint") == 1
    assert checkpoint.load(the_run("ranks") / "3dpyranet.ckpt").step < 100


@pytest.mark.long
def test_other_clips_of_a_rank(place):
    (place / "elsewhere").mkdir()
    for path in place.glob("*.npy"):
        shutil.copy(path, place / "elsewhere")
    clips = np.load("train.npy")
    np.save("elsewhere/train.npy", clips[::-1])
    arguments = (*ALL, *CHEAP, "--save_path=ranks")
    code, _, errors = on(2, *arguments, where={1: place / "elsewhere"})
    assert code == 2
    words = "the clips of the training set differ between rank 0 and rank 1; give both the same"
    assert errors == [f"run.py: error: {words}"]


@pytest.mark.long
def test_ranks_for_unlike_processors(place):
    """Refused, both being named; with --portable_bits they are alike, and one process has their bits."""
    other = {1: ["NUMBA_CPU_NAME=nocona"]}
    code, _, errors = on(2, *ALL, "--save_path=ranks", of_rank=other)
    assert code == 2
    (line,) = errors
    assert "the processor that kernels are compiled for: rank 0 has " in line
    assert "rank 1 has nocona" in line
    assert line.endswith("--portable_bits True makes it the same on all")
    code, _, errors = on(2, *ALL, "--portable_bits", "--save_path=ranks", of_rank=other)
    assert (code, errors) == (0, [])
    code, _, errors = on(1, *ALL, "--portable_bits", "--save_path=alone")
    assert (code, errors) == (0, [])
    assert left("ranks") == left("alone")


def test_the_launcher_of_another_mpi(place):
    """Each process is then alone, as its library sees it, and would write what all of them write."""
    told = {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "run.py", *ALL]
    done = subprocess.run(command, env=os.environ | told, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("run.py")]
    assert "mpiexec started 2 ranks, and the MPI library of mpi4py sees 1" in line
    assert not Path("train_dir").exists()


@pytest.mark.long
def test_a_rank_that_does_not_come(place):
    """As where its library is of another MPI: who is there says so, and ends."""
    command = [MPIEXEC, "-n", "1", sys.executable, str(ROOT / "run.py"), *ALL, ":", "-n", "1", *SLEEPS]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "EMOP3D_RANKS_START": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode
    assert "run.py: error: the 2 ranks did not find each other" in done.stderr


@pytest.mark.long
def test_the_first_rank_does_not_come(place):
    """As where it was killed before it found the others: they do not wait for it without end."""
    command = [MPIEXEC, "-n", "1", *SLEEPS, ":", "-n", "2", sys.executable, str(ROOT / "run.py"), *ALL]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "EMOP3D_RANKS_START": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode
    assert not Path("train_dir").exists()


def test_what_ranks_cannot_do(place):
    code, _, errors = on(2, *ALL, "--backend=cuda", "--save_path=ranks")
    assert (code, errors) == (2, ["run.py: error: --backend cuda works on one rank; start it without mpiexec"])
    assert not Path("ranks").exists()


class Said(ranks.Ranks):
    """Ranks of which each says what a test lets it say."""

    def __init__(self, *others):
        self.rank, self.size, self.first, self._others = 0, 1 + len(others), True, others
        self._hosts = [("here", frozenset([0]))] * self.size

    def everyones(self, values):
        return [values[0], *({**values[0], **other} for other in self._others)]


def test_a_mixture_is_named():
    with pytest.raises(run.InputError) as caught:
        Said({}, {"numba": "0.60.0"}).require_alike(run.flags.merge({}))
    assert str(caught.value).startswith("the version of Numba: rank 0 has ")
    assert str(caught.value).endswith(", rank 2 has 0.60.0; all ranks must have the same")
    with pytest.raises(run.InputError, match=r"^the settings: rank 0 has --seed 3, rank 1 has --seed 0; all ranks"):
        Said({"settings": vars(run.flags.merge({})) | {"threads": None}}).require_alike(run.flags.merge({"seed": 3}))


def test_one_process_imports_no_mpi():
    code = "import sys, run; run.main(['--help'])"
    look = "import sys, atexit; atexit.register(lambda: print([n for n in ('mpi4py', 'dask') if n in sys.modules]));"
    for told in ({}, {"PMI_RANK": "0", "PMI_SIZE": "1"}):
        environment = os.environ | told | {"PYTHONPATH": str(ROOT)}
        out = subprocess.check_output([sys.executable, "-c", look + code], env=environment, text=True)
        assert out.splitlines()[-1] == "[]"
