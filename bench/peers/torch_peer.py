"""The network in PyTorch, written to win: planes of ``w``, the product first, then the window as two passes of sums.

Variants: ``eager``, ``compiled``, ``compiled 2`` (clips two at a time, so that the maps stay in the cache).
"""

import torch
import torch.nn.functional as F


def load(parameters, variant, threads):
    return Program(parameters, variant, threads)


def window_sums(p):
    """Sums over 4 x 4 windows of (..., h, w)."""
    p = p[..., :-3, :] + p[..., 1:-2, :] + p[..., 2:-1, :] + p[..., 3:, :]
    return p[..., :-3] + p[..., 1:-2] + p[..., 2:-1] + p[..., 3:]


def weighted_sum(x, w, b):
    """x (n, c, d, h, w), w (f, c, 3, h, w), b (f, 1, h', w') -> (n, f, d', h', w')."""
    frames = x.shape[2] - 2
    p = sum(x[:, None, c, i : i + frames] * w[:, c, i, None] for c in range(x.shape[1]) for i in range(3))
    return F.leaky_relu(window_sums(p) + b, 0.01)


def normalize(x):
    variance, mean = torch.var_mean(x, dim=(-2, -1), correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + 1e-8)


def logits_of(x, *parameters):
    w1, b1, w3, b3, w5, b5, w7, b7 = parameters
    a = normalize(weighted_sum(x, w1, b1))
    a = a[..., : a.shape[-2] // 2 * 2, : a.shape[-1] // 2 * 2]
    rows = torch.maximum(a[..., 0::2, :], a[..., 1::2, :])
    m = torch.maximum(rows[..., 0::2], rows[..., 1::2])
    m = torch.maximum(torch.maximum(m[:, :, :-2], m[:, :, 1:-1]), m[:, :, 2:])
    a = normalize(F.leaky_relu(m * w3 + b3, 0.01))
    a = normalize(weighted_sum(a, w5, b5))
    return a.flatten(1) @ w7.T + b7


def loss_of(x, labels, total, *parameters):
    return F.cross_entropy(logits_of(x, *parameters), labels, reduction="sum") / total


class Program:
    def __init__(self, parameters, variant, threads):
        torch.set_num_threads(threads)
        way, *clips = variant.split()
        self.at_a_time = int(clips[0]) if clips else None
        self.parameters = [torch.tensor(values).requires_grad_() for values in parameters]
        self.slots = [torch.zeros_like(values) for values in self.parameters]
        self.loss, self.logits = loss_of, logits_of
        if way == "compiled":
            self.loss, self.logits = torch.compile(loss_of, dynamic=False), torch.compile(logits_of, dynamic=False)

    def gradients(self, x, labels):
        x, labels = torch.from_numpy(x), torch.from_numpy(labels)
        for values in self.parameters:
            values.grad = None
        total, size = 0.0, self.at_a_time or len(x)
        for start in range(0, len(x), size):
            loss = self.loss(x[start : start + size], labels[start : start + size], len(x), *self.parameters)
            loss.backward()
            total += loss.item()
        return total, [values.grad.numpy() for values in self.parameters]

    def step(self, x, labels):
        self.gradients(x, labels)
        with torch.no_grad():
            gradients = [values.grad for values in self.parameters]
            torch._foreach_mul_(self.slots, 0.9)
            torch._foreach_add_(self.slots, gradients)
            torch._foreach_add_(self.parameters, self.slots, alpha=-0.00015)

    def forward(self, x):
        with torch.inference_mode():
            x, size = torch.from_numpy(x), self.at_a_time or len(x)
            parts = [self.logits(x[start : start + size], *self.parameters) for start in range(0, len(x), size)]
            return torch.cat(parts).numpy()
