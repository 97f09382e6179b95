"""Between a run and its checkpoint: the state of network, optimiser, sums and patience, taken and put back."""

from collections.abc import Mapping
from typing import Any

from ..datasets import require_same
from ..errors import InputError
from ..network import EmoP3D
from ..optimizers import Optimizer
from .building import require_shapes
from .checkpoint import Checkpoint
from .flags import Settings, defaults, merge
from .metrics import Tally
from .stopping import Patience


def merge_resumed(state: Checkpoint, given: Mapping[str, Any]) -> Settings:
    """The settings of a resumed run: those it had, and over them the flags ``given``, by name.

    Raises:
        InputError: another recipe is given; what it stands for would be nothing beside the settings of the run.  Or
            the checkpoint is of another network than they describe.
    """
    recipe = state.settings.get("recipe", defaults()["recipe"])
    if given.get("recipe", recipe) != recipe:
        raise InputError(
            f"--recipe {given['recipe']}: the run was begun with --recipe {recipe}; leave it out, and give the flags "
            f"that are to change"
        )
    settings = merge(state.settings, given)
    try:
        require_shapes(settings, state.parameters)
    except InputError as error:
        raise InputError(f"the checkpoint does not fit these settings: {error}") from None
    return settings


def snapshot(
    settings: Settings,
    net: EmoP3D,
    optimizer: Optimizer,
    tally: Tally,
    patience: Patience,
    data: dict[str, Any],
    steps_per_epoch: int,
    averaged: EmoP3D | None,
    *,
    due: float | None = None,
) -> Checkpoint:
    """The run as it stands, to be saved.

    ``data`` is of its clips, as of ``datasets.identity.describe``.  ``due`` is the learning rate of the last step where
    the evaluation of that step is still to be made; default None, where it is not.
    """
    epoch, batch = divmod(optimizer.step, steps_per_epoch)
    progress = {
        "tally": vars(tally),
        "patience": {"lowest": patience.lowest, "waited": patience.waited},
        "training_clips": data["training"]["count"],
        "random_state": {"seed": settings.seed, "epoch": epoch, "batch": batch},
    }
    progress |= {} if due is None else {"due": due}
    average = averaged.parameters if averaged else {}
    return Checkpoint(optimizer.step, vars(settings), net.parameters, optimizer.slots, progress, average, data)


def restore(
    state: Checkpoint,
    net: EmoP3D,
    optimizer: Optimizer,
    tally: Tally,
    patience: Patience,
    data: Mapping[str, Any],
    averaged: EmoP3D | None,
) -> None:
    """Put what :func:`snapshot` took back into the networks, the optimiser, the tally and the patience.

    ``data`` is of the clips that the run goes on with, as of ``datasets.identity.describe``.

    An average that the checkpoint does not have begins with the network of the checkpoint.

    Raises:
        InputError: it was written by a network of another shape, another optimiser, or on other clips, labels or groups
            of clips.
    """
    try:
        net.load_parameters(state.parameters)
        if averaged:
            averaged.load_parameters(state.answering)
    except InputError as error:
        raise InputError(f"the checkpoint does not fit these settings: {error}") from None
    missing = [name for name in ("tally", "training_clips") if name not in state.progress]
    if missing:
        raise InputError(f"the checkpoint says nothing of {', '.join(missing)}: it is of no training, and cannot go on")
    clip_count = data["training"]["count"]
    if state.progress["training_clips"] != clip_count:
        raise InputError(
            f"the checkpoint's training set had {state.progress['training_clips']} clips, this one has {clip_count}: "
            f"give the same --train_path"
        )
    require_same(state.data, data, "the checkpoint's data", "give the same, or begin a new run")
    try:
        optimizer.load_slots(state.slots, state.step, net.parameters)
    except InputError as error:
        raise InputError(f"the checkpoint does not fit these settings: {error}") from None
    vars(tally).update(state.progress["tally"])
    vars(patience).update(state.progress.get("patience", {}))
