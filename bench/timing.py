"""Times that can be compared: warm, repeated, medians; and a check that what is timed is right."""

import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import emop3d_np as emo


def median_seconds(work, repeats):
    """Median of ``repeats`` calls after one that warms up."""
    return statistics.median(seconds(work, repeats))


def seconds(work, repeats):
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times[1:]


class Step:
    """A network with its optimiser and a batch of noise: ``train()`` and ``forward()`` are what is timed."""

    def __init__(self, clips, **settings):
        rng = np.random.default_rng(0)
        self.net, self.optimizer = emo.EmoP3D(**settings), emo.optimizers.Momentum(0.00015)
        self.x = rng.standard_normal((clips, *self.net.input_shape), np.float32)
        self.labels = rng.integers(0, self.net.num_classes, clips)
        self.gradients = None

    def train(self):
        _, self.gradients, _ = self.net.training_pass(self.x, self.labels, gradients=self.gradients)
        self.optimizer.update(self.net.parameters, self.gradients)

    def forward(self):
        self.net.forward(self.x)


def check():
    """Ends the program unless loss and gradients are those of the reference edition, in float64 at the default size."""
    rng = np.random.default_rng(0)
    nets = [emo.EmoP3D(dtype="float64", backend=backend) for backend in ("reference", "cpu")]
    x, labels = rng.standard_normal((2, *nets[0].input_shape)), rng.integers(0, 6, 2)
    (expected_loss, expected), (loss, found) = (net.loss_and_gradients(x, labels) for net in nets)
    if not abs(loss - expected_loss) <= 1e-12 * expected_loss:
        sys.exit(f"wrong loss: {loss}, not {expected_loss}")
    for name, gradient in expected.items():
        error = np.linalg.norm(found[name] - gradient) / np.linalg.norm(gradient)
        if not error <= 1e-10:
            sys.exit(f"wrong gradient of {name}: off by {error}")
