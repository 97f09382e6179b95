"""Gradient checkers under one signature: ``checker(forward, backward, inputs) -> passed``; ours and four others.

The others are used as their documentation recommends: in float64, whatever the case computes in, since PyTorch's warns
of anything else, HIPS autograd's and SciPy's steps and tolerances are made for it, and JAX's is tried in both.  Arrays
that are no floats (labels, masks) are handed through.  A layer that keeps what backward needs is called forward again
before each backward, as it is for ours.
"""

import numpy as np

STRICT = {"rtol": 1e-6, "atol": 1e-9}
"""PyTorch's gradcheck at tolerances that float64 and smooth functions allow; its own are 1e-3 and 1e-5."""
SCIPY_SHARE = 1e-5
"""SciPy's check_grad gives an error and no verdict: more than this share of the gradient's norm (or of 1) is wrong."""


def ours(forward, backward, inputs, seed=0):
    from emop3d_np.gradcheck import check

    report = check(forward, backward, inputs, seed=seed)
    return None if getattr(report, "verdict", "") == "not decided" else report.passed


def only_floats(forward, backward, inputs, wide=True):
    """The same pair as a function of its floating arrays alone, in float64 where ``wide``."""
    places = [i for i, each in enumerate(inputs) if each.dtype.kind in "fc"]
    inputs = list(inputs)
    for i in places:
        if inputs[i].dtype.kind == "f" and (wide or inputs[i].dtype == np.longdouble):
            inputs[i] = inputs[i].astype(np.float64)

    def whole(floats):
        arrays = [each.copy(order="K") for each in inputs]
        for i, each in zip(places, floats, strict=True):
            arrays[i] = np.array(each)
        return arrays

    def forward_of_floats(*floats):
        return forward(*whole(floats))

    def backward_of_floats(d, *floats):
        forward(*whole(floats))
        gradients = backward(d, *whole(floats))
        return tuple(gradients[i] for i in places)

    return forward_of_floats, backward_of_floats, tuple(inputs[i] for i in places)


def one_output(forward, backward, inputs):
    """The same pair with its outputs in a row, where it has several."""
    outputs = forward(*[each.copy() for each in inputs])
    if not isinstance(outputs, tuple):
        return forward, backward, inputs
    ends = np.cumsum([np.size(each) for each in outputs])[:-1]

    def joined(*arrays):
        return np.concatenate([np.ravel(each) for each in forward(*arrays)])

    def parted(d, *arrays):
        parts = [part.reshape(np.shape(each)) for part, each in zip(np.split(d, ends), outputs, strict=True)]
        return backward(tuple(parts), *arrays)

    return joined, parted, inputs


def torch_gradcheck(forward, backward, inputs, **options):
    import torch

    forward, backward, inputs = only_floats(forward, backward, inputs)

    def arrays(tensors):
        return [t.detach().numpy().copy() for t in tensors]

    class Pair(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            ctx.save_for_backward(*tensors)
            outputs = forward(*arrays(tensors))
            if isinstance(outputs, tuple):
                return tuple(torch.from_numpy(np.array(each)) for each in outputs)
            return torch.from_numpy(np.array(outputs))

        @staticmethod
        def backward(ctx, *d):
            d = [each.detach().numpy() for each in d]
            gradients = backward(tuple(d) if len(d) > 1 else d[0], *arrays(ctx.saved_tensors))
            return tuple(None if g is None else torch.from_numpy(np.array(g)) for g in gradients)

    tensors = tuple(torch.from_numpy(a.copy()).requires_grad_() for a in inputs)
    return torch.autograd.gradcheck(Pair.apply, tensors, **options)


def torch_strict(forward, backward, inputs):
    return torch_gradcheck(forward, backward, inputs, **STRICT)


def torch_fast(forward, backward, inputs):
    return torch_gradcheck(forward, backward, inputs, fast_mode=True)


def jax_check_grads(forward, backward, inputs, wide=False):
    import jax

    jax.config.update("jax_enable_x64", True)
    from jax.test_util import check_grads

    forward, backward, inputs = only_floats(forward, backward, inputs, wide)
    outputs = forward(*[a.copy() for a in inputs])
    shapes = jax.tree.map(lambda y: jax.ShapeDtypeStruct(np.shape(y), np.asarray(y).dtype), outputs)
    gradients = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in inputs)

    @jax.custom_vjp
    def function(*arrays):
        return jax.pure_callback(lambda *a: jax.tree.map(np.asarray, forward(*map(np.array, a))), shapes, *arrays)

    def called_back(d, *arrays):
        # JAX's gradient of a complex number is the conjugate of PyTorch's, and so is what comes in.
        d = jax.tree.map(lambda each: np.array(each).conj(), d)
        return tuple(np.asarray(g).conj() for g in backward(d, *map(np.array, arrays)))

    def backwards(saved, d):
        return jax.pure_callback(called_back, gradients, d, *saved)

    function.defvjp(lambda *arrays: (function(*arrays), arrays), backwards)
    check_grads(function, tuple(map(jax.numpy.asarray, inputs)), order=1, modes=["rev"])
    return True


def jax_wide(forward, backward, inputs):
    return jax_check_grads(forward, backward, inputs, wide=True)


def hips_check_grads(forward, backward, inputs):
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    forward, backward, inputs = one_output(*only_floats(forward, backward, inputs))
    function = primitive(forward)

    def gradient(i):
        # HIPS autograd's gradient of a complex number is the conjugate of PyTorch's.
        return lambda answer, *arrays: lambda d: np.conj(backward(np.conj(np.array(d)), *arrays)[i])

    defvjp(function, *[gradient(i) for i in range(len(inputs))])
    check_grads(function, tuple(range(len(inputs))), modes=["rev"], order=1)(*[a.copy() for a in inputs])
    return True


def scipy_check_grad(forward, backward, inputs):
    from scipy.optimize import check_grad

    forward, backward, inputs = one_output(*only_floats(forward, backward, inputs))
    sizes = np.cumsum([a.size for a in inputs])[:-1]

    def arrays(flat):
        return [part.reshape(a.shape).astype(a.dtype) for part, a in zip(np.split(flat, sizes), inputs, strict=True)]

    start = np.concatenate([a.ravel() for a in inputs]).astype(np.float64)
    output = np.asarray(forward(*arrays(start)))
    d = np.random.default_rng(0).standard_normal(output.shape).astype(output.dtype)

    def gradient(flat):
        return np.concatenate([np.ravel(g) for g in backward(d.copy(), *arrays(flat))]).astype(np.float64)

    error = check_grad(lambda flat: float((d * forward(*arrays(flat))).sum()), gradient, start)
    return bool(error <= SCIPY_SHARE * max(1.0, np.linalg.norm(gradient(start))))


CALLS = {"torch": 2, "torch strict": 2, "scipy": 1}
"""Calls of forward an element, of the checkers that go through all elements one by one."""

CHECKERS = {
    "ours": ours, "torch": torch_gradcheck, "torch strict": torch_strict, "torch fast": torch_fast,
    "jax": jax_check_grads, "jax float64": jax_wide, "autograd": hips_check_grads, "scipy": scipy_check_grad,
}  # fmt: skip
