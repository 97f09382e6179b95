"""Would fewer free numbers per weighted sum do better?  The structural try that docs/choosing.md reports.

    python bench/combined_weights.py pens_inner grid:2 none        # L1WS a grid of every second position, L5WS as it is
    python bench/combined_weights.py pens_inner rank:2 rank:4

Trains with the flags found for the pens on ``FOLDER/train``, tests on ``FOLDER/val`` and prints a line.  The full
weights (d, h, w, c, f) of a weighted sum are made before every step from fewer free numbers, whose gradients are those
of the full weights folded back:

- ``none``: every weight is free, as the network has it.
- ``grid:g``: ``W[d, h, w] = sum_ab U[h, a] U[w, b] V[d, a, b]``, bilinear between every ``g``-th row and column.
- ``rank:r``: ``W[d, h, w, c, f] = sum_k A[k, h, w, f] B[k, d, c, f]``, maps of coefficients for ``r`` small filters.

Source of the idea: Elsayed, Ramachandran, Shlens and Kornblith, Revisiting Spatial Invariance with Low-Rank Local
Connectivity (arXiv 2002.02959).  The free numbers are drawn so that the full weights have the deviation that the
network's own have.
"""

import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from emop3d_np import datasets
from emop3d_np.training import building, flags
from emop3d_np.training.evaluation import evaluate_network

FLAGS = (
    "--num_classes 5 --threads 1 --recipe strong --feature_maps 6 --shrink 2 --max_steps 28 "
    "--rotate 10 --scale 0.15 --shear 0.15 --shift 0,0.06,0.06"
)


def bilinear(length, step):
    """Weights (length, nodes) of the nodes at every ``step``-th place."""
    places = np.arange(length)
    below, share = np.divmod(places, step)
    u = np.zeros((length, below[-1] + 2), np.float32)
    u[places, below] = 1 - share / step
    u[places, below + 1] = share / step
    return u


class Grid:
    def __init__(self, shape, step, rng):
        d, h, w, c, f = shape
        self.rows, self.columns = bilinear(h, step), bilinear(w, step)
        self.free = {"V": rng.standard_normal((d, self.rows.shape[1], self.columns.shape[1], c, f), np.float32)}

    def full(self, free):
        return np.einsum("ha,wb,dabcf->dhwcf", self.rows, self.columns, free["V"], optimize=True)

    def folded(self, gradient, free):
        return {"V": np.einsum("ha,wb,dhwcf->dabcf", self.rows, self.columns, gradient, optimize=True)}


class Rank:
    def __init__(self, shape, rank, rng):
        d, h, w, c, f = shape
        self.free = {"A": rng.standard_normal((rank, h, w, f), np.float32)}
        self.free["B"] = rng.standard_normal((rank, d, c, f), np.float32)

    def full(self, free):
        return np.einsum("khwf,kdcf->dhwcf", free["A"], free["B"], optimize=True)

    def folded(self, gradient, free):
        return {
            "A": np.einsum("dhwcf,kdcf->khwf", gradient, free["B"], optimize=True),
            "B": np.einsum("dhwcf,khwf->kdcf", gradient, free["A"], optimize=True),
        }


def combinations(net, kinds):
    """By the name of the weights: how they come from free numbers of their deviation."""
    rng, found = np.random.default_rng(1), {}
    for layer, kind in zip(("L1WS", "L5WS"), kinds, strict=True):
        if kind != "none":
            form, number = kind.split(":")
            weights = net.parameters[f"{layer}/weights"]
            made = {"grid": Grid, "rank": Rank}[form](weights.shape, int(number), rng)
            first = next(iter(made.free.values()))
            first *= weights.std() / made.full(made.free).std()
            found[f"{layer}/weights"] = made
    return found


def main():
    folder, *kinds = sys.argv[1:]
    given = ["--train_path", f"{folder}/train", "--val_path", f"{folder}/val", *FLAGS.split()]
    settings = flags.merge(flags.parse(given))
    building.use_threads(settings.threads)
    net = building.build_network(settings)
    training, validation = datasets.load_sets(settings)
    made = combinations(net, kinds)
    parameters = {name: values for name, values in net.parameters.items() if name not in made}
    parameters |= {f"{name}/{part}": values for name in made for part, values in made[name].free.items()}
    steps_per_epoch = len(training) // settings.batch_size
    steps = range(building.count_steps(settings.max_steps, steps_per_epoch))
    optimizer = building.build_optimizer(settings, steps_per_epoch, {})
    order = (datasets.batch_indices(len(training), settings.batch_size, settings.seed, step) for step in steps)
    changes = (partial(datasets.Augmentation.of(settings).apply, step=step) for step in steps)
    started, gradients = time.process_time(), None
    for x, labels in training.batches(order, net.kernels, net.dtype, settings.normalize, changes):
        free = {name: {part: parameters[f"{name}/{part}"] for part in made[name].free} for name in made}
        for name in made:
            net.parameters[name][...] = made[name].full(free[name])
        loss, gradients, _ = net.training_pass(x, labels, gradients=gradients)
        own = {name: values for name, values in gradients.items() if name not in made}
        for name in made:
            folded = made[name].folded(gradients[name], free[name])
            own |= {f"{name}/{part}": np.ascontiguousarray(values) for part, values in folded.items()}
        optimizer.update(parameters, own)
    for name in made:
        net.parameters[name][...] = made[name].full(made[name].free)
    result = evaluate_network(net, validation, settings)
    count = sum(values.size for values in parameters.values())
    print(
        f"{' '.join(kinds)}: accuracy {100 * result.accuracy:.1f} %, loss {result.loss:.3f}; training loss {loss:.3f}, "
        f"{count:,} free numbers, {time.process_time() - started:.0f} CPU s"
    )


if __name__ == "__main__":
    main()
