"""What a run is built of before its first step: network and optimiser from the settings, threads, compiled kernels."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import kernels
from kernels.arrays import FloatArray

from .. import memory, optimizers
from ..datasets import Augmentation, ClipSet, clip_shape, normalize, shrink, shrunk_shape
from ..errors import InputError
from ..network import EmoP3D, strict_pyramid
from ..optimizers import Adam, AdamW, GradientDescent, Momentum, Optimizer, Schedule, WeightDecay, decay_factors
from . import checkpoint, machine, ranks
from .flags import Settings, merge

FEW_STEPS = 200
"""A training of fewer steps is said to be short."""


def build_network(settings: Settings) -> EmoP3D:
    """The network that ``settings`` describe, with its initial values.

    Raises:
        InputError: the clips cannot be shrunk as the settings say, or the network cannot be built.
    """
    return EmoP3D(
        input_shape=_input_shape(settings),
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


def require_shapes(settings: Settings, arrays: Mapping[str, FloatArray]) -> None:
    """Refuse arrays that are not those of the network that ``settings`` describe, before that takes any memory.

    Args:
        settings: of the network.
        arrays: parameters, by name, as of a checkpoint.

    Raises:
        InputError: a name or a shape is another, or there can be no such network.
    """
    layers = strict_pyramid(
        kernels.edition("reference"), _input_shape(settings), settings.feature_maps, settings.num_classes,
        tuple(settings.receptive_field), tuple(settings.strides), tuple(settings.pool), settings.pooling,
    )  # fmt: skip
    shapes = {name: shape for layer in layers for name, shape in layer.parameter_shapes.items()}
    for name in [*shapes, *arrays]:
        own, found = shapes.get(name, "none"), arrays[name].shape if name in arrays else "none"
        if own != found:
            raise InputError(f"{name} has shape {found}, the network's is {own}")


def _input_shape(settings: Settings) -> tuple[int, ...]:
    """``(d, h, w, c)`` that the network sees; raises InputError if the clips cannot be shrunk to it."""
    common = math.gcd(settings.height, settings.width)
    if common % settings.shrink:
        divisors = ", ".join(str(side) for side in range(1, common + 1) if common % side == 0)
        raise InputError(
            f"--shrink {settings.shrink} does not divide frames of {settings.height} x {settings.width} pixels "
            f"(--height, --width); what does: {divisors}"
        )
    return shrunk_shape(clip_shape(settings), settings.shrink)


def load_network(path: str | Path) -> tuple[EmoP3D, Settings]:
    """The trained network of a checkpoint, the averaged one where there is one, and the settings of its training.

    Raises:
        InputError: there is no checkpoint at ``path``, or it is damaged.
    """
    return network_of(checkpoint.load(path))


def network_of(state: checkpoint.Checkpoint) -> tuple[EmoP3D, Settings]:
    """The trained network of a loaded checkpoint, and the settings, as of :func:`load_network`."""
    settings = merge(state.settings)
    require_shapes(settings, state.answering)
    net = build_network(settings)
    net.load_parameters(state.answering)
    return net, settings


def count_steps(epochs: float, steps_per_epoch: int) -> int:
    """How many steps ``epochs`` are, at least 1."""
    return max(1, round(epochs * steps_per_epoch))


def note_on_length(settings: Settings, steps: int) -> str:
    """A line for a training with ``--recipe strong`` that has too few steps to learn much; else ""."""
    if settings.recipe != "strong" or steps >= FEW_STEPS:
        return ""
    return (
        f"note: this is a training of {steps} steps only; for some hundred clips of faces, --recipe small has more of "
        f"them\n"
    )


def build_schedule(settings: Settings, steps_per_epoch: int) -> Schedule:
    """The learning rate of every step as ``settings`` describe it; it depends on nothing else."""
    rate, length = settings.learning_rate, count_steps(settings.max_steps, steps_per_epoch)
    match settings.schedule or ("constant" if settings.optimizer in ("ADAM", "ADAMW") else "stairs"):
        case "constant":
            schedule = optimizers.constant(rate)
        case "stairs":
            schedule = optimizers.exponential_decay(rate, settings.decay_steps * steps_per_epoch, settings.decay_rate)
        case "cosine":
            schedule = optimizers.cosine(rate, length)
        case _:
            schedule = optimizers.one_cycle(rate, length)
    return optimizers.warm_up(schedule, settings.warm_up * steps_per_epoch) if settings.warm_up else schedule


def build_decay(settings: Settings, net: EmoP3D) -> dict[str, float]:
    """The factor of every array of weights, by name, as ``settings`` describe it."""
    factors = decay_factors(net.parameters, settings.weight_decay or 0.0)
    if settings.dense_decay is not None:
        factors[f"{net.layers[-1].name}/weights"] = settings.dense_decay
    return factors


def build_optimizer(settings: Settings, steps_per_epoch: int, decay: WeightDecay) -> Optimizer:
    """The optimiser that ``settings`` describe, with its schedule; ADAMW applies the ``decay``, the others leave it."""
    rate = build_schedule(settings, steps_per_epoch)
    match settings.optimizer:
        case "ADAMW":
            return AdamW(rate, decay)
        case "ADAM":
            return Adam(rate)
        case "MOMENTUM":
            return Momentum(rate, nesterov=settings.use_nesterov)
    return GradientDescent(rate)


def most_threads() -> int:
    """How many threads the kernels can run on: one per core, or what NUMBA_NUM_THREADS says."""
    import numba

    config: Any = numba.config  # it makes its attributes as it is imported
    return int(config.NUMBA_NUM_THREADS)


def use_machine(settings: Settings) -> None:
    """Let kernels be compiled and run as the settings of the machine say; of several ranks, see that they are alike.

    Raises:
        InputError: as of :func:`use_threads`, of ``machine.compile_portably`` and of ``Ranks.require_alike``.
    """
    if settings.portable_bits:
        machine.compile_portably()
    here = ranks.here()
    use_threads(settings.threads or (here.threads(most_threads()) if here.size > 1 else None))
    here.require_alike(settings)


def use_threads(count: int | None) -> None:
    """Let the kernels run on ``count`` threads; None: all cores.

    Raises:
        InputError: the machine has fewer cores.
    """
    if count:
        import numba

        if count > most_threads():
            raise InputError(f"--threads {count} is more than the {most_threads()} cores there are")
        numba.set_num_threads(count)


def require_batch(settings: Settings, clips: ClipSet, own: int | None = None) -> None:
    """Refuse a batch size that the training set, or the memory, does not hold.

    Of a batch, ``own`` clips are in the memory of this process; default None, all of them.

    Memory must hold a batch as it is stored, and shrunk where it is; the next one, which is read ahead; and a batch in
    the network's dtype.

    Raises:
        InputError: the clips there are, or the bytes needed and those that are free, are named.
    """
    if settings.batch_size > len(clips):
        raise InputError(f"--batch_size {settings.batch_size} is larger than the training set of {len(clips)} clips")
    stored = clips.clips.dtype
    clip = math.prod(clips.clips.shape[1:])
    shrunk = clip // settings.shrink**2
    kept = shrunk * np.result_type(stored, np.float32).itemsize if settings.shrink > 1 else 0
    own = settings.batch_size if own is None else own
    memory.require(
        own * (2 * (clip * stored.itemsize + kept) + shrunk * np.dtype(settings.dtype).itemsize),
        f"--batch_size {settings.batch_size} of {clips.name}",
        "lower --batch_size",
    )


def compile_kernels(
    net: EmoP3D,
    clips: ClipSet,
    augmentation: Augmentation,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
) -> None:
    """Compile all that a run will need, or read it from disk, by doing each thing once, most of them on black clips.

    Args:
        net: EmoP3D.
        clips: ClipSet to train on; what it stores decides which preprocessing is compiled.
        augmentation: what changes its clips.
        progress: wraps the list of things to do, as tqdm does.
    """
    x = np.zeros((2, *net.input_shape), net.dtype)
    raw = np.zeros((2, *clips.clips.shape[1:]), clips.clips.dtype.newbyteorder("="))
    things: list[Callable[[], Any]] = [
        lambda: clips.draw and clips.draw(np.arange(1)),
        *([partial(augmentation.apply, raw, 0)] if augmentation else []),
        lambda: normalize(shrink(raw, clips.shrink), net.kernels, x),
        lambda: net.training_pass(x, [0, 0]),
        lambda: net.loss(net.forward(x), [0, 0]),
    ]
    for thing in progress(things):
        thing()


def layer_table(net: EmoP3D) -> str:
    """The network as aligned lines: every layer, its output's size, its parameters."""
    lines = [f"{'layer':<8} {'output':<14} {'parameters':>10}"]
    for layer in net.layers:
        size = "x".join(map(str, layer.output_shape))
        count = sum(net.parameters[name].size for name in layer.parameter_shapes)
        lines.append(f"{layer.name:<8} {size:<14} {count:>10,}")
    return "\n".join([*lines, f"{'':<8} {'':<14} {net.parameter_count:>10,}"])
