"""A pass of a network over a number of clips: what it keeps for the next one, and how its data come and go.

Of a pass nothing is waited for but its results: clips and labels go up from memory that the device reads by itself, the
launches follow on the same stream, one copy brings all results back.  When the same arrays are worked on again, all of
that is captured, and from then on it is one launch (``graph.py``).
"""

from collections import OrderedDict, deque
from collections.abc import Callable

import numpy as np

from ..arrays import AnyArray, BoolArray, FloatArray
from . import graph
from .device_array import DeviceArray
from .launch import LAUNCH, kernel, recording, stream
from .memory import Memory, kept, memory, pinned
from .target import cuda

GRAPHS = 64
"""Graphs that a pass keeps: the batches of a training stand in one or two places, parts of many clips in many."""

STAGED = 1 << 22
"""Bytes of an array that is copied to pinned memory first; larger ones the driver copies from where they are."""

Key = tuple[int, ...]


class Pass:
    """One pass and what it keeps; all of it goes with the object, the graphs and the memory they write to."""

    def __init__(self) -> None:
        self._arrays: list[Memory] = []
        self._graphs: OrderedDict[Key, tuple[graph.Graph[Memory], list[Memory]]] = OrderedDict()
        self._seen: deque[Key] = deque(maxlen=GRAPHS)
        self._places: dict[str, tuple[AnyArray | None, DeviceArray]] = {}
        self._waiting: list[tuple[AnyArray, DeviceArray]] = []
        self._results: AnyArray | None = None

    def sent(self, name: str, values: AnyArray | DeviceArray) -> DeviceArray:
        """An array on the device; one of NumPy goes where that of this name was the last time, and is not waited for.

        Args:
            name: of the array.
            values: of the same shape and dtype every time; it stays as it is until the next :meth:`run` is over, which
                may be the one that copies it.
        """
        if isinstance(values, DeviceArray):
            return values
        if name not in self._places:
            staged = pinned(values.shape, values.dtype) if values.nbytes <= STAGED else None
            self._places[name] = staged, DeviceArray.empty(values.shape, values.dtype)
        staged, placed = self._places[name]
        if recording():
            return placed
        if staged is None:
            placed.data.copy_to_device(np.ascontiguousarray(values), stream=stream())
        else:
            staged[...] = values
            self._waiting.append((staged, placed))
        return placed

    def run(self, work: Callable[[], Memory], *arrays: DeviceArray) -> AnyArray:
        """What the launches of a function leave in the memory that it returns.

        Args:
            work: function without arguments that launches, on ``arrays`` and in memory of ``memory.memory``, the same
                every time.
            arrays: what it works on beside the memory.  Where they are the same as before, no matter what is in them,
                a graph may take the place of a call.  It needs not keep them: it is launched for living arrays at
                their addresses only.

        Returns:
            ndarray.
        """
        going_up, self._waiting = self._waiting, []

        def launch() -> Memory:
            for staged, placed in going_up:
                placed.data.copy_to_device(staged, stream=stream())
            with kept(self._arrays):
                results = work()
            if self._results is None:
                self._results = pinned(results.shape, results.dtype)
            if not recording():
                results.copy_to_host(self._results, stream=stream())
            return results

        results = self._launched(launch, arrays)
        if recording() or self._results is None:
            return np.zeros(results.shape, results.dtype)
        stream().synchronize()
        return self._results.copy()

    def _launched(self, launch: Callable[[], Memory], arrays: tuple[DeviceArray, ...]) -> Memory:
        """Call ``launch``, or launch the graph of such a call."""
        if not graph.usable():
            return launch()
        key = tuple(each.address for each in arrays)
        if key not in self._graphs:
            if key not in self._seen:  # the first time also compiles, loads and gets memory
                self._seen.append(key)
                return launch()
            captured = graph.capture(launch)
            if captured is None:
                return launch()
            self._graphs[key] = captured, list(self._arrays)
            if len(self._graphs) > GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(key)
        found, _ = self._graphs[key]
        return found.result if found.launch() else launch()


def together(logits: Memory, scale: Memory, losses: Memory | None = None) -> Memory:
    """The results of a pass in one array, which is what :func:`apart` takes.

    Args:
        logits: (n, k).
        scale: (n, f, d), 1 divided by the deviation of every plane of the first layer, above 0 where it is finite.
        losses: (n,).
    """
    n, k = logits.shape
    results = memory((n, k + (1 if losses is None else 2)), logits.dtype)
    losses = logits.reshape(n * k) if losses is None else losses
    collect(n, LAUNCH.threads, logits, scale.reshape((n, scale.size // n)), losses, results)
    return results


def apart(results: FloatArray, classes: int) -> tuple[FloatArray, BoolArray, FloatArray]:
    """``logits, finite, losses``, of shapes (n, k), (n,) and (n,); the last is empty where there were none."""
    return results[:, :classes], results[:, classes] > 0, results[:, classes + 1 :].reshape(-1)


@kernel("results")
def collect(logits: FloatArray, scale: FloatArray, losses: FloatArray, results: FloatArray) -> None:
    """Columns: logits (n, k); whether all ``scale`` (n, s) are above 0; ``losses`` (n,), where there is a column."""
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    clips, columns = results.shape
    classes = logits.shape[1]
    for n in range(cuda.blockIdx.x, clips, cuda.gridDim.x):
        wrong = 0
        for q in range(cuda.threadIdx.x, scale.shape[1], cuda.blockDim.x):
            wrong = wrong if scale[n, q] > zero else 1
        wrong = cuda.syncthreads_or(wrong)
        for column in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
            if column < classes:
                results[n, column] = logits[n, column]
            elif column == classes:
                results[n, column] = zero if wrong > 0 else one
            else:
                results[n, column] = losses[n]
