"""The launches of ``kernels/cuda``, as they would be on a device: kernels, sizes, arguments.  No device is needed."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import emop3d_np as emo
import kernels
from kernels.cuda.launch import Kernel, ShapedKernel, recorded


def of_a_step(batch=100, **network):
    """Launches of one training step with momentum, in order; ``network``: settings of EmoP3D other than the default."""
    gradients = None
    with recorded() as launches:
        net, optimizer = emo.EmoP3D(**network, backend="cuda"), emo.optimizers.Momentum(0.1)
        x, labels = np.zeros((batch, *net.input_shape), net.dtype), np.zeros(batch, np.int64)
        for _ in range(2):  # the first step also makes arrays that the later ones use again
            launches.clear()
            _, gradients, _ = net.training_pass(x, labels, gradients=gradients)
            optimizer.update(net.parameters, gradients)
    return launches


def of_every_kernel(batch=3, shape=(10, 30, 70, 2), dtype="float32", **network):
    """Launches that take every kernel in, for small networks with windows of all kinds; ``network`` as above."""
    windows = [{}, {"strides": (1, 1, 2)}, {"strides": (1, 2, 1), "pooling": "average"}]
    launches = []
    for settings in windows:
        launches += of_a_step(batch, input_shape=shape, dtype=dtype, **settings, **network)
    with recorded() as rest:
        cuda, net = kernels.edition("cuda"), emo.EmoP3D(shape, dtype=dtype, backend="cuda", **network)
        x, labels = np.zeros((batch, *shape), dtype), np.zeros(batch, np.int64)
        _, gradients = net.loss_and_gradients(x, labels, weight_decay=0.1, input_gradient=True)
        emo.optimizers.GradientDescent(0.1).update(net.parameters, gradients)
        emo.optimizers.Adam(0.1).update(net.parameters, gradients)
        np.isfinite(gradients["FC_OUT/weights"])
        cuda.softmax(cuda.to_device(np.zeros((batch, 6), dtype)))
        cuda.standardize(np.zeros(x.shape, np.uint8), 0.0, np.empty(x.shape, dtype))
    return launches + rest


def every_kernel():
    """All kernels that the modules of ``kernels/cuda`` define by name; those made for sizes by what makes them."""
    modules = [module for name, module in sys.modules.items() if name.startswith("kernels.cuda.")]
    values = [value for module in modules for value in vars(module).values()]
    return {value.name: value for value in values if isinstance(value, (Kernel, ShapedKernel))}
