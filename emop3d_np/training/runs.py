"""What a training run is made of beside the loop: its network and optimiser, its folder, its evaluations, its end."""

import json
import os
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .. import files, memory
from ..datasets import normalize
from ..errors import InputError
from ..network import EmoP3D
from ..optimizers import Adam, GradientDescent, Momentum, exponential_decay
from . import checkpoint
from . import settings as flags
from .metrics import Evaluation

EVALUATED_TOGETHER = 32
"""Clips of a forward pass of an evaluation, at most: as quick as more, and the training's batch is in memory too."""


def build_network(settings):
    """The network that ``settings`` describe, with its initial values."""
    return EmoP3D(
        input_shape=(settings.depth_frames, settings.height, settings.width, settings.in_channels),
        feature_maps=settings.feature_maps,
        num_classes=settings.num_classes,
        dtype=settings.dtype,
        backend=settings.backend,
        seed=settings.seed,
        receptive_field=settings.receptive_field,
        strides=settings.strides,
        pool=settings.pool,
        pooling=settings.pooling,
    )


def build_optimizer(settings, steps_per_epoch):
    """The optimiser that ``settings`` describe; the rate decays every ``decay_steps`` epochs, but for ADAM."""
    if settings.optimizer == "ADAM":
        return Adam(settings.learning_rate)
    rate = exponential_decay(settings.learning_rate, settings.decay_steps * steps_per_epoch, settings.decay_rate)
    return Momentum(rate, nesterov=settings.use_nesterov) if settings.optimizer == "MOMENTUM" else GradientDescent(rate)


def use_threads(count):
    """Let the kernels run on ``count`` threads; None: all cores.

    Raises:
        InputError: the machine has fewer cores.
    """
    if count:
        import numba

        if count > numba.config.NUMBA_NUM_THREADS:
            raise InputError(f"--threads {count} is more than the {numba.config.NUMBA_NUM_THREADS} cores there are")
        numba.set_num_threads(count)


def require_batch(settings, clips):
    """Refuse a batch size that the training set, or the memory, does not hold.

    In memory are one batch as it is stored, one more read ahead, one normalised.

    Raises:
        InputError: the clips there are, or the bytes needed and those that are free, are named.
    """
    if settings.batch_size > len(clips):
        raise InputError(f"--batch_size {settings.batch_size} is larger than the training set of {len(clips)} clips")
    clip = clips.clips[0].size
    memory.require(
        settings.batch_size * clip * (2 * clips.clips.dtype.itemsize + np.dtype(settings.dtype).itemsize),
        f"--batch_size {settings.batch_size} of {clips.name}",
        "lower --batch_size",
    )


def compile_kernels(net, clips, augmentation, progress):
    """Compile all that a run will need, or read it from disk, by doing each thing once, most of them on black clips.

    Args:
        net: EmoP3D.
        clips: ClipSet to train on; its dtype decides which preprocessing is compiled.
        augmentation: Augmentation of its clips.
        progress: wraps the list of things to do, as tqdm does.
    """
    x = np.zeros((2, *net.input_shape), net.dtype)
    kernels = [
        lambda: clips.draw and clips.draw(np.arange(1)),
        lambda: augmentation and augmentation.apply(np.zeros(x.shape, clips.clips.dtype.newbyteorder("=")), 0),
        lambda: normalize(np.zeros(x.shape, clips.clips.dtype), net.kernels, x),
        lambda: net.training_pass(x, [0, 0]),
        lambda: net.loss(net.forward(x), [0, 0]),
    ]
    for kernel in progress(kernels):
        kernel()


def layer_table(net):
    """The network as aligned lines: every layer, its output's size, its parameters."""
    lines = [f"{'layer':<8} {'output':<14} {'parameters':>10}"]
    for layer in net.layers:
        size = "x".join(map(str, layer.output_shape))
        count = sum(net.parameters[name].size for name in layer.parameter_shapes)
        lines.append(f"{layer.name:<8} {size:<14} {count:>10,}")
    return "\n".join([*lines, f"{'':<8} {'':<14} {net.parameter_count:>10,}"])


