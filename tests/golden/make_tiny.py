"""Make tiny.npz, golden vectors of our own from the reference edition, for checkouts without the original's.

    python tests/golden/make_tiny.py

A network of 8x14x14x2, 2 maps, 3 classes, float64: one batch, its loss and gradients, and ten steps of momentum.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
import emop3d_np as emo  # noqa: E402

SETTINGS = {"input_shape": (8, 14, 14, 2), "feature_maps": 2, "num_classes": 3, "dtype": "float64", "seed": 7}
STEPS = 10


def momentum():
    """The optimiser of the ten steps."""
    return emo.optimizers.Momentum(emo.optimizers.exponential_decay(0.02, 4, 0.5))


def main():
    generator = np.random.default_rng(11)
    net = emo.EmoP3D(**SETTINGS, backend="reference")
    x = generator.standard_normal((3, *net.input_shape))
    labels = generator.integers(0, 3, 3)
    loss, gradients = net.loss_and_gradients(x, labels, weight_decay=0.01, input_gradient=True)
    arrays = {"x": x, "labels": labels, "logits": net.forward(x), "loss": loss}
    arrays |= {f"initial/{name}": values.copy() for name, values in net.parameters.items()}
    arrays |= {f"gradient/{name}": values for name, values in gradients.items()}
    optimizer, losses = momentum(), []
    for _ in range(STEPS):
        loss, gradients = net.loss_and_gradients(x, labels)
        losses.append(loss)
        optimizer.update(net.parameters, gradients)
    arrays |= {"losses": losses} | {f"final/{name}": values for name, values in net.parameters.items()}
    np.savez_compressed(HERE / "tiny.npz", **arrays)


if __name__ == "__main__":
    main()
