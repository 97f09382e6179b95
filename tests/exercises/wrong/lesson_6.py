"""Wrong answers to the exercises of lesson 6: what is written between the marks, and words that the verdict must "
"hold."""

SIZES = """d, h, w, c = clip
d1, h1, w1 = d - 2, h - 3, w - 3
d3, h3, w3 = d1 - 2, h1 // 2, w1 // 2
d5, h5, w5 = d3 - 2, h3 - 3, w3 - 3
return {
"""
L1WS = '"L1WS": 3 * h * w * c * maps + d1 * h1 * w1 * maps,\n'
L3P = '"L3P": h3 * w3 * maps + d3 * maps,\n'
L5WS = '"L5WS": 3 * h3 * w3 * maps * maps + d5 * h5 * w5 * maps,\n'
FC_OUT = '"FC_OUT": d5 * h5 * w5 * maps * classes + classes,\n'

CHAIN = """dlogits = softmax_cross_entropy_backward(np.full(len(x), 1 / len(x)), logits, labels)
da, g["votes"], g["shrug"] = dense_backward(dlogits, a, p["votes"])
du = max_pool_space_backward(da.reshape(m.shape), u, BLOCK)
dy = standardize_backward(du, y)
dz = leaky_relu_backward(dy, z)
_, g["W"], g["b"] = weighted_sum_backward(dz, x, p["W"], FIELD, STRIDES)"""

