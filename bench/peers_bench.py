"""Ours beside other frameworks: the same network, the same clips, in turns, on one machine.

    make bench-peers

Every program runs in a process of its own and is asked for a time in turn, A B C A B C; a ratio is of two times of the
same round, and what is reported is the median over rounds.  First each one's logits and gradients are compared with the
reference edition's in float64.  Writes ``bench/results/peers.json``; ``bench/tables.py`` puts it into README.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import numpy as np
from machine import description

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from peers.ours import planes

import emop3d_np as emo

HERE = Path(__file__).resolve().parent

PROGRAMS = {
    "this package": ("ours", "", ("numpy", "numba", "scipy", "tqdm")),
    "TensorFlow, the original's operations": ("tf_peer", "", ("tensorflow-cpu", "numpy")),
    "PyTorch, eager": ("torch_peer", "eager", ("torch", "numpy")),
    "PyTorch, torch.compile": ("torch_peer", "compiled", ("torch", "numpy")),
    "PyTorch, torch.compile, 2 clips at a time": ("torch_peer", "compiled 2", ("torch", "numpy")),
    "JAX, jit": ("jax_peer", "whole", ("jax", "numpy")),
    "JAX, jit, 2 clips at a time": ("jax_peer", "2", ("jax", "numpy")),
    "ONNX Runtime (inference only)": ("onnx_peer", "10", ("onnxruntime", "numpy")),
    "ONNX Runtime, 2 clips at a time (inference only)": ("onnx_peer", "2", ("onnxruntime", "numpy")),
}
"""Module, variant, and the packages that a user of it installs."""

OURS = "this package"
CHECKED = 4  # clips whose gradients are compared
TOLERANCE = 0.01  # of a gradient, in float32: where two values are nearly equal, either may be the maximum


class Worker:
    def __init__(self, name, threads, work):
        module, variant, _ = PROGRAMS[name]
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "NUMBA_NUM_THREADS": str(threads),
        }
        command = [sys.executable, HERE / "peers_worker.py", module, variant, str(threads), work, str(time.time())]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=HERE
        )
        self.start = self._answer()
        wrong = {what: error for what, error in self.start["errors"].items() if not error <= TOLERANCE}
        if wrong:
            sys.exit(f"{name} computes something else: {wrong}")

    def ask(self, job, clips=0, repeats=0):
        time.sleep(0.3)  # the threads of the one before may spin for a while
        self.process.stdin.write(json.dumps([job, clips, repeats]) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args} ended without an answer")
        return json.loads(line)


def write_work(path, clips):
    """Clips, labels, parameters, and what the reference edition makes of the first few in float64."""
    rng = np.random.default_rng(0)
    net = emo.EmoP3D(dtype="float64", backend="reference")
    x = rng.standard_normal((clips, *net.input_shape), np.float32)
    labels = rng.integers(0, net.num_classes, clips)
    net.load_parameters({name: np.float32(values) for name, values in net.parameters.items()})
    _, gradients = net.loss_and_gradients(x[:CHECKED], labels[:CHECKED])
    arrays = {f"parameter{i}": np.float32(planes(*item)) for i, item in enumerate(net.parameters.items())}
    arrays |= {f"gradient{i}": planes(*item) for i, item in enumerate(gradients.items())}
    np.savez(path, x=np.moveaxis(x, -1, 1), labels=labels, logits=net.forward(x[:CHECKED]), **arrays)


def measure(threads, clips, rounds, names):
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work.npz"
        write_work(work, clips)
        workers = {}
        for name in names:
            print(f"starting {name}", file=sys.stderr, flush=True)
            workers[name] = Worker(name, threads, work)
        jobs = {"step": clips, "forward": clips, "single": 1}
        times = {name: {job: [] for job in jobs} for name in names}
        for round_ in range(rounds):
            print(f"round {round_ + 1} of {rounds}", file=sys.stderr, flush=True)
            for job, count in jobs.items():
                for name, worker in workers.items():
                    if job == "step" and PROGRAMS[name][0] == "onnx_peer":
                        continue
                    kind, repeats = ("forward", 20) if job == "single" else (job, 3)
                    times[name][job].append(statistics.median(worker.ask(kind, count, repeats)))
        rows = {}
        for name, worker in workers.items():
            row = {"first_step": worker.start["first_step"], "largest_error": max(worker.start["errors"].values())}
            for job, found in times[name].items():
                if found:
                    ratios = [theirs / ours for theirs, ours in zip(found, times[OURS][job], strict=True)]
                    row[job] = {"seconds": statistics.median(found), "times_ours": statistics.median(ratios)}
            of_memory = worker.ask("memory")
            if of_memory["before"]:
                row["memory_mb"] = of_memory["most"] - of_memory["before"]
            row["installed_mb"] = installed_size(PROGRAMS[name][2])
            rows[name] = row
            worker.close()
        return rows


def installed_size(packages):
    """Megabytes of packages with all that they need."""
    seen, waiting = set(), list(packages)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in seen:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # needed on another system only
        seen.add(name)
        for need in distribution.requires or []:
            if "extra ==" not in need:
                waiting.append(re.match(r"[\w.-]+", need).group())
    files = (file for name in seen for file in metadata.files(name) or [])
    return sum(path.stat().st_size for path in (file.locate() for file in files) if path.exists()) / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", nargs="*", default=list(PROGRAMS), help="ours is always there")
    given = parser.parse_args()
    names = [OURS] + [name for name in given.only if name != OURS]
    result = {
        "machine": description("numpy", "numba", "torch", "jax", "onnxruntime", "tensorflow-cpu"),
        "threads": given.threads,
        "clips": given.clips,
        "rounds": given.rounds,
        "programs": measure(given.threads, given.clips, given.rounds, names),
    }
    path = HERE / "results" / "peers.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