def evaluate(net, clips, settings, limit=None):
    """Loss, accuracy and confusion matrix over a clip set.

    Args:
        net: EmoP3D.
        clips: ClipSet.
        settings: normalize is used, and batch_size where it is small.
        limit: at most this many clips, evenly spaced; None (default): all, the last partial batch too.
    """
    result = Evaluation(class_names=clips.class_names)
    count = min(limit or len(clips), len(clips))
    chosen = np.linspace(0, len(clips) - 1, count).round().astype(np.int64)
    size = min(settings.batch_size, EVALUATED_TOGETHER)
    parts = (chosen[start : start + size] for start in range(0, count, size))
    for x, labels in clips.batches(parts, net.kernels, net.dtype, settings.normalize):
        logits = net.forward(x)
        result.add(net.loss(logits, labels), logits, labels)
    return result


def non_finite_layer(net, x):
    """Name of the first layer whose output of the batch ``x`` holds a value that is not finite; None if all are."""
    order = [layer.name for layer in net.layers]
    found = len(order)
    for start in range(0, len(x), 4):
        outputs = net.activations(x[start : start + 4])
        wrong = [order.index(name) for name, output in outputs.items() if not np.isfinite(output).all()]
        found = min([found, *wrong])
    return order[found] if found < len(order) else None


def require_finite(net, x, loss, gradients, step, run):
    """Stop a run that has gone astray, before the update spoils the parameters.

    Raises:
        InputError: the loss, a gradient or a parameter is not finite; the step and the first such layer are named.
    """
    wrong = None
    if not np.isfinite(loss):
        layer = non_finite_layer(net, x)
        wrong = f"the loss is {loss}, and the first layer whose output is not finite is {layer or 'the loss itself'}"
    else:
        for what, arrays in (("parameter", net.parameters), ("gradient", gradients)):
            spoilt = [name for name, values in arrays.items() if not _all_finite(values)]
            if spoilt and not wrong:
                wrong = f"the {what} {spoilt[0]} is not finite, the first such layer is {spoilt[0].split('/')[0]}"
    if wrong:
        raise InputError(f"step {step}: {wrong}; lower --learning_rate; {run.words_to_resume()}")


def _all_finite(values):
    # One NaN or infinity makes the sum so too, and a sum makes no array.
    summable = isinstance(values, np.ndarray)  # not those on a device
    return (summable and np.isfinite(values.sum())) or np.isfinite(values).all()


class Patience:
    """Ends a training whose validation loss no longer falls.

    Args:
        most: evaluations without a lower loss that end it; None: never.
    """

    def __init__(self, most):
        self.most = most
        self.lowest = None
        self.waited = 0

    def improved(self, loss):
        """Count an evaluation; whether its loss is the lowest so far."""
        better = self.lowest is None or loss < self.lowest
        self.lowest, self.waited = (loss, 0) if better else (self.lowest, self.waited + 1)
        return better

    @property
    def over(self):
        return self.most is not None and self.waited >= self.most


def snapshot(settings, net, optimizer, tally, patience, clip_count, steps_per_epoch):
    """The run as it stands, to be saved; ``restore`` is the opposite."""
    epoch, batch = divmod(optimizer.step, steps_per_epoch)
    progress = {
        "tally": vars(tally),
        "patience": {"lowest": patience.lowest, "waited": patience.waited},
        "training_clips": clip_count,
        "random_state": {"seed": settings.seed, "epoch": epoch, "batch": batch},
    }
    return checkpoint.Checkpoint(optimizer.step, vars(settings), net.parameters, optimizer.slots, progress)


def restore(state, net, optimizer, tally, patience, clip_count):
    """Put a checkpoint's state into the network, the optimiser, the tally and the patience.

    Raises:
        InputError: it was written by a network of another shape, another optimiser, or on another training set.
    """
    try:
        net.load_parameters(state.parameters)
    except InputError as error:
        raise InputError(f"the checkpoint does not fit these settings: {error}") from None
    if state.progress["training_clips"] != clip_count:
        raise InputError(
            f"the checkpoint's training set had {state.progress['training_clips']} clips, this one has {clip_count}: "
            f"give the same --train_path"
        )
    try:
        optimizer.load_slots(state.slots, state.step, net.parameters)
    except InputError as error:
        raise InputError(f"the checkpoint does not fit these settings: {error}") from None
    vars(tally).update(state.progress["tally"])
    vars(patience).update(state.progress.get("patience", {}))


