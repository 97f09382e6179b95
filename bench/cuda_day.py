"""The first day on an NVIDIA device, in one command: is it right, how fast is it, what do others need, is it clean.

    python bench/cuda_day.py --json day.json [--minutes 7] [--parts versions,ceilings,...] [--peers "jax windows,..."]

The parts, in their order, the most important first:

    versions   packages, driver, card
    ceilings   what the card can do: a copy within its memory, multiplications with additions in float32
    right      every gradient beside the reference edition's, in memory that was full of NaN
    kernels    each kernel's time between events, beside the time its bytes take at the copy's rate
    step       training step, forward pass and single clip, for batches from 1 to 4096
    peers      PyTorch and JAX: the same arithmetic on the same card, each checked first
    repeated   1,000 steps twice: the same bits
    demo       the README's training on the device, to its accuracy
    sanitizer  the four tools of compute-sanitizer on a small step
    tests      the tests of the edition, on the device

They run in a process of their own, and this one watches: a part that fails, hangs or brings its process down is
reported in a line, and the next part goes on, in a new process where the device was lost to the old one.  What was
found is written to the JSON after every part, with the traceback of what failed.  A part that would begin when
``--minutes`` are over is left out.  A table comes last.

On the simulator everything is tiny and the times mean nothing: ``NUMBA_ENABLE_CUDASIM=1 python bench/cuda_day.py``.
"""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from cuda_sizes import LONGER

PARTS = {
    "versions": ("cuda_versions", "versions", 40),
    "ceilings": ("cuda_parts", "ceilings", 90),
    "right": ("cuda_parts", "right", 240),
    "kernels": ("cuda_parts", "kernel_times", 120),
    "step": ("cuda_parts", "step_times", 120),
    "peers": ("cuda_peers", "peers", 230),
    "repeated": ("cuda_parts", "repeated", 90),
    "demo": ("cuda_outside", "demo", 120),
    "sanitizer": ("cuda_outside", "sanitizer", 150),
    "tests": ("cuda_outside", "edition_tests", 150),
}
"""Module and function of each part, and the seconds after which it is ended: LONGER times as many."""

LOST, NO_DEVICE = 3, 4
"""Exit codes of a process to which the device no longer answers, or never did."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="where all figures go, as soon as they are there")
    parser.add_argument("--parts", default=",".join(PARTS), help="the parts to run, in this order")
    parser.add_argument("--minutes", type=float, default=7, help="after so many, no part is begun; default 7")
    parser.add_argument("--peers", help="peers as bench/cuda_peers.py names them; default all that are installed")
    parser.add_argument("--small-step", action="store_true", help="nothing but a small step: for compute-sanitizer")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.small_step:
        importlib.import_module("cuda_outside").small_step()
        return
    parts = given.parts.split(",")
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"--parts {','.join(unknown)}: there are {', '.join(PARTS)}")
    if given.child:
        run_parts(parts, given)
        return
    peers = importlib.import_module("cuda_peers").PROGRAMS if given.peers else {}
    if unknown := [name for name in (given.peers or "").split(",") if given.peers and name not in peers]:
        parser.error(f"--peers {','.join(unknown)}: there are {', '.join(peers)}")
    with tempfile.TemporaryDirectory() as folder:
        given.json = given.json or Path(folder) / "day.json"
        write(given.json, {"begun": time.time(), "parts": {}})
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ended from outside, it ends what it started
        watch(parts, given)
        day = read(given.json)
    print(importlib.import_module("cuda_table").summary(day), flush=True)
    sys.exit(any("failed" in found for found in day["parts"].values()))


def read(path):
    return json.loads(path.read_text())


def write(path, day):
    """All at once, so that whoever reads it, or ends the program, finds it whole."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(day, indent=1, default=float))
    os.replace(new, path)


def say(line):
    print(line, flush=True)


# --- The process that watches.


def watch(parts, given):
    """Have the parts run, in as many processes as it takes."""
    while left := [part for part in parts if part not in read(given.json)["parts"]]:
        command = [sys.executable, __file__, "--child", "--json", given.json, "--parts", ",".join(left)]
        command += ["--minutes", str(given.minutes), *(["--peers", given.peers] if given.peers else [])]
        child = subprocess.Popen(command, start_new_session=True)
        try:
            late = wait_for(child, given.json)
        finally:
            end(child)
        day = read(given.json)
        part = day.pop("now", None)
        if part:
            reason = late or f"its process ended with code {child.returncode}"
            day["parts"][part["name"]] = {"failed": reason, "seconds": time.time() - part["since"]}
            write(given.json, day)
            say(f"   failed: {reason}")
        elif child.returncode == NO_DEVICE:
            sys.exit(2)
        elif child.returncode not in (0, LOST):
            sys.exit(f"cuda_day.py: error: the process of the parts ended with code {child.returncode}")


def wait_for(child, path):
    """Wait for the process; returns what to say of the part at which it was late, if it was."""
    while child.poll() is None:
        time.sleep(0.1)
        now = read(path).get("now")
        if now and time.time() - now["since"] > PARTS[now["name"]][2] * LONGER:
            return f"it took more than {PARTS[now['name']][2] * LONGER} s"
    return None


def end(child):
    """End a process and all that it started."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


# --- The process that does the work.


def run_parts(parts, given):
    require_device()
    day = read(given.json)
    for place, part in enumerate(parts):
        over = time.time() - day["begun"] - 60 * given.minutes
        if over > 0:
            day["parts"][part] = {"skipped": f"{given.minutes:g} minutes were over"}
            say(f"== {part}: left out, {day['parts'][part]['skipped']}")
            write(given.json, day)
            continue
        say(f"== {part}, {time.time() - day['begun']:.0f} s after the start")
        day["now"] = {"name": part, "since": time.time()}
        write(given.json, day)
        found = attempt(part, given, day, parts[place + 1 :])
        found["seconds"] = time.time() - day.pop("now")["since"]
        day["parts"][part] = found
        write(given.json, day)
        if "failed" in found:
            say(f"   failed: {found['failed']}")
            if not device_answers():
                say("   the device no longer answers this process; another one goes on")
                os._exit(LOST)  # no cleaning up: that would ask the device


def attempt(part, given, day, coming):
    """What a part found, or how it failed."""
    module, function, _ = PARTS[part]
    seconds_left = day["begun"] + 60 * given.minutes - time.time()
    try:
        return importlib.import_module(module).__dict__[function](
            results=day["parts"], wanted=given.peers, seconds_left=seconds_left, coming=coming
        )
    except (Exception, SystemExit) as error:
        found = getattr(error, "found", {})  # what a part has found that then failed
        last = traceback.format_exception_only(error)[-1].strip().splitlines()[-1]
        return {**found, "failed": last, "traceback": traceback.format_exc()}


def require_device():
    """End the process in a line where there is no device at all."""
    from emop3d_np.errors import InputError
    from kernels.cuda.target import require_device

    try:
        require_device()
    except InputError as error:
        print(f"cuda_day.py: error: {error}", file=sys.stderr)
        sys.exit(NO_DEVICE)


def device_answers():
    try:
        importlib.import_module("kernels.cuda.launch").finish()
    except Exception:
        return False
    return True


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
