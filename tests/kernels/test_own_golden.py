"""Our own golden vectors, made by tests/golden/make_tiny.py: they stand in every checkout, and catch what drifts."""

from pathlib import Path

import numpy as np
import pytest
from conftest import SIMULATED
from golden.make_tiny import SETTINGS, STEPS, momentum

import emop3d_np as emo
import kernels


@pytest.fixture(scope="module")
def tiny():
    with np.load(Path(__file__).parents[1] / "golden" / "tiny.npz") as archive:
        return dict(archive)


@pytest.mark.parametrize("backend", kernels.EDITIONS)
def test_tiny(tiny, backend):
    net = emo.EmoP3D(**SETTINGS, backend=backend)
    for name, values in net.parameters.items():
        assert np.array_equal(values, tiny[f"initial/{name}"])
    x, labels = tiny["x"], tiny["labels"]
    loss, gradients = net.loss_and_gradients(x, labels, weight_decay=0.01, input_gradient=True)
    close = {"rtol": 1e-10, "atol": 1e-13}
    assert np.allclose(net.forward(x), tiny["logits"], **close)
    assert np.allclose(loss, tiny["loss"], **close)
    for name, gradient in gradients.items():
        assert np.allclose(gradient, tiny[f"gradient/{name}"], **close), name
    if SIMULATED:  # which is slow; steps of it are compared with the original's (test_golden.py)
        return
    optimizer, losses = momentum(), []
    for _ in range(STEPS):
        loss, gradients = net.loss_and_gradients(x, labels)
        losses.append(loss)
        optimizer.update(net.parameters, gradients)
    assert np.allclose(losses, tiny["losses"], rtol=1e-9)
    for name, values in net.parameters.items():
        assert np.allclose(values, tiny[f"final/{name}"], rtol=1e-8, atol=1e-12), name
