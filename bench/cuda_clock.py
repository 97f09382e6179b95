"""Times on a device, and on the simulator in their place numbers without meaning."""

import statistics
import time
from contextlib import contextmanager
from functools import cache

import numpy as np

from kernels.arrays import FloatArray
from kernels.cuda.device_array import to_device
from kernels.cuda.launch import Kernel, Launch, finish, kernel, stream
from kernels.cuda.target import SIMULATED, cuda


@kernel("out")
def multiply_and_add(rounds: int, factor: float, out: FloatArray) -> None:
    """Sixteen chains that do not wait for each other, each of ``rounds`` multiplications with additions."""
    q = cuda.grid(1)
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = out[q]
    b0 = b1 = b2 = b3 = b4 = b5 = b6 = b7 = out[q] + factor
    for _ in range(rounds):
        a0, a1, a2, a3 = a0 * factor + a0, a1 * factor + a1, a2 * factor + a2, a3 * factor + a3
        a4, a5, a6, a7 = a4 * factor + a4, a5 * factor + a5, a6 * factor + a6, a7 * factor + a7
        b0, b1, b2, b3 = b0 * factor + b0, b1 * factor + b1, b2 * factor + b2, b3 * factor + b3
        b4, b5, b6, b7 = b4 * factor + b4, b5 * factor + b5, b6 * factor + b6, b7 * factor + b7
    out[q] = (a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7) + (b0 + b1 + b2 + b3 + b4 + b5 + b6 + b7)


CHAINS = 16


def keep_busy(seconds):
    """Give the device one slow block to work on, so that what is launched meanwhile then starts without waiting."""
    # a warp begins no more than one multiplication in a cycle
    rounds = 1 if SIMULATED else int(min(seconds, 0.2) * 2e9 / CHAINS)
    multiply_and_add(1, 2 if SIMULATED else 32, rounds, np.float32(1e-6), _of_one_block().row)


@cache
def _of_one_block():
    """Memory that is never freed: to free some would wait for the device."""
    return to_device(np.ones(32, np.float32))


def settle():
    """Wait for the device, and free now what would be freed later: that waits for the device as well."""
    finish()
    if not SIMULATED:
        cuda.current_context().deallocations.clear()


def event():
    """An event, recorded on the kernels' stream."""
    new = cuda.event()
    new.record(stream())
    return new


def between(start, end):
    """Seconds between two events, when the device has finished."""
    return 0.0 if SIMULATED else cuda.event_elapsed_time(start, end) / 1000


def device_seconds(work, times=1):
    """Seconds that one of ``times`` calls takes the device, by events; what the host needs to launch is left out."""
    work()  # compiles
    settle()
    started = time.perf_counter()
    work()
    settle()
    keep_busy(1.5 * times * (time.perf_counter() - started) + 1e-3)
    start = event()
    for _ in range(times):
        work()
    end = event()
    finish()
    return between(start, end) / times


def seconds_of(work, for_seconds, least=3, most=200):
    """Median seconds of a call with all that the device then does; of less than ``least`` calls if they are long."""
    work()  # compiles
    finish()
    times, began = [], time.perf_counter()
    while True:
        started = time.perf_counter()
        work()
        finish()
        ended = time.perf_counter()
        times.append(ended - started)
        if len(times) == most or ended - began > for_seconds * (1 if len(times) >= least else 4):
            return statistics.median(times)


def in_a_row(work, for_seconds, count=20):
    """Median seconds of a call among ``count`` in a row, after which the device is waited for."""

    def row():
        for _ in range(count):
            work()

    return seconds_of(row, for_seconds) / count


@contextmanager
def noted():
    """Within, launches are made and noted.

    Yields:
        list of ``Launch``, with the arguments on the device, so that they can be launched again.
    """
    launch, launches = Kernel.__call__, []

    def note(kernel, tasks, threads, *arguments, shared=0):
        launches.append(Launch(kernel, tasks, threads, shared, arguments))
        launch(kernel, tasks, threads, *arguments, shared=shared)

    Kernel.__call__ = note
    try:
        yield launches
    finally:
        Kernel.__call__ = launch


def again(launch):
    """Make a noted launch once more."""
    launch.kernel(launch.tasks, launch.threads, *launch.arguments, shared=launch.shared_bytes)


def launch_seconds(launches, repeats):
    """Each launch's seconds in the sequence of all, by events, the median of ``repeats`` rounds; and the host's.

    The device is kept busy until all are launched: with an event on either side, a launch that the device waits for
    would look as slow as the host.

    Returns:
        ``seconds, host_seconds, together``: a list with a number per launch; what the host takes to launch them all;
        the device's time for all, without events between.
    """
    list(map(again, launches))
    settle()
    started = time.perf_counter()
    list(map(again, launches))
    host_seconds = time.perf_counter() - started
    finish()
    rounds = []
    for _ in range(repeats):
        keep_busy(3 * host_seconds + 1e-3)  # the events take the host's time as well
        events = []
        for launch in launches:
            start = event()
            again(launch)
            events.append((start, event()))
        finish()
        rounds.append([between(*pair) for pair in events])
    together = [device_seconds(lambda: list(map(again, launches))) for _ in range(max(1, repeats // 4))]
    return [statistics.median(times) for times in zip(*rounds, strict=True)], host_seconds, statistics.median(together)
