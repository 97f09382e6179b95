"""The whole network in about a hundred lines, from the reference kernels, trained on drawn faces.

    python docs/walks/train.py

Nothing of the package is used but the kernels and the faces: what you read is all there is.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from emop3d_np.datasets.faces import drawn_faces
from kernels import reference as k

# --- Sizes.
CLIP = (10, 24, 24, 1)  # frames, rows, columns, channels: d, h, w, c
MAPS, CLASSES = 3, 6  # f, k
FIELD, STRIDES, BLOCK, RUN = (3, 4, 4), (1, 1, 1), (2, 2), 3
EPOCHS, BATCH, RATE, MOMENTUM, DECAY = 20, 20, 0.003, 0.9, 0.03


# --- Parameters.
def windows(sizes):
    """How many windows fit into so many frames, rows and columns."""
    return tuple(-((size - r + 1) // -s) for size, r, s in zip(sizes, FIELD, STRIDES, strict=True))  # rounded up


def shapes():
    """Of the parameters, in the order of the layers: the clip and the windows alone decide the sizes."""
    *clip, c = CLIP
    d1, h1, w1 = windows(clip)
    d3, h3, w3 = d1 - RUN + 1, h1 // BLOCK[0], w1 // BLOCK[1]
    d5, h5, w5 = windows((d3, h3, w3))
    return {
        "L1WS/weights": (FIELD[0], *clip[1:], c, MAPS),
        "L1WS/bias": (d1, h1, w1, MAPS),
        "L3P/weights": (1, h3, w3, MAPS),
        "L3P/bias": (d3, 1, 1, MAPS),
        "L5WS/weights": (FIELD[0], h3, w3, MAPS, MAPS),
        "L5WS/bias": (d5, h5, w5, MAPS),
        "FC_OUT/weights": (d5 * h5 * w5 * MAPS, CLASSES),
        "FC_OUT/bias": (CLASSES,),
    }


def initial_parameters(rng):
    """Glorot's uniform values; every position of a plane counts as an input, as in the original."""
    parameters = {}
    for name, shape in shapes().items():
        inputs, outputs = shape[-2] if len(shape) > 1 else shape[-1], shape[-1]
        limit = np.sqrt(6 / (np.prod(shape[:-2]) * (inputs + outputs)))
        parameters[name] = rng.uniform(-limit, limit, shape)
    return parameters


# --- Forward: seven layers, and what backward will ask for.
def forward(x, p):
    z1 = k.weighted_sum(x, p["L1WS/weights"], p["L1WS/bias"], FIELD, STRIDES)
    y1 = k.leaky_relu(z1)
    y2 = k.standardize(y1)
    space = k.max_pool_space(y2, BLOCK)
    m = k.max_pool_frames(space, RUN)
    z3 = k.scale_shift(m, p["L3P/weights"], p["L3P/bias"])
    y3 = k.leaky_relu(z3)
    y4 = k.standardize(y3)
    z5 = k.weighted_sum(y4, p["L5WS/weights"], p["L5WS/bias"], FIELD, STRIDES)
    y5 = k.leaky_relu(z5)
    y6 = k.standardize(y5)
    a = y6.reshape(len(x), -1)
    logits = k.dense(a, p["FC_OUT/weights"], p["FC_OUT/bias"])
    return logits, (x, z1, y1, y2, space, m, z3, y3, y4, z5, y5, y6, a)


# --- Backward: the same lines from the last to the first.
def backward(logits, labels, saved, p):
    x, z1, y1, y2, space, m, z3, y3, y4, z5, y5, y6, a = saved
    g = {}
    # loss = mean of the clips' losses
    dlogits = k.softmax_cross_entropy_backward(np.full(len(x), 1 / len(x)), logits, labels)
    da, g["FC_OUT/weights"], g["FC_OUT/bias"] = k.dense_backward(dlogits, a, p["FC_OUT/weights"])
    dy5 = k.standardize_backward(da.reshape(y6.shape), y5)
    dz5 = k.leaky_relu_backward(dy5, z5)
    dy4, g["L5WS/weights"], g["L5WS/bias"] = k.weighted_sum_backward(dz5, y4, p["L5WS/weights"], FIELD, STRIDES)
    dy3 = k.standardize_backward(dy4, y3)
    dz3 = k.leaky_relu_backward(dy3, z3)
    dm, g["L3P/weights"], g["L3P/bias"] = k.scale_shift_backward(dz3, m, p["L3P/weights"])
    dspace = k.max_pool_frames_backward(dm, space, RUN)
    dy2 = k.max_pool_space_backward(dspace, y2, BLOCK)
    dy1 = k.standardize_backward(dy2, y1)
    dz1 = k.leaky_relu_backward(dy1, z1)
    dx, g["L1WS/weights"], g["L1WS/bias"] = k.weighted_sum_backward(dz1, x, p["L1WS/weights"], FIELD, STRIDES)
    return dx, g


# --- Training: momentum, and a look at people never seen.
def clips_and_labels():
    """Clips of forty people to learn from and of twenty others, never seen, and the labels of both."""
    clips, labels, _ = drawn_faces(240, 0, 40, shape=CLIP, degree="easy")
    unseen, answers, _ = drawn_faces(120, 40, 20, shape=CLIP, degree="easy")
    clips, unseen = (k.standardize(each.astype(float), epsilon=0) for each in (clips, unseen))
    return clips, labels, unseen, answers


def main():
    rng = np.random.default_rng(0)
    clips, labels, unseen, answers = clips_and_labels()
    p = initial_parameters(rng)
    velocity = {name: np.zeros_like(w) for name, w in p.items()}
    print(f"{sum(w.size for w in p.values()):,} parameters, {len(clips)} clips of {CLIP}")
    for epoch in range(1, EPOCHS + 1):
        losses = []
        for batch in rng.permutation(len(clips)).reshape(-1, BATCH):
            logits, saved = forward(clips[batch], p)
            losses.append(k.softmax_cross_entropy(logits, labels[batch]).mean())
            _, g = backward(logits, labels[batch], saved, p)
            for name, w in p.items():
                velocity[name] = MOMENTUM * velocity[name] + g[name] + DECAY * w
                p[name] = w - RATE * velocity[name]
        if epoch % 4 == 0 or epoch == 1:
            accuracy = np.mean(forward(unseen, p)[0].argmax(axis=1) == answers)
            print(f"epoch {epoch:2d}  loss {np.mean(losses):.3f}  right on people never seen {accuracy:6.1%}")
    return accuracy


if __name__ == "__main__":
    main()
