"""The parts of ``cuda_day.py`` that other programs do: run.py, compute-sanitizer, pytest."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cuda_sizes import LONGER, SIZES

ROOT = Path(__file__).resolve().parents[1]
SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
LIMIT = {"demo": 110 * LONGER, "tests": 140 * LONGER, "sanitizer": 140 * LONGER}
"""Seconds."""


def say(line):
    print("  ", line, flush=True)


def ended(command, limit, **environment):
    """Exit code (None: it was ended at the limit), seconds, and all that a program said."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            list(map(str, command)), cwd=ROOT, stdout=said, stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | environment,
        )  # fmt: skip
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
        said.seek(0)
        return code, time.perf_counter() - started, said.read()


def within(part, seconds_left):
    """Seconds that a part's programs get: until a little after the day's end, so that the last part is seen to end."""
    return min(LIMIT[part], max(60, seconds_left + 20))


def last_lines(text, count):
    return [line for line in text.replace("\r", "\n").splitlines() if line.strip()][-count:]


# --- The demo.


def demo(**_):
    """Train on the drawn faces by run.py, as README does, in a new process; all compiling is in its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, ROOT / "run.py", "--backend", "cuda", "--save_path", folder, *SIZES.demo]
        if SIMULATED:
            command += tiny_faces(Path(folder))
        code, seconds, said = ended(command, LIMIT["demo"])
        if code != 0:
            end = last_lines(said, 20)
            raise RuntimeError(f"run.py ended with code {code} after {seconds:.0f} s: {' | '.join(end[-3:])}")
        (history,) = Path(folder).glob("*/history.jsonl")
        last = json.loads(history.read_text().splitlines()[-1])
        test = [json.loads(line) for line in (history.parent / "tests.jsonl").read_text().splitlines()]
    compiling = re.search(r"kernels ready after ([\d.]+) s", said)
    found = {"flags": SIZES.demo, "whole_seconds": seconds, "history": last, "test": test[-1]}
    found |= {"training_seconds": last["seconds"], "accuracy": test[-1]["accuracy"]}
    found["compiling_seconds"] = float(compiling.group(1)) if compiling else None
    say(
        f"validation accuracy {100 * found['accuracy']:.1f} % after {last['seconds']:.2f} s of training; "
        f"{seconds:.1f} s in all, {found['compiling_seconds']} s of them compiling"
    )
    return found


def tiny_faces(folder):
    """Flags for so few clips that the simulator can train on them."""
    import numpy as np

    from emop3d_np.datasets.faces import drawn_faces

    clips, labels, _ = drawn_faces(2, 0, 2, shape=(7, 16, 16, 1))
    np.save(folder / "x.npy", clips)
    np.save(folder / "y.npy", labels)
    places = [("x.npy", "path"), ("y.npy", "labels_path")]
    return [part for side in ("train", "val") for file, what in places for part in (f"--{side}_{what}", folder / file)]


# --- compute-sanitizer.


def sanitizer(seconds_left, coming, **_):
    """The four tools, side by side, each on a small step in a process of its own; the tests begin beside them."""
    if not shutil.which("compute-sanitizer"):
        say("compute-sanitizer is not there (it comes with the CUDA toolkit): the small step runs without it")
        code, seconds, said = ended(small_step_command(), LIMIT["sanitizer"])
        if code != 0:
            raise RuntimeError(f"the small step ended with code {code}: {' | '.join(last_lines(said, 3))}")
        return {"missing": "compute-sanitizer", "small_step_seconds": seconds}
    if "tests" in coming:
        _begun_tests.append(ThreadPoolExecutor(1).submit(tested, seconds_left))
    limit = within("sanitizer", seconds_left)
    with ThreadPoolExecutor(len(TOOLS)) as pool:
        found = dict(zip(TOOLS, pool.map(lambda tool: sanitized(tool, limit), TOOLS), strict=True))
    for tool, each in found.items():
        say(f"{tool}: {each['summary']} ({each['seconds']:.0f} s)")
    bad = [tool for tool, each in found.items() if each["code"] != 0]
    if bad:
        error = RuntimeError(f"{bad[0]}: {found[bad[0]]['summary']}")
        error.found = {"tools": found}
        raise error
    return {"tools": found}


def sanitized(tool, limit):
    command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "1", "--print-limit", "10"]
    code, seconds, said = ended([*command, *small_step_command()], limit)
    summary = [line for line in said.splitlines() if "SUMMARY" in line] or last_lines(said, 1) or ["it said nothing"]
    if code is None:
        summary = [f"not done after {limit:.0f} s; last it said: {summary[-1]}"]
    return {"code": code, "seconds": seconds, "summary": summary[-1].strip("= "), "said": last_lines(said, 60)}


def small_step_command():
    return [sys.executable, ROOT / "bench" / "cuda_day.py", "--small-step"]


def small_step():
    """Two small training steps in one pass, one layer by layer, and a forward pass."""
    import numpy as np
    from cuda_launches import emo

    from kernels.cuda.launch import finish

    rng, batch = np.random.default_rng(0), SIZES.small_batch
    net, optimizer = emo.EmoP3D(SIZES.small_shape, backend="cuda"), emo.optimizers.Momentum(0.00015)
    x, labels = rng.standard_normal((batch, *SIZES.small_shape), np.float32), rng.integers(0, net.num_classes, batch)
    gradients = None
    for _ in range(2):
        _, gradients, _ = net.training_pass(x, labels, gradients=gradients)
        optimizer.update(net.parameters, gradients)
    net.loss_and_gradients(x, labels, input_gradient=True)
    net.forward(x)
    finish()
    print("the small step is done", flush=True)


# --- The tests of the edition.


_begun_tests = []
"""The tests, if they began before it was their turn: they use no clock, so that others may work beside them."""


def edition_tests(seconds_left, **_):
    """``pytest -k cuda`` on the device; on the simulator only the collection, since that is what starts this."""
    found = _begun_tests.pop().result() if _begun_tests else tested(seconds_left)
    say(f"{found['summary']} ({found['program_seconds']:.0f} s)")
    if found["code"] != 0:
        error = RuntimeError(next((line for line in found["said"] if "No module named" in line), found["summary"]))
        error.found = found
        raise error
    return found


def tested(seconds_left):
    command, limit = (
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark"],
        within("tests", seconds_left),
    )
    if SIMULATED:
        command += ["--collect-only", "-k", "cuda", "tests/kernels/test_operations.py"]
    else:
        command += ["-k", "cuda", "tests"]
        if importlib.util.find_spec("xdist"):
            command += ["-n", "6", "--dist", "loadfile"]
    code, seconds, said = ended(command, limit, EMOP3D_DEVICE="1")
    last = last_lines(said, 60) or ["pytest said nothing"]
    if code is None:
        last.append(f"not done after {limit:.0f} s; last it said: {last[-1]}")
    return {"code": code, "program_seconds": seconds, "summary": last[-1], "said": last}
