"""A training step on an NVIDIA device: right first, then how long each kernel takes, beside its bound on paper.

    python bench/cuda_step.py [--batch 100] [--repeats 20] [--terabytes 3.35]

The gradients of the device are compared with the reference edition's before anything is timed; a difference beyond
rounding ends the script.  Then every launch of a step stands between two events.  ``bound`` is the time in which the
memory can move the launch's arrays once, at ``--terabytes`` a second (the device's data sheet has the figure).

It has never been run on a device by its authors.  On the simulator, where times mean nothing, a tiny step shows
that it works:

    NUMBA_ENABLE_CUDASIM=1 python bench/cuda_step.py --shape 7,13,13,1 --batch 1 --repeats 1
"""

import argparse
import statistics
import sys
import time
from contextlib import contextmanager

import numpy as np
from cuda_launches import emo
from cuda_model import traffic

from emop3d_np.errors import InputError
from kernels.cuda import graph
from kernels.cuda.device_array import to_device, upload
from kernels.cuda.launch import Kernel, Launch, finish, stream
from kernels.cuda.target import SIMULATED, cuda

ROUNDING = {"float64": 1e-10, "float32": 1e-3}
"""Largest error of a gradient, norm beside norm; in float32 rounding may choose another of two near maxima."""


def check(shape, rng):
    """Compare all gradients with the reference edition's."""
    for dtype, allowed in ROUNDING.items():
        ours, reference = (emo.EmoP3D(shape, dtype=dtype, backend=backend) for backend in ("cuda", "reference"))
        x, labels = rng.standard_normal((2, *shape)).astype(dtype), rng.integers(0, ours.num_classes, 2)
        for settings in ({}, {"input_gradient": True}):  # all in one pass, and layer by layer
            (loss, found), (expected_loss, expected) = (
                net.loss_and_gradients(x, labels, **settings) for net in (ours, reference)
            )
            errors = {name: _distance(found[name], gradient) for name, gradient in expected.items()}
            errors["the loss"] = abs(loss - expected_loss) / expected_loss
            worst = max(errors, key=errors.get)
            if not errors[worst] <= allowed:
                sys.exit(f"wrong in {dtype}: {worst} is off by {errors[worst]:.2g}, allowed is {allowed:g}")
            print(f"{dtype}: all gradients are the reference edition's, the worst, {worst}, to {errors[worst]:.1g}")


def _distance(ours, theirs):
    return np.linalg.norm(np.asarray(ours) - theirs) / np.linalg.norm(theirs)


@contextmanager
def timed():
    """Within, every launch stands between two events, so that none is part of a graph.

    Yields:
        list of ``(launch, start, end)``, to be read when the device has finished.
    """
    launch, events = Kernel.__call__, []

    def between(kernel, tasks, threads, *arguments, shared=0):
        start, end = cuda.event(), cuda.event()
        start.record(stream())
        launch(kernel, tasks, threads, *arguments, shared=shared)
        end.record(stream())
        events.append((Launch(kernel, tasks, threads, shared, arguments), start, end))

    Kernel.__call__, graph.ENABLED = between, False
    try:
        yield events
    finally:
        Kernel.__call__, graph.ENABLED = launch, True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="16,100,100,1", help="d,h,w,c of a clip")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--terabytes", type=float, default=3.35, help="a second, of the device's memory")
    given = parser.parse_args()
    rng, shape = np.random.default_rng(0), tuple(map(int, given.shape.split(",")))
    try:
        check(shape, rng)
        measure(given, shape, rng)
    except InputError as error:
        sys.exit(f"cuda_step.py: error: {error}")


def measure(given, shape, rng):
    net, optimizer = emo.EmoP3D(shape, backend="cuda"), emo.optimizers.Momentum(0.00015)
    on_host = rng.standard_normal((given.batch, *shape), np.float32)
    x, labels = to_device(on_host), rng.integers(0, net.num_classes, given.batch)
    gradients = None

    def step():
        nonlocal gradients
        _, gradients, _ = net.training_pass(x, labels, gradients=gradients)
        optimizer.update(net.parameters, gradients)
        finish()

    step()  # compiles, and gets memory
    step()  # makes a graph
    rounds, whole, apart, copies = [], [], [], []
    for _ in range(given.repeats):
        with timed() as events:
            step()
        rounds.append(events)
        whole.append(_seconds(step))
        graph.ENABLED = False
        apart.append(_seconds(step))
        graph.ENABLED = True
        copies.append(_seconds(lambda: upload(on_host, x)))

    rows = {}
    for launches in zip(*rounds, strict=True):
        launch = launches[0][0]
        seconds = statistics.median(_elapsed(start, end) for _, start, end in launches)
        count, taken, moved = rows.get(launch.kernel.name, (0, 0, 0))
        rows[launch.kernel.name] = count + 1, taken + seconds, moved + traffic(launch)
    print(f"{'kernel':<28} {'launches':>8} {'time, µs':>10} {'bound, µs':>10} {'GB/s':>8} {'of the rate':>11}")
    rate = 1e12 * given.terabytes
    for name, (count, taken, moved) in sorted(rows.items(), key=lambda row: -row[1][1]):
        achieved = moved / taken if taken else float("nan")
        print(
            f"{name:<28} {count:>8} {1e6 * taken:>10.1f} {1e6 * moved / rate:>10.1f} {achieved / 1e9:>8.0f} "
            f"{100 * achieved / rate:>9.0f} %"
        )
    print(f"all kernels {1e3 * sum(taken for _, taken, _ in rows.values()):.3f} ms", end="; ")
    print(f"a step, with what the host does, {1e3 * statistics.median(whole):.3f} ms", end=", ")
    print(f"{1e3 * statistics.median(apart):.3f} ms launch by launch", end="; ")
    print(f"the copy of {on_host.nbytes / 1e6:.1f} MB of clips {1e3 * statistics.median(copies):.3f} ms")
    if SIMULATED:
        print("simulated: the times mean nothing")


def _seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _elapsed(start, end):
    return 0.0 if SIMULATED else cuda.event_elapsed_time(start, end) / 1000


if __name__ == "__main__":
    main()
