"""A small 3D CNN of PyTorch on pen drawings, on the very folds of run.py, with about as many parameters as EmoP3D.

    make .venv-peers/ready
    .venv-peers/bin/python bench/pens_cnn.py pens [--folds 10] [--first 3] [--fold_protocol clips]

Frames standardised as run.py does, as many epochs; Adam with a one-cycle schedule, which serves such a network better
than run.py's default.  The network after the last step answers.  Prints one JSON object.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from machine import description
from torch import nn
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import pens

import emop3d_np as emo
import kernels
from emop3d_np.training.crossvalidation import mean_interval

BATCH, RATE, DECAY = 50, 3e-3, 1e-2


def network(classes):
    """16 x 100 x 100 to logits: five convolutions of 3 x 3 x 3, then the mean.

    Each halves rows and columns, and all but the first the frames.
    """

    def block(c, k, stride):
        return nn.Conv3d(c, k, 3, stride, padding=1, bias=False), nn.BatchNorm3d(k), nn.ReLU(inplace=True)

    return nn.Sequential(
        *block(1, 16, (1, 2, 2)),
        *block(16, 32, 2),
        *block(32, 64, 2),
        *block(64, 128, 2),
        *block(128, 200, 2),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(200, classes),
    )


def train(x, labels, classes, epochs, seed):
    torch.manual_seed(seed)
    net = network(classes).to(memory_format=torch.channels_last_3d)  # takes two thirds of the time
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    steps = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, epochs * steps)
    for _ in range(epochs):
        for part in torch.randperm(len(x))[: steps * BATCH].split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[part]), labels[part]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def main():
    parser = pens.arguments(__doc__)
    parser.add_argument("--first", type=int, help="only so many of the folds")
    parser.add_argument("--epochs", type=int, default=15)
    given = parser.parse_args()
    clips, fold_of, classes = pens.read(given)
    standardized = np.empty(clips.clips.shape, np.float32)
    kernels.edition("cpu").standardize(np.asarray(clips.clips), out=standardized)
    x = torch.from_numpy(standardized.transpose(0, 4, 1, 2, 3)).contiguous(memory_format=torch.channels_last_3d)
    labels = torch.from_numpy(np.asarray(clips.labels))
    accuracies, started = [], time.perf_counter()
    for fold in tqdm(range(given.first or given.folds), unit="fold"):
        train_on, test = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        net = train(x[train_on], labels[train_on], classes, given.epochs, seed=fold)
        with torch.inference_mode():
            answers = torch.cat([net(part).argmax(1) for part in x[test].split(BATCH)])
        accuracies.append((answers == labels[test]).double().mean().item())
        tqdm.write(f"fold {fold + 1}: {100 * accuracies[-1]:.1f} %", file=sys.stderr)
    ours = emo.EmoP3D(num_classes=classes).parameters.values()
    result = {
        "machine": description("torch", "numpy"),
        "parameters": sum(p.numel() for p in network(classes).parameters()),
        "parameters of EmoP3D": sum(p.size for p in ours),
        "accuracy": mean_interval(accuracies),
        "folds": [round(each, 4) for each in accuracies],
        "seconds": round(time.perf_counter() - started),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
