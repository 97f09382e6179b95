"""Wrong answers to the exercises of lesson 5: what is written between the marks, and words that the verdict must "
"hold."""

CE = "softmax_cross_entropy_backward"
SHRUG = "SHRUG = {}\nLIKELY = {}\nSURE_AND_WRONG = {}\nPULL = {}"
SMOOTHED = "K = logits.shape[1]\nq = {}\nreturn dloss[:, np.newaxis] * (softmax(logits) - q)"
DECAYED = """
for name, w in parameters.items():
    if {}:
        loss = loss + decay / 2 * (w**2).sum()
        total[name] = gradients[name] + decay * w
return loss, total
"""
WRONG = {
    "shrug": [
        (SHRUG.format("1.6094", "np.log(5 / 4)", "500", "-4 / 5"), "SHRUG is nearly right; write it as an expression"),
        (SHRUG.format("np.log10(5)", "np.log(5 / 4)", "500", "-4 / 5"), "to the base 10"),
        (SHRUG.format("1 / 5", "np.log(5 / 4)", "500", "-4 / 5"), "SHRUG is not 0.2: that is the probability"),
        (SHRUG.format("np.log(5)", "np.log(4)", "500", "-4 / 5"), "the loss compares the true one with all"),
        (SHRUG.format("np.log(5)", "np.log(4 / 3)", "500", "-4 / 5"), "which makes 5 altogether"),
        (SHRUG.format("np.log(5)", "np.log(5 / 4)", "-500", "-4 / 5"), "a loss is never negative"),
        (SHRUG.format("np.log(5)", "np.log(5 / 4)", "500", "-4 / 25"), "nothing is divided by the number of classes"),
        (SHRUG.format("np.log(5)", "np.log(5 / 4)", "500", "-5"), "the one by the logit is asked for"),
        (SHRUG.format("np.log(5)", "np.log(5)", "500", "-4 / 5"), "if class 0 were true"),
        (SHRUG.format("np.log(5)", "np.log(5 / 4)", "np.inf", "-4 / 5"), "nothing overflows if"),
        (SHRUG.format("np.log(5)", "np.log(5 / 4)", "1000", "-4 / 5"), "class 2 has a logit of -500"),
        (SHRUG.format("np.log(5)", "np.log(5 / 4)", "500", "1 / 5"), "at the truth 1 is taken off"),
        (SHRUG.format("np.log(5)", "np.log(5 / 4)", "500", "4 / 5"), "the sign is turned"),
    ],
    "dense_backward": [
        ("return dy @ weights.T, a.T @ dy / len(a), dy.sum(axis=0)", "dweights is a mean over the clips"),
        ("return dy @ weights.T, a.T @ dy, dy.mean(axis=0)", "dbias is a mean over the clips"),
        ("return dy @ weights.T, a.T @ dy, dy", "dbias holds a gradient per clip"),
        ("return dy @ weights.T, dy.T @ a, dy.sum(axis=0)", "dweights has its axes exchanged"),
        (
            "return dy @ weights, a.T @ dy, dy.sum(axis=0)",
            "dy @ weights: (3, 2) @ (4, 2) do not fit: which is to be transposed?",
        ),
        (
            "return a, a.T @ dy, dy.sum(axis=0)",
            "must give zeros, for input a most at (2, 3): what arrives multiplies every term of it",
        ),
        ("return dy @ weights.T, a.T @ dy, dy.sum(axis=1)", "dbias is one number per clip; sum over the clips, axis 0"),
        (
            "return a.T @ dy, dy @ weights.T, dy.sum(axis=0)",
            "the first has the shape of dweights; the order is da, dweights, dbias",
        ),
        (
            "return dy @ weights.T, a.T @ dy, dy[0] + dy[1] + dy[2]",
            "right at first, but not with 2 clips, 3 features and 4 classes: line",
        ),
        (
            "return dy @ weights.reshape(weights.shape[::-1]), a.T @ dy, dy.sum(axis=0)",
            "a reshape of weights exchanges no axes",
        ),
        ("return dy @ weights.T(), a.T @ dy, dy.sum(axis=0)", "round brackets call a function, and this is an array"),
        ("return dy @ weights.T, a.T @ dy, 0 * dy[0] + len(dy)", "dbias counts the clips"),
        ("return dy @ weights.T, a.T @ dy", "2 things are returned"),
    ],
    "stable_softmax": [
        (
            "e = np.exp(logits - logits.min(axis=1, keepdims=True))\nreturn e / e.sum(axis=1, keepdims=True)",
            "take the largest logit off first",
        ),
        ("e = np.exp(logits)\nreturn e / e.sum(axis=1, keepdims=True)", "overflow even in a clip by itself"),
        (
            "e = np.exp(logits - logits.max())\nreturn e / e.sum(axis=1, keepdims=True)",
            "the largest logit of the whole batch",
        ),
        ("e = np.exp(logits)\nreturn e / e.sum(axis=0)", "each column adds up to 1"),
        ("e = np.exp(logits)\nreturn e / e.sum()", "all clips together add up to 1"),
        (
            "e = np.exp(logits - logits.max(axis=1, keepdims=True))\nreturn e / e.sum(axis=0)",
            "the classes of a clip shall, and they are axis 1",
        ),
        (
            "e = np.exp(logits - logits.max(axis=1, keepdims=True))\nreturn e / e.sum()",
            "each clip shall by itself",
        ),
        (
            "e = np.exp(logits - np.abs(logits).max(axis=1, keepdims=True))\nreturn e / e.sum(axis=1, keepdims=True)",
            "the largest is taken off, -1999, and not the largest size",
        ),
        (
            "e = np.exp(logits - logits.max())\nreturn np.nan_to_num(e / e.sum(axis=1, keepdims=True))",
            "NaN is only covered up",
        ),
        (
            "e = np.exp(np.clip(logits, -500, 500))\nreturn e / e.sum(axis=1, keepdims=True)",
            "they are cut off before the exponential",
        ),
        (
            "e = np.exp(logits / logits.max(axis=1, keepdims=True))\nreturn e / e.sum(axis=1, keepdims=True)",
            "the logits are divided by the largest",
        ),
        (
            "e = np.exp(logits - logits.max(axis=1, keepdims=True)) + 1e-8\nreturn e / e.sum(axis=1, keepdims=True)",
            "p[0, 0] is 0.014731905; it must be 0.014731898",
        ),
        ("return np.exp(logits - logits.max(axis=1, keepdims=True))", "not divided by their sum"),
        (
            "e = np.exp(logits - logits.max(axis=0))\nreturn e / e.sum(axis=1, keepdims=True)",
            "the largest logit of each class, axis 0; it is that of each clip",
        ),
        (
            "e = np.exp(logits - logits.max(axis=1))\nreturn e / e.sum(axis=1, keepdims=True)",
            "arrays of the shapes (4, 6) and (4,) do not fit each other",
        ),
    ],
    "cross_entropy_backward": [
        ("return dloss[:, np.newaxis] * softmax(logits)", "the 1 at the truth is not taken off"),
        (
            "p = softmax(logits)\np[np.arange(len(labels)), labels] -= 1\nreturn -dloss[:, np.newaxis] * p",
            "the sign is turned",
        ),
        ("p = softmax(logits)\np[np.arange(len(labels)), labels] -= 1\nreturn p", "dloss is left out"),
        ("p = softmax(logits)\np[:, labels] -= 1\nreturn dloss[:, np.newaxis] * p", "1 is taken off in whole columns"),
        (
            "p = softmax(logits)\np[np.arange(len(labels)), labels] -= 1\nreturn dloss[:, np.newaxis] * p / len(p)",
            "this is a mean over the clips",
        ),
        (
            "p = softmax(logits)\np[np.arange(len(labels)), labels] -= 1\nreturn p / len(labels)",
            "multiply the whole of p - [k = t] by it, and do not divide by N, for dloss holds that",
        ),
        (
            "p = dloss[:, np.newaxis] * softmax(logits)\np[np.arange(len(labels)), labels] -= 1\nreturn p",
            "dloss does not reach all of dlogits",
        ),
        (
            "p = softmax(logits)\nat = np.arange(len(labels)), labels\np[at] = dloss * (p[at] - 1)\nreturn p",
            "dloss does not reach all of dlogits: multiply the whole",
        ),
        (
            "p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)\n"
            "p[np.arange(len(labels)), labels] -= 1\nreturn dloss[:, np.newaxis] * p",
            "logits of 1000 become NaN: exp overflows",
        ),
        (
            "p = softmax(logits)\np[np.arange(len(labels)), labels] += 1\nreturn dloss[:, np.newaxis] * p",
            "1 is added at the truth",
        ),
        (
            "p = softmax(logits)\np[np.arange(len(labels)), labels] = -1\nreturn dloss[:, np.newaxis] * p",
            "p at the truth is set to -1",
        ),
        ("p = softmax(logits)\np[labels] -= 1\nreturn dloss[:, np.newaxis] * p", "in the rows that labels name"),
        ("p = softmax(logits)\np[0, labels[0]] -= 1\nreturn dloss[:, np.newaxis] * p", "in the first clip alone"),
        ("return dloss[:, np.newaxis] * (softmax(logits) - labels[:, np.newaxis])", "labels are numbers of classes"),
        (
            "p = softmax(logits)\np[np.arange(len(labels)), labels - 1] -= 1\nreturn dloss[:, np.newaxis] * p",
            "1 is taken off one place beside the truth",
        ),
        (
            "p = softmax(logits)\nreturn dloss[:, np.newaxis] * p * (1 - p)",
            "the derivative of each probability by its own logit",
        ),
        (
            "p = softmax(logits)\np[np.arange(4), labels] -= 1\nreturn dloss[:, np.newaxis] * p",
            "right at first, but not with 2 clips of 5 classes: line",
        ),
        (
            "p = softmax(logits)\np[np.arange(len(labels)), labels] -= 1\nreturn dloss * p",
            "arrays of the shapes (4,) and (4, 3) do not fit each other",
        ),
    ],
    "smoothed_labels": [
        (
            "return dloss[:, np.newaxis] * (softmax(logits) - np.eye(logits.shape[1])[labels])",
            "labels that are not smoothed",
        ),
        (
            "q = np.full(logits.shape, share / logits.shape[1])\nq[np.arange(len(labels)), labels] = 1 - share\n"
            "return dloss[:, np.newaxis] * (softmax(logits) - q)",
            "the true class is given 1 - s",
        ),
        (
            "q = np.full(logits.shape, share / (logits.shape[1] - 1))\nq[np.arange(len(labels)), labels] = 1 - share\n"
            "return dloss[:, np.newaxis] * (softmax(logits) - q)",
            "among the K - 1 other classes",
        ),
        (
            "q = (1 - share) * np.eye(logits.shape[1])[labels]\nreturn dloss[:, np.newaxis] * (softmax(logits) - q)",
            "s / K is left out",
        ),
        (
            "K = logits.shape[1]\nq = (1 - share) * np.eye(K)[labels] + share / K\nreturn softmax(logits) - q",
            "dloss is left out",
        ),
        (
            "K = logits.shape[1]\nq = (1 - share) * np.eye(K)[labels] + share / K\n"
            "return dloss[:, np.newaxis] * (q - softmax(logits))",
            "the sign is turned",
        ),
        (
            SMOOTHED.format("(1 - share) * np.eye(K)[labels] + share"),
            "each class gets s / K, with K the number of classes",
        ),
        (SMOOTHED.format("(1 - share) * np.eye(K)[labels] + share / 2"), "each row of dlogits must add up to 0"),
        (
            SMOOTHED.format("(1 - share) * np.eye(K)[labels] + share / 3"),
            "right at first, but not with 2 clips of 5 classes",
        ),
        ("return dloss[:, np.newaxis] * softmax(logits)", "what was asked for, q, is not taken off"),
        (
            SMOOTHED.format("((1 - share) + share / K) * np.eye(K)[labels]"),
            "q is taken off at the true class alone",
        ),
        (SMOOTHED.format("0.9 * np.eye(K)[labels] + 0.1 / K"), "0.1 is fixed in it"),
        (
            SMOOTHED.format("(1 - share) * np.eye(K)[labels] + share / K") + " / len(labels)",
            "this is a mean over the clips",
        ),
        (SMOOTHED.format("np.eye(K)[labels] + share / K"), "1 - s is forgotten"),
        (SMOOTHED.format("share * np.eye(K)[labels] + (1 - share) / K"), "s and 1 - s are exchanged"),
    ],
    "weights_decay": [
        (DECAYED.format("w.ndim > 1"), "L1WS/bias decays where it has four axes"),
        (DECAYED.format('"weights" in name'), "weights_net/bias decays"),
        (DECAYED.format('"bias" in name'), "the decay of the biases, and not of the weights"),
        (
            DECAYED.format('name.endswith("/weights")').replace("\nreturn", "\n    return"),
            "is the return within the loop?",
        ),
        (DECAYED.format('name.endswith("/weights")').replace("sum", "mean"), "in the loss there is a mean of w**2"),
        (
            DECAYED.format('name.endswith("/weights")').replace("(w**2).sum()", "w.sum() ** 2"),
            "it is squares that are added up",
        ),
        (
            DECAYED.format('name.endswith("/weights")').replace("= gradients[name] + decay", "= decay"),
            "the gradient that came is lost",
        ),
        (
            DECAYED.format('name.endswith("/weights")').replace("total", "gradients"),
            "the dict that was handed in is changed",
        ),
        (
            DECAYED.format('name.endswith("/weights")').replace("decay * w\n", "decay * w\n        w *= 2\n"),
            "the parameters that",
        ),
        (
            DECAYED.format('name.endswith("/weights")').replace("decay * w", "0.1 * w"),
            "right at first, but not with a decay",
        ),
        (
            "for name, w in parameters.items():\n    loss = loss + decay / 2 * (w**2).sum()\n"
            "    total[name] = gradients[name] + decay * w\nreturn loss, total",
            "the loss counts the biases",
        ),
        (
            'for name, w in parameters.items():\n    if name.endswith("/weights"):\n'
            "        loss = loss + decay / 2 * (w**2).sum()\n    total[name] = gradients[name] + decay * w\nreturn "
            "loss, total",
            "L1WS/bias decays; biases do not",
        ),
        (
            'for name, w in parameters.items():\n    if name.endswith("/weights"):\n'
            "        loss = loss + decay / 2 * (w**2).sum()\n        total[name] = gradients[name] + 2 * decay * w\n"
            "return loss, total",
            "what is added is twice too large",
        ),
        (
            'for name, w in parameters.items():\n    if name.endswith("/weights"):\n'
            "        loss = loss + decay * (w**2).sum()\n        total[name] = gradients[name] + decay * w\nreturn "
            "loss, total",
            "the half before the sum is missing",
        ),
        (
            'for name, w in parameters.items():\n    if name.endswith("/weights"):\n'
            "        loss = loss + decay / 2 * (w**2).sum()\n        gradients[name] += decay * w\nreturn loss, "
            "gradients",
            "that were handed in are changed",
        ),
        (
            'for name, w in parameters.items():\n    if name.endswith("/weights"):\n'
            "        loss = loss + decay / 2 * (w**2).sum()\nreturn loss, total",
            "gradient of L1WS/weights: nothing is added",
        ),
    ],
    "temperature": [
        (
            f"temperature = 2.5\ndu = {CE}(dloss, logits / temperature, labels)\n"
            "return du / temperature, -(du * logits).sum() / temperature**2",
            "right at first, but not with 2 clips of 5 classes and a temperature of 0.8",
        ),
        (
            f"du = {CE}(dloss, logits / temperature, labels) / temperature\n"
            "return du / temperature, -(du * logits).sum() / temperature",
            "dlogits is divided by T once too often",
        ),
        (
            f"du = {CE}(dloss, logits / temperature, labels) / temperature\n"
            "return du, -(du * logits).sum() / temperature**2",
            "dtemperature is divided by T once too often",
        ),
        (
            f"du = {CE}(dloss, logits / temperature, labels)\nreturn du, -(du * logits).sum() / temperature**2",
            "this is the gradient by u = logits / T",
        ),
        (
            f"du = {CE}(dloss, logits, labels)\nreturn du / temperature, -(du * logits).sum() / temperature**2",
            "the softmax is that of the logits themselves",
        ),
        (
            f"du = {CE}(dloss, logits / temperature, labels)\nreturn du * temperature, -(du * logits).sum() / "
            f"temperature**2",
            "dlogits is multiplied by T",
        ),
        (
            f"du = {CE}(dloss, logits / temperature, labels)\nreturn du / temperature, (du * logits).sum() / "
            f"temperature**2",
            "the sign of dtemperature is turned",
        ),
        (
            f"du = {CE}(dloss, logits / temperature, labels)\nreturn du / temperature, -(du * logits).sum() / "
            f"temperature",
            "dtemperature is T times too large",
        ),
        (
            f"du = {CE}(dloss, logits / temperature, labels)\n"
            "return du / temperature, -(du * logits).sum(axis=1) / temperature**2",
            "dtemperature is a number per clip",
        ),
        (
            f"du = {CE}(dloss, logits / temperature, labels)\nreturn du / temperature, -(du * logits).mean() / "
            f"temperature**2",
            "dtemperature is a mean",
        ),
        (
            f"du = {CE}(dloss, logits / temperature, labels)\nreturn du / temperature, -du.sum() / temperature**2",
            "the logits are missing in dtemperature",
        ),
        (
            f"du = {CE}(dloss, logits / temperature, labels)\n"
            "return du / temperature, -(dloss @ (du * logits)).sum() / temperature**2",
            "dloss comes in twice",
        ),
    ],
}
