"""Speed, start, memory and growth of this package on this machine.

    make bench

Checks the gradients first.  Writes ``bench/results/speed.json``; ``bench/tables.py`` makes the page ``docs/speed.md``
and its picture of it.
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
from pathlib import Path

import fused_parts
import limits
import numba
import work
from machine import description
from timing import Step, check, median_seconds, seconds
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
CLIPS = 100

SWEEPS = {
    "batch": [1, 2, 4, 8, 16, 32, 64, 100, 200, 500, 1000],
    "frames": [8, 12, 16, 24, 32, 48, 64],
    "pixels": [32, 48, 64, 96, 128, 160, 192, 256],
    "maps": [1, 2, 3, 4, 6, 8, 12, 16],
}
"""What is varied, the rest at its default; pixels of a side."""


def speed(rounds):
    """Step, forward pass and single clip on all threads and on one, in turns."""
    many, single = Step(CLIPS), Step(1)
    jobs = {"step": many.train, "forward": many.forward, "single": single.forward}
    most = numba.get_num_threads()
    times = {job: {1: [], most: []} for job in jobs}
    for _ in tqdm(range(rounds), desc="speed", unit="round"):
        for job, call in jobs.items():
            for threads in times[job]:
                numba.set_num_threads(threads)
                times[job][threads].append(median_seconds(call, 20 if job == "single" else 5))
    numba.set_num_threads(most)
    operations = {"step": work.of_step(many.net), "forward": work.of_forward(many.net)}
    operations["single"] = operations["forward"]
    rows = {}
    for job, found in times.items():
        clips = 1 if job == "single" else CLIPS
        rows[job] = {
            "seconds": statistics.median(found[most]),
            "seconds_one_thread": statistics.median(found[1]),
            "times_one_thread": statistics.median(a / b for a, b in zip(found[1], found[most], strict=True)),
            "gflops": clips * operations[job] / statistics.median(found[most]) / 1e9,
        }
    return rows


def growth(repeats):
    """Seconds of a step, and its operations, along every sweep."""
    result = {}
    with tqdm(total=sum(map(len, SWEEPS.values())), desc="growth", unit="size") as bar:
        for what, values in SWEEPS.items():
            result[what] = []
            for value in values:
                settings = {
                    "batch": {},
                    "frames": {"input_shape": (value, 100, 100, 1)},
                    "pixels": {"input_shape": (16, value, value, 1)},
                    "maps": {"feature_maps": value},
                }[what]
                clips = value if what == "batch" else CLIPS
                step = Step(clips, **settings)
                times = seconds(step.train, max(repeats, 200 // clips))
                result[what].append([value, statistics.median(times), clips * work.of_step(step.net)])
                bar.update()
    return result


FIRST_STEP = """
import sys, time
import numpy as np
sys.path[:0] = sys.argv[1:3]
from timing import Step
Step(100).train()
print(time.time() - float(sys.argv[3]))
"""

RUN = """
import sys, threading, time
sys.path[:0] = sys.argv[1:3]
import numpy as np
from machine import memory
import run, emop3d_np.training.crossvalidation, emop3d_np.datasets.faces
from kernels.cpu import fused
folder = sys.argv[3]
for name, count in (("train", 1000), ("val", 200)):
    clips = np.lib.format.open_memmap(f"{folder}/{name}.npy", "w+", np.uint8, (count, 16, 100, 100, 1))
    for clip in clips:
        clip[...] = np.random.default_rng(0).integers(0, 256, clip.shape)
    np.save(f"{folder}/{name}_labels.npy", np.arange(count) % 6)
del clips, clip
before, most = memory("RssAnon"), [0]
def watch():
    while True:
        most[0] = max(most[0], memory("RssAnon"))
        time.sleep(0.005)
threading.Thread(target=watch, daemon=True).start()
paths = [part for name in ("train", "val") for kind in ("", "_labels")
         for part in (f"--{name}{kind}_path", f"{folder}/{name}{kind}.npy")]
run.main([*paths, "--max_steps", "3", "--test_milestones", "None", "--save_path", folder])
print("MEMORY", most[0] - before)
"""


def start_and_memory():
    """Seconds to compile all kernels of a run and to the first step when they are compiled; megabytes of a run."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}

        def python(code, argument):
            command = [sys.executable, "-c", code, str(HERE.parent), str(HERE), argument]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=folder)
            return done.stdout

        compiling = float(re.search(r"kernels ready after ([\d.]+) s", python(RUN, folder))[1])
        megabytes = float(re.search(r"MEMORY ([\d.]+)", python(RUN, folder))[1])
        first = [float(python(FIRST_STEP, str(time.time()))) for _ in range(4)][1:]
    return {"compile_seconds": compiling, "first_step_seconds": statistics.median(first), "run_megabytes": megabytes}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    check()
    print("gradients are right", file=sys.stderr)
    most = numba.get_num_threads()
    measured = {threads: limits.measure(threads) for threads in sorted({1, most})}
    result = {
        "machine": description("numpy", "numba"),
        "threads": most,
        "limits": measured,
        "speed": speed(given.rounds),
        "parts": fused_parts.measure(measured[1], given.rounds),
        "growth": growth(given.rounds),
        **start_and_memory(),
    }
    path = HERE / "results" / "speed.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({name: result[name] for name in result if name != "growth"}, indent=2))


if __name__ == "__main__":
    main()
