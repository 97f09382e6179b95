"""The network in PyTorch on a device, written to win; on the processor where there is no device, to be tried.

All forms multiply first, add up the windows then, and take the maximum of a frame before they normalise it, which
leaves a quarter to normalise.  They differ in who adds and compares:

    slices     shifted slices are added and compared, as ``torch_peer.py`` does on a processor: for a compiler
    library    average pooling and maximum pooling of the library
    ones       a convolution with ones in the place of the average pooling

and in the way they run:

    eager      operation by operation
    graphed    the same, the whole step with its update captured once as a CUDA graph
    compiled   torch.compile with autotuning, the whole step with its update captured once as a CUDA graph
    autotuned  torch.compile's mode "max-autotune", which makes CUDA graphs itself; the update compiled as well
"""

import torch
import torch.nn.functional as F

from .torch_peer import normalize, window_sums

RATE, KEPT = 0.00015, 0.9
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
WAYS, FORMS = ("eager", "graphed", "compiled", "autotuned"), ("slices", "library", "ones")


def library_sums(p):
    n, f, d, h, w = p.shape
    return F.avg_pool2d(p.reshape(n, f * d, h, w), 4, 1, divisor_override=1).reshape(n, f, d, h - 3, w - 3)


def sums_by_ones(p):
    n, f, d, h, w = p.shape
    ones = torch.ones((1, 1, 4, 4), dtype=p.dtype, device=p.device)
    return F.conv2d(p.reshape(n * f * d, 1, h, w), ones).reshape(n, f, d, h - 3, w - 3)


def weighted_sum(x, w, b, sums):
    """x (n, c, d, h, w), w (f, c, 3, h, w), b (f, 1, h', w') -> (n, f, d', h', w')."""
    frames, p = x.shape[2] - 2, None
    for c in range(x.shape[1]):
        for i in range(3):
            part, weights = x[:, None, c, i : i + frames], w[:, c, i, None]
            p = part * weights if p is None else torch.addcmul(p, part, weights)
    return F.leaky_relu(sums(p) + b, 0.01)


def pool_slices(y):
    """Maxima of 2 x 2 of y (n, f, d, h, w)."""
    y = y[..., : y.shape[-2] // 2 * 2, : y.shape[-1] // 2 * 2]
    rows = torch.maximum(y[..., 0::2, :], y[..., 1::2, :])
    return torch.maximum(rows[..., 0::2], rows[..., 1::2])


def frame_slices(m):
    """Maxima over 3 frames of m (n, f, d, h, w)."""
    return torch.maximum(torch.maximum(m[:, :, :-2], m[:, :, 1:-1]), m[:, :, 2:])


def pool_library(y):
    n, f, d, h, w = y.shape
    return F.max_pool2d(y.reshape(n, f * d, h, w), 2).reshape(n, f, d, h // 2, w // 2)


OPERATIONS = {
    "slices": (window_sums, pool_slices, frame_slices),
    "library": (library_sums, pool_library, frame_slices),
    "ones": (sums_by_ones, pool_library, frame_slices),
}


def logits_of(form, x, parameters):
    sums, pool, over_frames = OPERATIONS[form]
    w1, b1, w3, b3, w5, b5, w7, b7 = parameters
    y = weighted_sum(x, w1, b1, sums)
    # normalisation keeps the order of the values of a frame, so that it may follow the maximum
    variance, mean = torch.var_mean(y, dim=(-2, -1), correction=0, keepdim=True)
    m = over_frames((pool(y) - mean) * torch.rsqrt(variance + 1e-8))
    a = normalize(F.leaky_relu(m * w3 + b3, 0.01))
    a = normalize(weighted_sum(a, w5, b5, sums))
    return a.flatten(1) @ w7.T + b7


def load(parameters, variant, x, labels):
    return Program(parameters, variant, x, labels)


class Program:
    """Trains and predicts on one batch; ``step()`` returns the loss, on the device."""

    def __init__(self, parameters, variant, x, labels):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        self.way, self.form = variant.split()
        self.device = DEVICE
        self.initial = [torch.tensor(values, device=DEVICE) for values in parameters]
        self.parameters = [values.clone().requires_grad_() for values in self.initial]
        self.slots = [torch.zeros_like(values) for values in self.parameters]
        self.batch, self.labels = torch.tensor(x, device=DEVICE), torch.tensor(labels, device=DEVICE)
        self.clip = self.batch[:1].clone()
        if self.way == "autotuned":  # its graphs need not copy what stays where it is
            for values in (*self.parameters, *self.slots, self.batch, self.labels, self.clip):
                torch._dynamo.mark_static_address(values)
        mode = {"compiled": "max-autotune-no-cudagraphs", "autotuned": "max-autotune"}.get(self.way)
        mode = mode if DEVICE == "cuda" or mode is None else "default"
        compiled = (lambda function: torch.compile(function, dynamic=False, mode=mode)) if mode else lambda f: f
        self.loss = compiled(lambda x, labels, *p: F.cross_entropy(logits_of(self.form, x, p), labels))
        self.logits = compiled(lambda x, *p: logits_of(self.form, x, p))
        self.update = compiled(self._update) if self.way == "autotuned" else self._update
        capture = self._captured if self.way in ("graphed", "compiled") and DEVICE == "cuda" else lambda work: work
        self._step = capture(self._trained)
        self.forward_batch, self.forward_clip = (capture(work) for work in (self._whole_batch, self._one_clip))

    def _trained(self):
        if self.way == "autotuned":
            torch.compiler.cudagraph_mark_step_begin()
        loss = self.loss(self.batch, self.labels, *self.parameters)
        gradients = torch.autograd.grad(loss, self.parameters)
        with torch.no_grad():
            self.update(self.parameters, self.slots, gradients)
        return loss.detach()

    @staticmethod
    def _update(parameters, slots, gradients):
        torch._foreach_mul_(slots, KEPT)
        torch._foreach_add_(slots, gradients)
        torch._foreach_add_(parameters, slots, alpha=-RATE)

    def _whole_batch(self):
        with torch.no_grad():
            return self.logits(self.batch, *self.parameters)

    def _one_clip(self):
        with torch.no_grad():
            return self.logits(self.clip, *self.parameters)

    @staticmethod
    def _captured(work):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = work()

        def replay():
            graph.replay()
            return result

        return replay

    def first_step(self):
        """Loss and gradients of a first step: the momentum that it leaves."""
        with torch.no_grad():
            for values, initial, slot in zip(self.parameters, self.initial, self.slots, strict=True):
                values.copy_(initial)
                slot.zero_()
        logits = self.forward()
        return float(self.step()), logits, [slot.cpu().numpy() for slot in self.slots]

    def step(self):
        return self._step()

    def finish(self):
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    def forward(self):
        """Logits of the batch, on the host."""
        return self.forward_batch().cpu().numpy()

    def single(self, clip):
        """Logits of one clip (1, c, d, h, w), from host to host."""
        self.clip.copy_(torch.from_numpy(clip))
        return self.forward_clip().cpu().numpy()
