"""What ends a run before its last step: Ctrl-C, a validation loss that no longer falls, a value that is not finite."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from tqdm import tqdm

from kernels.arrays import FloatArray

from .. import by_name
from ..errors import InputError, Lasting
from ..network import EmoP3D
from . import ranks
from .metrics import Tally
from .runs import RunFolder

LOOKED_AT_TOGETHER = 4
"""Clips whose activations are in memory at a time while the layer is sought that is not finite."""


class Interrupt:
    """Turns Ctrl-C, SIGTERM, a terminal that is closed, and an output that nobody reads any more into a wish.

    The wish is ``requested``; the loop grants it between two steps.  Until then printing never fails.

    Args:
        what: the work that is finished before, in words; default "this step".
        echo: seconds within which a second signal of a kind counts as the first; default 0.

    The same signal a second time stops at once.  One of each does not: who ends a group of processes may send SIGTERM
    after the terminal's Ctrl-C.

    Attributes:
        requested: the signals that came, a set of their numbers, with "output" if it failed; empty as long as all is
            well.
    """

    def __init__(self, what: str = "this step", echo: float = 0.0) -> None:
        self.requested: set[int | str] = set()
        self._echo, self._since = echo, 0.0
        self.words = f"stopping after {what} (Ctrl-C again: at once)"

    def __enter__(self) -> "Interrupt":
        signals = [signal.SIGINT, signal.SIGTERM]
        # A closed terminal says so by SIGHUP, which nohup has ignored.
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signals.append(signal.SIGHUP)
        self._before = {each: signal.signal(each, self._request) for each in signals}
        self._stdout = sys.stdout
        sys.stdout = self._lasting = Lasting(self._stdout, lambda: self.requested.add("output"))
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout = self._stdout
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def say(self, words: str) -> None:
        """Print how the work ended; where the output failed, on the error output, with the reason."""
        if self._lasting.failed:
            reason = getattr(self._lasting.failed, "strerror", None) or self._lasting.failed
            print(f"the output cannot be written: {reason}; {words}", file=sys.stderr)
        else:
            print(words)

    def _request(self, number, _):
        if number in self.requested:
            if time.monotonic() - self._since < self._echo:
                return
            raise KeyboardInterrupt
        self._since = time.monotonic()
        if not self.requested:
            tqdm.write(self.words)
        self.requested.add(number)


@contextmanager
def training_kept(save: Callable[[], None], run: RunFolder) -> Iterator[None]:
    """Around what may fail for want of data, disk or memory: it ends the run, but not without saving what was trained.

    Args:
        save: saves the run; it raises InputError, with what became of it, where it cannot.
        run: its folder.

    Raises:
        InputError: what failed, and where the training is kept.
    """
    try:
        yield
    except (InputError, OSError, MemoryError) as error:
        try:
            save()
            where = run.words_to_resume()
        except InputError as second:
            where = str(second)
        what = "not enough memory; lower --batch_size" if isinstance(error, MemoryError) else error
        raise InputError("; ".join(filter(None, (str(what), where)))) from None


@contextmanager
def evaluation_kept(save: Callable[[], None], run: RunFolder, tally: Tally, patience: "Patience") -> Iterator[None]:
    """Around the evaluation of a step, as :func:`training_kept`.

    Where it fails, ``tally`` and ``patience`` are saved as they were before, so that whoever goes on evaluates the step
    once more, and nothing of it is missing or counted twice.
    """
    before = [(each, vars(each).copy()) for each in (tally, patience)]

    def save_as_before() -> None:
        for each, values in before:
            vars(each).update(values)
        save()

    with training_kept(save_as_before, run):
        yield


class Patience:
    """Ends a training whose validation loss no longer falls.

    Args:
        most: evaluations without a lower loss that end it; None: never.

    Attributes:
        lowest: the lowest loss so far; None before the first evaluation.
        waited: evaluations since then.
    """

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.lowest: float | None = None
        self.waited = 0

    def improved(self, loss: float) -> bool:
        """Count an evaluation; returns whether its loss is the lowest so far."""
        better = self.lowest is None or loss < self.lowest
        self.lowest, self.waited = (loss, 0) if better else (self.lowest, self.waited + 1)
        return better

    @property
    def over(self) -> bool:
        """Whether the training is to end."""
        return self.most is not None and self.waited >= self.most


def require_finite(
    net: EmoP3D, x: FloatArray, loss: float, gradients: Mapping[str, FloatArray], step: int, run: RunFolder
) -> None:
    """Stop a run that has gone astray, before the update spoils the parameters.

    Args:
        net: EmoP3D.
        x: the batch, array of shape (n, d, h, w, c).
        loss, gradients: what the network made of it.
        step: number of the step, from 1, for the message.
        run: the run's folder, for the message.

    Raises:
        InputError: the loss, a gradient or a parameter is not finite; the step and the first such layer are named.
    """
    wrong = None
    if not np.isfinite(loss):
        layer = non_finite_layer(net, x)
        wrong = f"the loss is {loss}, and the first layer whose output is not finite is {layer or 'the loss itself'}"
    else:
        for what, arrays in (("parameter", net.parameters), ("gradient", gradients)):
            if wrong or all(_all_finite(values) for (values,) in by_name.side_by_side(arrays)):
                continue
            spoilt = [name for name, values in arrays.items() if not _all_finite(values)]
            if spoilt:
                wrong = f"the {what} {spoilt[0]} is not finite, the first such layer is {spoilt[0].split('/')[0]}"
    if wrong:
        raise InputError(f"step {step}: {wrong}; lower --learning_rate; {run.words_to_resume()}")


def non_finite_layer(net: EmoP3D, x: FloatArray) -> str | None:
    """Name of the first layer whose output of ``x`` (n, d, h, w, c) is not finite throughout; None if all are.

    Of several ranks, each is given its own clips, and all are told the same.
    """
    order = [layer.name for layer in net.layers]
    found = len(order)
    for start in range(0, len(x), LOOKED_AT_TOGETHER):
        outputs = net.activations(x[start : start + LOOKED_AT_TOGETHER])
        wrong = [order.index(name) for name, output in outputs.items() if not np.isfinite(output).all()]
        found = min([found, *wrong])
    found = min(ranks.here().everyones([found]))
    return order[found] if found < len(order) else None


def _all_finite(values: Any) -> bool:
    # One NaN or infinity makes the sum so too, and a sum makes no array. An array on a device has a way of its own.
    summable = isinstance(values, np.ndarray)
    return bool((summable and np.isfinite(values.sum())) or np.isfinite(values).all())
