"""A trained network put to a set of clips."""

import numpy as np

from .. import datasets
from . import checkpoint, runs
from . import settings as flags
from .metrics import Evaluation, auc


def evaluate(path, clips, labels=None, part="test"):
    """Test a network.

    Args:
        path: folder of a run, whose best network is taken where there is one (``--patience``), or a checkpoint.
        clips, labels, part: as of :func:`emop3d_np.datasets.open_set`.

    Returns:
        dict: ``checkpoint``, ``set``, what :meth:`Evaluation.as_dict` gives, ``auc``, and ``table``, the confusion
        matrix as text.

    Raises:
        InputError: there is no such checkpoint, or the clips do not fit its network.
    """
    path = runs.best_checkpoint(path)
    state = checkpoint.load(path)
    settings = flags.merge(state.settings)
    net = runs.build_network(settings)
    net.load_parameters(state.parameters)
    chosen = datasets.open_set(clips, labels, settings, "clips", part)
    result, logits = Evaluation(class_names=chosen.class_names), []
    size = runs.EVALUATED_TOGETHER
    parts = (np.arange(start, min(start + size, len(chosen))) for start in range(0, len(chosen), size))
    for x, own in chosen.batches(parts, net.kernels, net.dtype, settings.normalize):
        logits.append(net.forward(x))
        result.add(net.loss(logits[-1], own), logits[-1], own)
    scores = net.kernels.softmax(np.concatenate(logits))
    return {
        "checkpoint": str(path), "set": chosen.name, **result.as_dict(), "auc": auc(scores, chosen.labels),
        "table": str(result),
    }  # fmt: skip
