"""One weighted sum, three times: as loops, as a product and a box sum, and learning.

    python docs/walks/layer.py

Of the pages on the weighted sum, box sums, leaky ReLU and the fully connected layer.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from emop3d_np.datasets.faces import drawn_faces
from kernels import reference as k

CLIP, MAPS, CLASSES = (6, 24, 24, 1), 2, 6
FIELD, STRIDES = (3, 4, 4), (1, 1, 1)
EPOCHS, BATCH, RATE, MOMENTUM, DECAY = 20, 20, 0.01, 0.9, 0.03


def as_loops(x, weights, bias):
    """The formula as it is usually drawn: every output looks at all of its window."""
    z = np.empty((len(x), *bias.shape))
    for n, *place, f in np.ndindex(z.shape):
        # frames, rows and columns of the window at this place
        ds, hs, ws = (slice(s * q, s * q + r) for q, r, s in zip(place, FIELD, STRIDES, strict=True))
        z[(n, *place, f)] = bias[(*place, f)] + (x[n, ds, hs, ws, :] * weights[:, hs, ws, :, f]).sum()
    return z


def as_product_and_box_sum(x, weights, bias):
    """The same: what one pixel contributes does not depend on the window, so it is computed once."""
    frames, rows, columns, _ = bias.shape
    (rd, rh, rw), (sd, sh, sw) = FIELD, STRIDES
    p = sum(x[:, i::sd][:, :frames, ..., None] * weights[i] for i in range(rd)).sum(axis=-2)
    down = sum(p[:, :, j::sh][:, :, :rows] for j in range(rh))
    return bias + sum(down[:, :, :, j::sw][:, :, :, :columns] for j in range(rw))


def parameters(rng):
    """The clip and the window alone decide the sizes."""
    *clip, c = CLIP
    windows = (-((size - r + 1) // -s) for size, r, s in zip(clip, FIELD, STRIDES, strict=True))  # rounded up
    out = (*windows, MAPS)
    features = np.prod(out)
    return {
        "weights": rng.uniform(-0.05, 0.05, (FIELD[0], *clip[1:], c, MAPS)),
        "bias": np.zeros(out),
        "votes": rng.uniform(-1, 1, (features, CLASSES)) * np.sqrt(6 / (features + CLASSES)),
        "shrug": np.zeros(CLASSES),
    }


def forward(x, p):
    z = k.weighted_sum(x, p["weights"], p["bias"], FIELD, STRIDES)
    a = k.leaky_relu(z).reshape(len(x), -1)
    return k.dense(a, p["votes"], p["shrug"]), (x, z, a)


def backward(logits, labels, saved, p):
    x, z, a = saved
    dlogits = k.softmax_cross_entropy_backward(np.full(len(x), 1 / len(x)), logits, labels)
    da, dvotes, dshrug = k.dense_backward(dlogits, a, p["votes"])
    dz = k.leaky_relu_backward(da.reshape(z.shape), z)
    _, dweights, dbias = k.weighted_sum_backward(dz, x, p["weights"], FIELD, STRIDES, input_gradient=False)
    return {"weights": dweights, "bias": dbias, "votes": dvotes, "shrug": dshrug}


def train():
    """The learned parameters, and the share of right answers on people never seen."""
    rng = np.random.default_rng(0)
    clips, labels, _ = drawn_faces(240, 0, 40, shape=CLIP, degree="easy")
    unseen, answers, _ = drawn_faces(120, 40, 20, shape=CLIP, degree="easy")
    clips, unseen = (k.standardize(each.astype(float), epsilon=0) for each in (clips, unseen))
    p = parameters(rng)
    velocity = {name: np.zeros_like(w) for name, w in p.items()}
    for _ in range(EPOCHS):
        for batch in rng.permutation(len(clips)).reshape(-1, BATCH):
            logits, saved = forward(clips[batch], p)
            for name, g in backward(logits, labels[batch], saved, p).items():
                velocity[name] = MOMENTUM * velocity[name] + g + DECAY * p[name]
                p[name] = p[name] - RATE * velocity[name]
    return p, np.mean(forward(unseen, p)[0].argmax(axis=1) == answers)


def main():
    rng = np.random.default_rng(1)
    p = parameters(rng)
    x = rng.standard_normal((1, *CLIP))
    z = k.weighted_sum(x, p["weights"], p["bias"], FIELD, STRIDES)
    for other in (as_loops, as_product_and_box_sum):
        print(f"{other.__name__}: {np.abs(other(x, p['weights'], p['bias']) - z).max():.0e} from the kernel")
    _, accuracy = train()
    print(f"one layer, {EPOCHS} epochs: right on people never seen {accuracy:.1%}")


if __name__ == "__main__":
    main()
