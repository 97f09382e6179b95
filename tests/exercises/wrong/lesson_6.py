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
        (SIZES.replace("h1 // 2", "-(-h1 // 2)") + L1WS + L3P + L5WS + FC_OUT + "}", "L3P is 7092; it must be 6948"),
        (SIZES + L1WS + L3P + L5WS + "}", "it must be a dict with the names L1WS, L3P, L5WS, FC_OUT"),
    ],
    "glorot_window": [
        ("return math.sqrt(2 / (places * channels + places * maps))", "this is the standard deviation"),
        ("return 6 / (places * channels + places * maps)", "this is a squared"),
        ("return math.sqrt(6 / (places * channels))", "only what enters is counted"),
        ("return math.sqrt(6 / (channels + maps))", "the places of the window are left out"),
        ("return math.sqrt(3 / (places * channels + places * maps))", "it is 3 over the mean of the fans"),
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
        (CHAIN.replace("da.reshape(m.shape)", "da"), "dm has shape (3, 4); it must be (n, d, h', w', f)"),
        (CHAIN.rsplit("\n", 1)[0], "it must be a dict with the names W, b, votes, shrug"),
        (CHAIN.replace("dz, x, p", "2 * dz, x, p"), "the gradients of votes and shrug are right"),
        (CHAIN.replace("1 / len(x)", "1 / 3"), "right at first, but not with 2 clips"),
    ],
}