def best_checkpoint(path):
    """Of a run's folder the best network's (``--patience``) where there is one, else the last one's; a file is itself.

    Raises:
        InputError: the folder holds neither.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    try:
        name = json.loads((path / "settings.json").read_text())["checkpoint_name"]
    except (OSError, ValueError, KeyError):
        name = flags.defaults()["checkpoint_name"]
    run = RunFolder(path, name)
    for found in (run.best, run.checkpoint):
        if found.exists():
            return found
    raise InputError(f"checkpoint: the folder {path} holds no {name}; train with --save_checkpoint True")


class RunFolder:
    """The folder of a run: ``settings.json``, ``history.jsonl``, ``tests.jsonl`` and the checkpoint.

    Args:
        path: the folder; it exists.
        checkpoint_name: file name of the checkpoint.
    """

    def __init__(self, path, checkpoint_name):
        self.path = Path(path)
        self.checkpoint = self.path / checkpoint_name
        self.best = self.path / f"best-{checkpoint_name}"

    @classmethod
    def create(cls, save_path, checkpoint_name, name=None):
        """Make a new folder under ``save_path``: named by the time, or ``name``, where an unfinished run is replaced.

        Raises:
            InputError: nothing can be written there.
        """
        stamp = time.strftime("%Y%m%d-%H%M%S")
        try:
            os.makedirs(save_path, exist_ok=True)
            if name:
                run = cls(Path(save_path) / name, checkpoint_name)
                run.path.mkdir(exist_ok=True)
                run.rewind(0)
                return run
            for name in (stamp, *(f"{stamp}-{number}" for number in range(2, 1000))):
                path = Path(save_path) / name
                if not path.exists():
                    path.mkdir()
                    return cls(path, checkpoint_name)
        except OSError as error:
            raise InputError(f"--save_path {save_path}: cannot be written: {error.strerror}") from None
        raise InputError(f"--save_path {save_path}: holds a thousand runs of this second")

    def write_settings(self, settings):
        text = json.dumps(vars(settings), indent=2) + "\n"
        self._write(self.path / "settings.json", text.encode())

    def append(self, file_name, row):
        """Add ``row``, a dict, as one line of JSON."""
        path = self.path / file_name
        try:
            with open(path, "a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}; {self.words_to_resume()}") from None

    def rewind(self, step):
        """Drop what was logged after ``step``, so that a resumed run logs it once."""
        for name in ("history.jsonl", "tests.jsonl"):
            path = self.path / name
            if path.exists():
                rows = [line for line in path.read_text().splitlines() if line and _step_of(line) <= step]
                self._write(path, "".join(line + "\n" for line in rows).encode())

    def save(self, state, path=None):
        """Write the checkpoint, or ``path``; where the disk is full, to the system's temporary folder, and say so.

        Raises:
            InputError: it could not be written where it belongs.
        """
        path = path or self.checkpoint
        try:
            checkpoint.save(path, state)
        except OSError as error:
            rescue = Path(tempfile.gettempdir()) / f"{self.path.name}-{path.name}"
            try:
                checkpoint.save(rescue, state)
                where = f"this step's is in {rescue}; python run.py --resume {rescue} goes on"
            except OSError:
                where = self.words_to_resume()
            raise InputError(f"checkpoint {path} cannot be written: {error.strerror}; {where}") from None

    def words_to_resume(self):
        """How to go on from the last checkpoint, if there is one."""
        if self.checkpoint.exists():
            return f"to go on from the last checkpoint: python run.py --resume {self.checkpoint}"
        return "no checkpoint was written (--save_checkpoint writes one at every evaluation)"

    def _write(self, path, data):
        try:
            files.write_atomically(path, lambda file: file.write(data))
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _step_of(line):
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")  # a line that a crash cut short


class Interrupt:
    """Turns Ctrl-C (and SIGTERM) into a wish, ``requested``, that the loop grants between two steps.

    Args:
        what: the work that is finished before, in words; default "this step".

    The same signal a second time stops at once.  One of each does not: who ends a group of processes may send the
    other one after the terminal's Ctrl-C.
    """

    def __init__(self, what="this step"):
        self.requested = set()
        self.words = f"stopping after {what} (Ctrl-C again: at once)"

    def __enter__(self):
        self._before = {each: signal.signal(each, self._request) for each in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_):
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _request(self, number, _):
        if number in self.requested:
            raise KeyboardInterrupt
        if not self.requested:
            tqdm.write(self.words)
        self.requested.add(number)