WRONG = {
    "window_count": [
        ("return (length - window + 1) // stride", "9 positions, windows of 3, stride 2: the last window that fits"),
        ("return (length - window) // stride", "the window that starts at 0 is not counted"),
        ("return -(-length // stride)", "windows are counted that begin near the end"),
        ("return (length - window + 1) / stride", "the count is 14.0; it must be a whole number"),
        ("return (length - window) // stride + 2", "it is one window too many"),
        ("return float(-(-(length - window + 1) // stride))", "it must be a whole number, an int"),
    ],
    "smallest_clip": [
        ("FRAMES = 5\nROWS = 11\nROWS_OF_TWO = 13", "three layers take frames away"),
        ("FRAMES = 9\nROWS = 11\nROWS_OF_TWO = 13", "windows of 3 frames overlap"),
        ("FRAMES = 7\nROWS = 11\nROWS_OF_TWO = 14", "the pool drops the last of them; one fewer will do"),
        ("FRAMES = 10\nROWS = 11\nROWS_OF_TWO = 13", "a window of 3 takes 2 frames away"),
        ("FRAMES = 7\nROWS = 8\nROWS_OF_TWO = 13", "so many must enter the pool"),
        ("FRAMES = 7\nROWS = 10\nROWS_OF_TWO = 13", "the pool makes 3 of them; L5WS needs 4"),
        ("FRAMES = 7\nROWS = 7\nROWS_OF_TWO = 13", "the pool halves the rows"),
        ("FRAMES = 7\nROWS = 11\nROWS_OF_TWO = 12", "the pool drops an odd row"),
        ("FRAMES = 7\nROWS = 11\nROWS_OF_TWO = 22", "see much the same rows"),
        ("FRAMES = 7\nROWS = 11\nROWS_OF_TWO = 20", "ROWS_OF_TWO is not 20; it is less"),
    ],
    "receptive_field": [
        (
            "seen, apart = 1, 1\nfor r, s in zip(windows, strides):\n    apart *= s\n    seen += (r - 1) * "
            "apart\nreturn seen",
            "a layer's own stride counts too early",
        ),
        ("return 1 + sum(r - 1 for r in windows)", "strides are left out"),
        ("return 1 + sum((r - 1) * s for r, s in zip(windows, strides))", "strides multiply from layer to layer"),
        (
            "seen, apart = 1, 1\nfor r, s in zip(windows, strides):\n    seen += r * apart\n    apart *= s\nreturn "
            "seen",
            "a window of r reaches r - 1 further",
        ),
        (
            "seen = 1\nfor r in windows:\n    seen *= r\nreturn seen",
            "windows are multiplied, but they overlap",
        ),
        (
            "seen, apart = 0, 1\nfor r, s in zip(windows, strides):\n    seen += (r - 1) * apart\n    apart *= "
            "s\nreturn seen",
            "the unit itself is missing",
        ),
        (
            "seen, apart = 1, 1\nfor r, s in zip(windows[::-1], strides[::-1]):\n    seen += (r - 1) * apart\n"
            "    apart *= s\nreturn seen",
            "the layers are taken from the last one down",
        ),
        (
            "seen, apart = 1, 1\nfor r, s in zip(windows, strides):\n    seen += (r - 1) * apart\n"
            "    apart *= s\n    return seen",
            "is the return in the loop?",
        ),
        (
            "seen, apart = 1, 1\nfor r, s in zip(windows, strides):\n    seen += (r - 1) * apart\n"
            "    apart += s\nreturn seen",
            "strides multiply; here they are added",
        ),
        (
            "seen, apart = 1, 1\nfor r, s in zip(windows, strides):\n    seen += (r - 1) * apart\n"
            "    apart = s\nreturn seen",
            "a product of all strides below",
        ),
    ],
    "parameter_count": [
        (
            SIZES + '"L1WS": 3 * h * w * c * maps + maps,\n' + L3P + L5WS + FC_OUT + "}",
            "L1WS: a bias per map is counted",
        ),
        (
            SIZES + '"L1WS": 48 * c * maps + d1 * h1 * w1 * maps,\n' + L3P + L5WS + FC_OUT + "}",
            "L1WS: the weights of one window are counted",
        ),
        (
            SIZES + L1WS + '"L3P": d3 * h3 * w3 * maps + d3 * maps,\n' + L5WS + FC_OUT + "}",
            "L3P: its weights are shared",
        ),
        (
            SIZES + L1WS + L3P + '"L5WS": 3 * h3 * w3 * c * maps + d5 * h5 * w5 * maps,\n' + FC_OUT + "}",
            "L5WS: what enters has as many channels as there are maps",
        ),
        (
            SIZES + L1WS + L3P + L5WS + '"FC_OUT": d5 * h5 * w5 * maps * classes,\n}',
            "FC_OUT: the biases are missing, one per class",
        ),
        (SIZES.replace("h1 // 2", "-(-h1 // 2)") + L1WS + L3P + L5WS + FC_OUT + "}", "half of it is rounded down"),
        (
            SIZES.replace("- 2", "- 3").replace("- 3, w1", "- 4, w1") + L1WS + L3P + L5WS + FC_OUT + "}",
            "L1WS: a window of 3 takes 2 frames away, not 3",
        ),
        (
            SIZES.replace("d1 - 2", "d1 // 3") + L1WS + L3P + L5WS + FC_OUT + "}",
            "the pool takes 2 frames away: its runs",
        ),
        (
            SIZES + L1WS + '"L3P": h1 * w1 * maps + d1 * maps,\n' + L5WS + FC_OUT + "}",
            "both shapes are those of what comes out",
        ),
        (
            SIZES.replace("clip\n", "clip\nw = h\n", 1) + L1WS + L3P + L5WS + FC_OUT + "}",
            "rows and columns are of",
        ),
        (SIZES + L1WS.replace("3 * h", "d * h") + L3P + L5WS + FC_OUT + "}", "weights for all frames are counted"),
        (SIZES + L1WS + L3P + L5WS + "}", "it must be a dict with the names L1WS, L3P, L5WS, FC_OUT"),
    ],
    "glorot_window": [
        ("return math.sqrt(2 / (places * channels + places * maps))", "this is the standard deviation"),
        ("return 6 / (places * channels + places * maps)", "this is a squared"),
        ("return math.sqrt(6 / (places * channels))", "only what enters is counted"),
        ("return math.sqrt(6 / (channels + maps))", "the places of the window are left out"),
        ("return math.sqrt(24 / (places * channels + places * maps))", "a alone is half of this"),
        ("return 3 * math.sqrt(2 / (places * channels + places * maps))", "the 3 goes under the root with it"),
        ("return math.sqrt(6 / (sum(window) * (channels + maps)))", "the product of its sides, not their sum"),
        ("return math.sqrt(6 / (places * channels * places * maps))", "the fans are added, not multiplied"),
        ("return math.sqrt(3 / (places * maps))", "only what comes out is counted"),
        ("return (1, 2)", "a is a tuple; it must be a number"),
        (
            "return math.sqrt(3 / (places * channels + places * maps))",
            "3 belongs over the mean of both fans; over their sum, it is 6",
        ),
    ],
    "two_layers": [
        (
            "u = standardize(leaky_relu(z))\nreturn leaky_relu_backward(standardize_backward(du, u), z)",
            "a backward function is not given what its forward function was given",
        ),
        ("return leaky_relu_backward(standardize_backward(du, z), z)", "standardize_backward is given z"),
        ("return standardize_backward(du, leaky_relu(z))", "the leaky ReLU is left out"),
        ("return leaky_relu_backward(du, z)", "the normalisation is left out"),
        ("return standardize_backward(leaky_relu_backward(du, z), leaky_relu(z))", "the order is turned"),
        (
            "y = leaky_relu(z)\nreturn leaky_relu_backward(standardize_backward(du, y), standardize(y))",
            "leaky_relu_backward is given u",
        ),
        (
            "return leaky_relu_backward(standardize_backward(leaky_relu(z), du), z)",
            "a backward function takes the gradient first",
        ),
        ("return leaky_relu_backward(standardize(du), z)", "standardize itself is called on the way down"),
        ("return leaky_relu(standardize_backward(du, leaky_relu(z)))", "leaky_relu itself is called on the way down"),
    ],
    "effective_rate": [
        ("OUTPUT = 3\nGRADIENT = 1 / 3\nTURN = 1 / 9\nRATE = 9", "OUTPUT is not 3: the normalisation divides"),
        ("OUTPUT = 1\nGRADIENT = 3\nTURN = 1 / 9\nRATE = 9", "GRADIENT is not 3"),
        ("OUTPUT = 1\nGRADIENT = 1\nTURN = 1 / 9\nRATE = 9", "the loss stays, but its slope does not"),
        ("OUTPUT = 1\nGRADIENT = 1 / 3\nTURN = 1 / 3\nRATE = 9", "what it turns is 3 times as long, too"),
        ("OUTPUT = 1\nGRADIENT = 1 / 3\nTURN = 1 / 9\nRATE = 3", "that makes up for the shorter gradient alone"),
        ("OUTPUT = 1\nGRADIENT = 1 / 3\nTURN = 1 / 9\nRATE = 1 / 9", "a lower rate would make the angle smaller still"),
    ],
    "whole_chain": [
        (CHAIN.replace("np.full(len(x), 1 / len(x))", "np.ones(len(x))"), "as if 1 arrived at each clip's loss"),
        (CHAIN.replace("leaky_relu_backward(dy, z)", "dy"), "the leaky ReLU is left out"),
        (CHAIN.replace("standardize_backward(du, y)", "du"), "the normalisation is left out"),
        (CHAIN.replace("standardize_backward(du, y)", "standardize_backward(du, u)"), "is given the result, u"),
        (CHAIN.replace("1 / len(x)", "1 / logits.shape[1]"), "here it is divided by the number of classes"),
        (CHAIN.replace("1 / len(x)", "1 / len(x) ** 2"), "the mean over the clips is taken twice"),
        (CHAIN.replace("leaky_relu_backward(dy, z)", "leaky_relu(dy)"), "leaky_relu itself is called on the way down"),
        (
            CHAIN.replace("leaky_relu_backward(dy, z)", "dy").replace("(du, y)", "(leaky_relu_backward(du, z), y)"),
            "turned",
        ),
        (
            CHAIN.replace("), logits", "), np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)"),
            "is given probabilities; it takes the logits",
        ),
        (
            CHAIN.replace('_, g["W"], g["b"] =', 'g["W"], g["b"], _ ='),
            "weighted_sum_backward gives dx, dweights, dbias",
        ),
        (CHAIN.replace("da.reshape(m.shape)", "da"), "dm has shape (7, 4); it must be (n, d, h', w', f)"),
        (CHAIN.rsplit("\n", 1)[0], "it must be a dict with the names W, b, votes, shrug"),
        (CHAIN.replace("dz, x, p", "2 * dz, x, p"), "the gradients of votes and shrug are right"),
        (CHAIN.replace("1 / len(x)", "1 / 7"), "right at first, but not with 2 clips"),
    ],
}
