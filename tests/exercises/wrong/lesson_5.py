"""Wrong answers to the exercises of lesson 5: what is written between the marks, and words that the verdict must "
"hold."""

CE = "softmax_cross_entropy_backward"
WRONG = {
    "shrug": [
        (
            "SHRUG = 1.7918\nQUARTER = np.log(4)\nSURE_AND_WRONG = 1000\nPULL = -5 / 6",
            "SHRUG is nearly right; write it as an expression",
        ),
        ("SHRUG = np.log10(6)\nQUARTER = np.log(4)\nSURE_AND_WRONG = 1000\nPULL = -5 / 6", "to the base 10"),
        (
            "SHRUG = 1 / 6\nQUARTER = np.log(4)\nSURE_AND_WRONG = 1000\nPULL = -5 / 6",
            "SHRUG is not 0.166667: that is the prob",
        ),
        (
            "SHRUG = np.log(6)\nQUARTER = np.log(3)\nSURE_AND_WRONG = 1000\nPULL = -5 / 6",
            "the denominator holds the true class",
        ),
        ("SHRUG = np.log(6)\nQUARTER = np.log(4 / 3)\nSURE_AND_WRONG = 1000\nPULL = -5 / 6", "if class 1 were true"),
        ("SHRUG = np.log(6)\nQUARTER = np.log(4)\nSURE_AND_WRONG = np.inf\nPULL = -5 / 6", "nothing overflows if"),
        (
            "SHRUG = np.log(6)\nQUARTER = np.log(4)\nSURE_AND_WRONG = 2000\nPULL = -5 / 6",
            "class 2 has a logit of -1000",
        ),
        ("SHRUG = np.log(6)\nQUARTER = np.log(4)\nSURE_AND_WRONG = 1000\nPULL = 1 / 6", "at the truth 1 is taken off"),
        ("SHRUG = np.log(6)\nQUARTER = np.log(4)\nSURE_AND_WRONG = 1000\nPULL = 5 / 6", "the sign is turned"),
    ],
    "dense_backward": [
        ("return dy @ weights.T, a.T @ dy / len(a), dy.sum(axis=0)", "dweights is a mean over the clips"),
        ("return dy @ weights.T, a.T @ dy, dy.mean(axis=0)", "dbias is a mean over the clips"),
        ("return dy @ weights.T, a.T @ dy, dy", "dbias holds a gradient per clip"),
        ("return dy @ weights.T, dy.T @ a, dy.sum(axis=0)", "dweights has its axes exchanged"),
        ("return dy @ weights, a.T @ dy, dy.sum(axis=0)", "matmul: Input operand 1 has a mismatch"),
        ("return a, a.T @ dy, dy.sum(axis=0)", "a zero incoming gradient must give zeros, for input a"),
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
        ("return np.exp(logits - logits.max(axis=1, keepdims=True))", "not divided by their sum"),
        ("e = np.exp(logits - logits.max(axis=1))\nreturn e / e.sum(axis=1, keepdims=True)", "ValueError: operands"),
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
            "p = softmax(logits)\np[np.arange(len(labels)), labels] -= 1\nreturn dloss * p",
            "ValueError: operands could not be broadcast",
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
    ],
    "weights_decay": [
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
    ],
}
