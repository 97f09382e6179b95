"""Time of one training step and of a forward pass at the default size, on this machine.

    python bench/step.py [--batch 100] [--repeats 7]

Checks the cpu edition's gradients against the reference edition's first, then prints medians as one JSON object.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from pathlib import Path

import numba
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import emop3d_np as emo


def check(rng):
    """The gradients to be timed are right: float64, two clips, against the reference edition."""
    nets = [emo.EmoP3D(dtype="float64", backend=backend) for backend in ("reference", "cpu")]
    x, labels = rng.standard_normal((2, *nets[0].input_shape)), rng.integers(0, 6, 2)
    (_, expected), (_, found) = (net.loss_and_gradients(x, labels) for net in nets)
    for name, gradient in expected.items():
        error = np.linalg.norm(found[name] - gradient) / np.linalg.norm(gradient)
        if not error <= 1e-10:
            sys.exit(f"wrong gradient of {name}: off by {error}")


def median_seconds(work, repeats):
    times = []
    for _ in range(repeats + 1):  # the first one warms up
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    check(rng)
    net, optimizer = emo.EmoP3D(), emo.optimizers.Momentum(0.00015)
    x = rng.standard_normal((given.batch, *net.input_shape), np.float32)
    labels = rng.integers(0, net.num_classes, given.batch)

    def step():
        _, gradients = net.loss_and_gradients(x, labels)
        optimizer.update(net.parameters, gradients)

    result = {
        "batch": given.batch,
        "step_seconds": round(median_seconds(step, given.repeats), 4),
        "forward_seconds": round(median_seconds(lambda: net.forward(x), given.repeats), 4),
        "threads": numba.get_num_threads(),
        "machine": f"{platform.machine()} {platform.system()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
