"""A small 3D CNN of PyTorch on exactly the clips that run.py trains on and tests, treated as the network is.

    make .venv-peers/ready
    .venv-peers/bin/python bench/cnn.py pens --folds 10 [--fold 1] --shrink 2 --rotate 10 --scale 0.15 ...
    .venv-peers/bin/python bench/cnn.py adrenalmnist3d.npz --nets 5 --augment_in dhw --rotate 15 ...

DATA is what --train_path takes, as in baselines.py, and further flags are those of run.py: --shrink, --normalize, those
of the augmentation, --batch_size, --max_steps (epochs), --learning_rate (highest of one cycle), --weight_decay, --seed
and --threads are the CNN's, too.  Batches come from the code that run.py takes them from: changed at random, shrunk and
standardised in the same way, by the same seeds.  The network after the last step answers, by itself and by
the mean over --moved copies of a clip.  CPU seconds are user and system time of training, augmentation included and
without the start of the process; those of the two answers stand beside them.  Prints one JSON object.
"""

import argparse
import json
import sys
import time
from contextlib import closing
from functools import partial
from itertools import repeat
from pathlib import Path

import baselines
import numpy as np
import torch
from machine import description
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import kernels
from emop3d_np import datasets
from emop3d_np.errors import exit_code
from emop3d_np.training import building, flags
from emop3d_np.training.crossvalidation import mean_interval
from emop3d_np.training.metrics import figures

DEFAULTS = {"batch_size": 50, "max_steps": 15.0, "learning_rate": 3e-3, "weight_decay": 1e-2}
"""Flags of run.py that serve such a network better than run.py's own defaults."""
WIDTHS = 16, 32, 64, 128, 200
"""Channels after each convolution: about a million parameters."""


def network(channels, classes):
    """Clips (n, c, d, h, w) to logits: five convolutions of 3 x 3 x 3, then the mean over all places.

    Each halves rows and columns, and all but the first the frames.
    """
    layers = []
    for place, width in enumerate(WIDTHS):
        stride = 2 if place else (1, 2, 2)
        layers += [nn.Conv3d(channels, width, 3, stride, padding=1, bias=False), nn.BatchNorm3d(width)]
        layers += [nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(channels, classes))


def tensor(x):
    """A batch (n, d, h, w, c) as (n, c, d, h, w), channels last in memory, which takes two thirds of the time."""
    return torch.from_numpy(x.copy()).permute(0, 4, 1, 2, 3)


def train(clips, settings, seed):
    """A network trained on a ClipSet as the settings say; ``seed`` draws its initial values."""
    torch.manual_seed(seed)
    net = network(settings.in_channels, settings.num_classes).to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(net.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    steps = building.count_steps(settings.max_steps, len(clips) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, steps)
    order = (datasets.batch_indices(len(clips), settings.batch_size, seed, step) for step in range(steps))
    augmentation = datasets.Augmentation.of(settings)
    changes = (partial(augmentation.apply, step=step) for step in range(steps) if augmentation)
    with closing(clips.batches(order, kernels.edition("cpu"), np.float32, settings.normalize, changes)) as batches:
        for x, labels in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(tensor(x)), torch.from_numpy(labels)).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def probabilities(net, clips, settings, moved):
    """What the network says of a ClipSet, (n, k): the mean over so many moved copies, as of ``evaluate --moved``."""
    copies, answers = datasets.Augmentation.of_copies(settings), []
    for number in range(moved):
        parts = np.array_split(np.arange(len(clips)), -(-len(clips) // 32))
        moves = repeat(lambda raw, number=number: copies.copy(raw, number, out=raw)) if number else ()
        with torch.inference_mode():
            batches = clips.batches(parts, kernels.edition("cpu"), np.float32, settings.normalize, moves)
            answers.append(np.concatenate([net(tensor(x)).softmax(1).numpy() for x, _ in batches]))
    return np.mean(answers, axis=0)


def rows(task, nets, moved):
    """Train ``nets`` networks on every split, and yield what each says of the clips that test it."""
    settings = task.settings
    for place, split in enumerate(task.splits):
        if len(task.sets) == 1:
            training, tested = (task.sets[0].take(chosen, "") for chosen in (split.train, split.test))
        else:
            training, tested = task.sets
        for net_number in range(nets):
            start = time.process_time()
            net = train(training, settings, settings.seed + net_number)
            trained = time.process_time()
            alone = figures(probabilities(net, tested, settings, 1), tested.labels)
            answered = time.process_time()
            averaged = figures(probabilities(net, tested, settings, moved), tested.labels)
            yield {
                "split": settings.fold or place + 1,
                "seed": settings.seed + net_number,
                "alone": alone,
                "moved": averaged,
                "CPU seconds": round(trained - start, 1),
                "CPU seconds of answering": [round(answered - trained, 1), round(time.process_time() - answered, 1)],
            }


def summary(found):
    """Means of the rows' figures, with intervals where there are several."""
    means = {}
    for who in ("alone", "moved"):
        for name in found[0][who]:
            values = [row[who][name] for row in found]
            means[f"{who}, {name}"] = mean_interval(values) if len(values) > 1 else values[0]
    return means | {"CPU seconds": float(np.mean([row["CPU seconds"] for row in found]))}


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="what --train_path takes")
    parser.add_argument("--nets", type=int, default=1, help="networks on every split, by seeds from --seed on")
    parser.add_argument("--moved", type=int, default=8, help="copies of a clip in the second answer")
    parser.add_argument("--json", help="also write the result to this file, after every network")
    own, others = parser.parse_known_args(arguments)
    task = baselines.read(DEFAULTS | flags.parse(others) | {"train_path": own.data})
    building.use_threads(task.settings.threads)
    if task.settings.threads:
        torch.set_num_threads(task.settings.threads)
    ours = building.build_network(task.settings).parameters.values()
    result = {
        "machine": description("torch", "numpy", "numba"),
        "flags": others,
        "defaults": DEFAULTS,
        "parameters": sum(p.numel() for p in network(task.settings.in_channels, task.classes).parameters()),
        "parameters of EmoP3D with the same flags": sum(p.size for p in ours),
        "rows": [],
    }
    for row in rows(task, own.nets, own.moved):
        result["rows"].append(row)
        result["mean"] = summary(result["rows"])
        shares = " ".join(f"{who} {100 * row[who]['accuracy']:.1f} %," for who in ("alone", "moved"))
        print(f"split {row['split']}, seed {row['seed']}: {shares} {row['CPU seconds']} CPU s", file=sys.stderr)
        if own.json:
            Path(own.json).write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(exit_code("cnn.py", lambda: main(sys.argv[1:]), "lower --batch_size"))
