"""The part of ``cuda_day.py`` that measures other frameworks: the same arithmetic, the same card, in turn with ours.

Every program runs in a process of its own.  All are started together, since most of their start is compiling on the
processor, and those that are not ready in time are ended; so what tunes itself does it while others compile.  Each
one's first step is compared with the reference edition's loss, logits and gradients, at the batch that is timed: it is
made of few clips many times over, whose mean gradient is that of the few.  Then they are asked for a time in turn,
A B C A B C, while the others wait.

    python bench/cuda_peers.py --worker "jax slices" WORK.npz     JSON in, JSON out
"""

import importlib
import importlib.util
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from cuda_sizes import LONGER, SIZES

HERE = Path(__file__).resolve().parent
OURS = "this package"
PROGRAMS = {
    "eager library": "torch", "eager ones": "torch", "eager slices": "torch",
    "graphed library": "torch", "graphed slices": "torch",
    "compiled slices": "torch", "compiled library": "torch", "autotuned slices": "torch",
    "jax slices": "jax", "jax windows": "jax", "jax early": "jax",
}  # fmt: skip
"""Way and form, as ``peers/torch_device.py`` and ``peers/jax_device.py`` explain them, and the package."""

READY, ANSWER = 110 * LONGER, 20 * LONGER
"""Seconds a program has to be compiled and checked, and to answer."""

TOLERANCE = 1e-3
FEW = 4
"""Different clips in a batch, at most."""


def say(line):
    print("  ", line, flush=True)


def peers(wanted=None, **_):
    """Time every program in turn with ours; ``wanted``: names of PROGRAMS, separated by commas."""
    there = {package: importlib.util.find_spec(package) is not None for package in ("torch", "jax")}
    say(", ".join(f"{package} {'is there' if yes else 'is missing'}" for package, yes in there.items()))
    names = wanted.split(",") if wanted else list(PROGRAMS)
    names = [name for name in names if there[PROGRAMS[name]]]
    found = {"batch": SIZES.batch, "missing": [package for package, yes in there.items() if not yes], "rows": {}}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work.npz"
        write_work(work, SIZES)
        workers = {name: Worker(name, work, Path(folder)) for name in names}
        try:
            wait_until_ready(workers, found["rows"])
            try:
                program = ours(work, SIZES)
            except Exception as error:  # theirs are measured all the same
                program, found["rows"][OURS] = None, {"failed": str(error)}
            time_in_turn(workers, program, SIZES, found["rows"])
        finally:
            for worker in workers.values():
                worker.close()
    return found


def write_work(path, sizes):
    """Batch, parameters, and what the reference edition makes of them in float64."""
    from cuda_launches import emo
    from peers.ours import planes

    rng = np.random.default_rng(0)
    net = emo.EmoP3D(**sizes.network, dtype="float64", backend="reference")
    few = next(count for count in range(FEW, 0, -1) if sizes.batch % count == 0)
    x = rng.standard_normal((few, *net.input_shape), np.float32)
    labels = rng.integers(0, net.num_classes, few)
    values = {name: values + 0.05 * rng.standard_normal(values.shape) for name, values in net.parameters.items()}
    net.load_parameters({name: np.float32(each) for name, each in values.items()})  # biases other than 0 as well
    loss, gradients = net.loss_and_gradients(x, labels)
    last_maps = net.layers[-2].output_shape
    times = sizes.batch // few
    arrays = {f"parameter{i}": np.float32(planes(*item, last_maps)) for i, item in enumerate(net.parameters.items())}
    arrays |= {f"gradient{i}": planes(*item, last_maps) for i, item in enumerate(gradients.items())}
    arrays |= {"loss": loss, "logits": np.tile(net.forward(x), (times, 1)), "labels": np.tile(labels, times)}
    np.savez(path, x=np.tile(np.moveaxis(x, -1, 1), (times, 1, 1, 1, 1)), **arrays)


def ours(path, sizes):
    """Ours on the same clips, behind the same jobs."""
    from cuda_parts import Training

    from kernels.cuda.launch import finish

    training = Training(sizes.batch, on_host=np.ascontiguousarray(np.moveaxis(np.load(path)["x"], 1, -1)))

    return SimpleNamespace(
        x=training.on_host,
        step=training.step,
        forward=lambda: training.net.forward(training.on_device),
        single=training.net.forward,
        finish=finish,
    )


def wait_until_ready(workers, rows):
    stop = time.perf_counter() + READY
    for name, worker in workers.items():
        try:
            row = rows[name] = worker.answer(max(1.0, stop - time.perf_counter()))
            row["right"] = row["error"] <= TOLERANCE
            error = f"{row['worst']} is off by {row['error']:.1g}"
            say(f"{name} on {row['device']}, ready after {row['ready']:.0f} s: {error}")
        except RuntimeError as error:
            worker.close()
            rows[name] = {"failed": str(error)}
            say(f"{name}: {error}")


def time_in_turn(workers, program, sizes, rows):
    """Fill the rows with the seconds of every job, and with their ratios to ours of the same rounds."""
    times = {name: {} for name in [OURS, *workers]}
    for job in ("step", "forward", "single"):
        for _ in range(sizes.peer_rounds):
            for name in times:
                if "failed" in rows.setdefault(name, {}):
                    continue
                try:
                    taken = timed(program, job, sizes) if name == OURS else workers[name].ask(job)
                    times[name].setdefault(job, []).append(taken)
                except Exception as error:  # of one program; the others go on
                    rows[name]["failed"] = str(error)
    for name, jobs in times.items():
        if "failed" in rows[name]:
            say(f"{name}: {rows[name]['failed']}")
            continue
        for job, seconds in jobs.items():
            ratios = [theirs / mine for theirs, mine in zip(seconds, times[OURS].get(job, ()), strict=False)]
            rows[name][job] = {"seconds": statistics.median(seconds), "rounds": seconds}
            rows[name][job]["times_ours"] = statistics.median(ratios) if ratios else float("nan")
        say(f"{name}: " + ", ".join(f"{job} {1e3 * rows[name][job]['seconds']:.3f} ms" for job in jobs))


def timed(program, job, sizes):
    """Median seconds of a job: a step among many in a row, a forward pass of the batch, or of one clip."""
    times = []
    if job == "step":
        for _ in range(3):
            started = time.perf_counter()
            for _ in range(sizes.peer_steps):
                program.step()
            program.finish()
            times.append((time.perf_counter() - started) / sizes.peer_steps)
        return statistics.median(times)
    clip = np.ascontiguousarray(program.x[:1])
    for _ in range(sizes.peer_steps * (1 if job == "forward" else 5)):
        started = time.perf_counter()
        program.forward() if job == "forward" else program.single(clip)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


class Worker:
    """A program in a process of its own."""

    def __init__(self, name, work, folder):
        self.errors = (folder / f"{name}.txt").open("w+")
        environment = os.environ | {
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            "TORCHINDUCTOR_COMPILE_THREADS": "4",
            "TORCHINDUCTOR_CACHE_DIR": str(folder / name.replace(" ", "-")),
        }
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", name, work, str(time.time())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment, cwd=HERE,
        )  # fmt: skip

    def ask(self, job):
        try:
            self.process.stdin.write(job + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError("its process has ended") from None
        return self.answer(ANSWER)

    def answer(self, limit):
        """What it says, one line of JSON; RuntimeError where it does not in time."""
        if not select.select([self.process.stdout], [], [], limit)[0]:
            raise RuntimeError(f"no answer within {limit:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            last = [line for line in self.errors.read().splitlines() if line.strip()]
            raise RuntimeError(f"ended: {last[-1] if last else 'without a word'}")
        return json.loads(line)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.errors.close()


def work(name, path, started):
    """What a process of a program does."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a framework may print
    module = importlib.import_module(f"peers.{PROGRAMS[name]}_device")
    given = dict(np.load(path))
    program = module.load([given[f"parameter{i}"] for i in range(8)], name, given["x"], given["labels"])
    loss, logits, gradients = program.first_step()
    errors = {"the loss": abs(loss / float(given["loss"]) - 1), "the logits": error(logits, given["logits"])}
    errors |= {f"gradient {i}": error(gradient, given[f"gradient{i}"]) for i, gradient in enumerate(gradients)}
    worst = max(errors, key=lambda name: errors[name] if errors[name] == errors[name] else np.inf)
    ready = time.time() - float(started)
    answer = {"ready": ready, "device": program.device, "errors": errors, "worst": worst, "error": errors[worst]}
    print(json.dumps(answer), file=answers, flush=True)
    program.x = given["x"]  # on the host: its clips are given to it one at a time
    for job in sys.stdin:
        print(json.dumps(timed(program, job.strip(), SIZES)), file=answers, flush=True)


def error(found, expected):
    return float(np.linalg.norm(np.float64(found) - expected) / np.linalg.norm(expected))


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent), str(HERE)]
    work(*sys.argv[2:])
