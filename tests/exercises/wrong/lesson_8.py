"""Wrong answers to the exercises of lesson 8: what is written between the marks, and words that the verdict must "
"hold."""

CENTRAL = """up, down = x.copy(), x.copy()
up[place] += h
down[place] -= h
gradient[place] = (F(up) - F(down)) / (2 * h)"""
CLAIM = """promised = (backward(delta, x) * v).sum()
change = forward(x + h * v) - forward(x - h * v)
return promised, (delta * change).sum() / (2 * h)"""
KINK = """def apart(h):
    return (F(x + h) - F(x)) / h - (F(x) - F(x - h)) / h

return abs(apart(h / 2)) > 0.75 * abs(apart(h))"""
PAIRS = """twos = p[:-1] + p[1:]
fours = twos[:-2] + twos[2:]
return fours[:-2] + twos[4:]"""
TREE = """while len(x) > 1:
    even = len(x) // 2 * 2
    x = np.concatenate([x[0:even:2] + x[1:even:2], x[even:]])
return x[0]"""
PARTS = """parts = np.array_split(values, 8)
return in_order([in_order(part) for part in parts])"""
CARRY = """size = 1
while waiting and waiting[-1][0] == size:
    value = waiting[-1][1] + value
    waiting = waiting[:-1]
    size = 2 * size
return [*waiting, (size, value)]"""


def steps(**wrong):
    """The numbers of best_steps, some of them wrong."""
    right = {"CENTRAL": "(3 * U64) ** (1 / 3)", "FORWARD": "2 * U64**0.5", "FORWARD_ERROR": "2 * U64**0.5"}
    right["CENTRAL_32"] = "(3 * U32) ** (1 / 3)"
    return "\n".join(f"{name} = {value}" for name, value in (right | wrong).items())


def digits(**wrong):
    """The numbers of forgotten_digits, some of them wrong."""
    right = {"IN_PAIRS": 0, "IN_A_ROW": 2, "WINDOW": 6, "RUNNING": 0, "STUCK": "2**24"}
    return "\n".join(f"{name} = {value}" for name, value in (right | wrong).items())


WRONG = {
    "central_difference": [
        ("up = x.copy()\nup[place] += h\ngradient[place] = (F(up) - F(x)) / h", "differences to one side, upwards"),
        ("down = x.copy()\ndown[place] -= h\ngradient[place] = (F(x) - F(down)) / h", "to one side, downwards"),
        (CENTRAL.replace("(2 * h)", "h"), "it is twice too large"),
        (CENTRAL.replace("/ (2 * h)", "/ 2 * h"), "/ 2 * h divides by 2 and multiplies by h"),
        (CENTRAL.replace("F(down)", "F(x)"), "this is the way to one side over 2 h"),
        (CENTRAL.replace("x.copy(), x.copy()", "[x.copy()] * 2"), "are up and down one array?"),
        ("gradient[place] = (F(x + h) - F(x - h)) / (2 * h)", "all elements are moved at once"),
        (
            CENTRAL.replace("place] +=", "place[0]] +=").replace("place] -=", "place[0]] -="),
            "a whole row is moved at once",
        ),
        ("h = 1e-5\n" + CENTRAL, "the step is fixed in it"),
        (
            CENTRAL.replace("+= h", "+= 2 * h").replace("-= h", "-= 2 * h").replace("(2 *", "(4 *"),
            "the points are 2 h away",
        ),
        (CENTRAL.replace("(up)", "(up[place])"), "F is given the shape (); it takes all of x, (2, 3)"),
        (CENTRAL.replace("F(up) - F(down)", "F(down) - F(up)"), "the sign is turned"),
        (CENTRAL.replace("+= h", "+= h / 2").replace("-= h", "-= h / 2").replace("(2 * h)", "h"), "h / 2 away"),
        (CENTRAL.replace("(2 * h)", "0.2"), "right at first, but not with a row of 4 numbers and a step of 0.03"),
        (CENTRAL.replace("x.copy(), x.copy()", "x, x"), "this changes an array that was handed in"),
    ],
    "best_steps": [
        (steps(CENTRAL="U64 ** (1 / 3)"), "CENTRAL is not 4.81e-06: the factor 3 is missing"),
        (steps(CENTRAL="(3 * U64) ** 0.5"), "it grows with its square"),
        (steps(CENTRAL="(3 * U64) ** 1 / 3"), "the root is the third one: ** (1 / 3), in brackets"),
        (steps(CENTRAL="0"), "CENTRAL is not 0: with so small a step rounding"),
        (steps(FORWARD="4 * U64"), "the square root is missing"),
        (steps(FORWARD="U64**0.5"), "FORWARD is not 1.05e-08: the factor 2 is missing"),
        (steps(FORWARD="(2 * U64) ** 0.5"), "both values are rounded"),
        (steps(FORWARD="(3 * U64) ** (1 / 3)"), "here the error grows with h itself"),
        (steps(FORWARD_ERROR="U64**0.5"), "this is one of the two parts"),
        (steps(FORWARD_ERROR="U64"), "u is the error of a value"),
        (steps(CENTRAL_32="(3 * U64) ** (1 / 3)"), "CENTRAL_32 is not 6.93e-06: this is for float64"),
        (steps(CENTRAL="[[1], [1, 2]]"), "CENTRAL is [[1], [1, 2]]; put your number there"),
        (steps(CENTRAL_32="1e-3"), "CENTRAL_32 is not 0.001; it is more"),
    ],
    "directional_check": [
        (CLAIM.replace("(backward(delta, x) * v)", "backward(delta, x)"), "promised is the sum of dx"),
        (CLAIM.replace("(delta * change)", "change"), "measured is without delta"),
        (CLAIM.replace("/ (2 * h)", "/ h"), "measured is twice too large"),
        (CLAIM.replace("delta, x", "x, delta"), "backward is given x in the place of delta"),
        (CLAIM.replace("delta, x)", "delta, x + h * v)"), "backward is asked at a moved x"),
        (CLAIM.replace("v).sum", "v).mean"), "promised is a mean"),
        (CLAIM.replace("(delta * change)", "-(delta * change)"), "the sign of measured is turned"),
        (
            CLAIM.replace("forward(x + h * v)", "delta * forward(x + h * v)").replace("(delta * change)", "change"),
            "delta multiplies one of the two values only",
        ),
        (CLAIM.replace("(2 * h)", "2e-3"), "right at first, but not with 2 elements, 3 outputs and a step of 0.01"),
        (CLAIM.replace(" / (2 * h)", ""), "measured is not divided by the way"),
        (CLAIM.replace("h * v", "h"), "measured moves all elements alike"),
        (
            CLAIM.replace("- forward(x - h * v)", "- forward(x)").replace("2 * h", "h"),
            "measured is a difference to one side",
        ),
        (CLAIM.replace("(delta * change).sum() / (2 * h)", "promised"), "measured is what backward promises"),
        (CLAIM.replace("x - h * v)", "x - h * v) + 0 * forward(x)"), "forward was called 3 times"),
    ],
    "allowed_error": [
        ("error = abs(promised - measured)\nreturn not error > tol * np.abs(terms).sum()", "NaN passes"),
        ("error = abs(promised - measured)\nreturn error <= tol * abs(measured)", "whose terms, of 1e6, cancel"),
        ("error = promised - measured\nreturn error <= tol * np.abs(terms).sum()", "its size counts, abs(...)"),
        (
            "error = abs(promised - measured)\nreturn error <= tol * (np.abs(terms).sum() + abs(measured))",
            "an error of 5e-6 passes, where 3.5e-6 is allowed",
        ),
        (
            "error = abs(promised - measured)\nreturn error <= tol * np.nansum(np.abs(terms))",
            "of whose terms one is NaN",
        ),
        (
            "error = abs(promised - measured)\nreturn error <= tol * np.abs(terms).max()",
            "the sizes of all terms are added up",
        ),
        ("error = abs(promised - measured)\nreturn error <= tol * abs(terms.sum())", "rounding alone is larger"),
        (
            "error = abs(promised - measured)\nreturn error < tol * np.abs(terms).sum()",
            "a gradient of 0 that is exactly 0",
        ),
        ("error = abs(promised - measured)\nreturn error <= tol + tol * np.abs(terms).sum()", "where all terms are 0"),
        ("error = abs(promised - measured)\nreturn error <= 1e-6 * np.abs(terms).sum()", "the tolerance is tol"),
        (
            "error = abs(promised - measured)\nreturn error <= tol * terms.sum()",
            "the sizes of the terms, each by itself",
        ),
    ],
    "complex_step": [
        ("return (F(x + 1e-30 * v) - F(x)) / 1e-30", "a real step of 1e-30 changes no digit"),
        ("return F(x + 1e-30j * v).imag", "the imaginary part is not divided by the step"),
        ("return F(x + 1e-30j * v).real", "this is the value of F"),
        ("return F(x + 1e-30j * v).real / 1e-30", "this is the real part"),
        ("return F(x + 1e-30j * v) / 1e-30", "a complex number is returned"),
        ("return F(x + 1e-30j).imag / 1e-30", "v is left out"),
        ("return F(x + 1e-30j * v).imag / 2e-30", "the step is taken once, and not to both sides"),
        ("return F(x + 1e-3j * v).imag / 1e-3", "the slope is -14.67726; it must be -14.67728"),
        ("return [[1], [1, 2]]", "the slope is a list; it must be a number"),
        ("import datetime\nreturn datetime.date(2020, 1, 1)", "the slope is of the type date"),
        ("return (F(x + 1e-5 * v) - F(x - 1e-5 * v)) / 2e-5", "this is a difference; it has ten digits"),
    ],
    "kink": [
        (
            KINK.replace("abs(apart(h / 2)) > 0.75 * abs(apart(h))", "abs(apart(h)) > 0.5"),
            "a steep curve is called a kink",
        ),
        (
            KINK.replace("abs(apart(h / 2)) > 0.75 * abs(apart(h))", "abs(apart(h)) > 0.1"),
            "is called a kink: its sides",
        ),
        (KINK.replace("abs", ""), "a kink that bends downwards is not found"),
        (KINK.replace("abs(apart(h / 2)) >", "abs(apart(h / 2)) <"), "the leaky ReLU at 0 is a kink, and is not found"),
        (
            KINK.replace("(apart(h / 2))", "(apart(0.005))").replace("(apart(h))", "(apart(0.01))"),
            "counts as one at x with h = 0.0005",
        ),
        (KINK.replace("0.75", "0.25"), "x**2 at 1 is smooth, and is called a kink: its sides are 0.02 apart"),
        (KINK.replace("/ h -", "/ 0.01 -").replace("/ h\n", "/ 0.01\n"), "is each divided by its own step?"),
        (KINK.replace("return abs", "abs"), "None is returned; it must be True or False"),
    ],
    "forgotten_digits": [
        (digits(IN_PAIRS=5), "IN_PAIRS is not 5: that is right on paper"),
        (digits(IN_PAIRS=2), "each of the two small numbers meets a large one"),
        (digits(IN_A_ROW=5), "IN_A_ROW is not 5: that is right on paper"),
        (digits(IN_A_ROW=0), "the last 2 comes when the two large numbers are gone"),
        (digits(IN_A_ROW=3), "the 3 is lost beside 1e9"),
        (digits(STUCK="2**24 - 1"), "STUCK is not 16777215: one more has"),
        (digits(WINDOW=0), "does not touch the large number"),
        (digits(RUNNING=6), "RUNNING is not 6: that is right on paper"),
        (digits(STUCK="2**32"), "where whole numbers of 32 bits end"),
        (digits(STUCK="2**23"), "neighbours are 1 apart"),
    ],
    "windows_of_six": [
        (
            "count = len(p) - 5\nreturn sum(p[j : j + count] for j in range(6))",
            "the sums are right and take 5 additions each; three will do",
        ),
        (PAIRS.replace("fours[:-2] + twos[4:]", "fours"), "these are sums of 4, not of six"),
        ("p = p[:-1] + p[1:]\np = p[:-2] + p[2:]\nreturn p[:-4] + p[4:]", "these are sums of 8, not of six"),
        (PAIRS.replace("fours[:-2] + twos[4:]", "fours[:-2] + twos[2:-2]"), "the sum of two stands two further on"),
        (PAIRS.replace("fours[:-2] + twos[4:]", "fours[:-2] + twos[:-4]"), "the two begin at the same place"),
        (PAIRS.replace("twos[4:]", "twos[3:-1]"), "the sum of two stands before its place"),
        (PAIRS.replace("[:-2] + twos[4:]", "[:-3] + twos[4:-1]"), "the last window is missing"),
        ("total = p.cumsum()\ntotal[6:] -= total[:-6].copy()\nreturn total[5:]", "running sums forget digits"),
        (
            PAIRS.replace("[:-2] + twos[4:]", "[:-2] + fours[2:]"),
            "the first sum is p[0] + p[1] + 2 p[2] + 2 p[3] + p[4] + p[5]",
        ),
        (
            "import numpy\nreturn numpy.lib.stride_tricks.sliding_window_view(p, 6).sum(axis=1)",
            "take 5 additions each; three will do",
        ),
        (
            "import functools, operator\n"
            "return functools.reduce(operator.add, [p[k : len(p) - 5 + k] for k in range(6)])",
            "but 0 additions are seen",
        ),
        ("import numpy\nreturn numpy.convolve(p, numpy.ones(6), 'valid')", "convolve adds up out of sight"),
    ],
    "sparse_means": [
        ("return dm.mean(), (dm * m).sum() / places", "mean_dy is a mean over the blocks"),
        ("return dm.sum() / places, (dm * m).mean()", "mean_dy_y is a mean over the blocks"),
        ("return dm.sum() / places, dm.sum() / places * m.mean()", "mean_dy_y is the product of two means"),
        ("return dm.sum(), (dm * m).sum()", "mean_dy is a sum"),
        ("return dm.sum() / 40, (dm * m).sum() / 40", "right at first, but not with another number of places"),
        ("return (dm * m).sum() / places, dm.sum() / places", "returned in the other order"),
        ("return dm.sum() // places, (dm * m).sum() / places", "it is rounded down: // is no division"),
        ("return dm.sum() / places, (dm * m / places).sum() / places", "it is 40 times as small as it must be"),
        ("return dm.sum() / places, (m * m).sum() / places", "the mean of m times m"),
        ("return dm.sum() / places, (dm @ m.T).sum() / places", "@ is a product of matrices"),
        ("return dm.mean() / 4, (dm * m).mean() / 4", "an odd last row has places, too"),
        ("return dm.sum() / places, m.sum() / places", "the gradient is missing"),
    ],
    "tree_sum": [
        ("total = x[0]\nfor value in x[1:]:\n    total = total + value\nreturn total", "adding one after the other"),
        (TREE.replace(", x[even:]]", "]"), "an odd last number is lost"),
        (
            "if len(x) == 1:\n    return x[0]\nmiddle = len(x) // 2\nreturn tree_sum(x[:middle]) + "
            "tree_sum(x[middle:])",
            "the row is cut into halves",
        ),
        ("return np.float32(x.astype(np.float64).sum())", "the sum in float64, rounded"),
        ("return x.astype(np.float64).sum()", "float64 of shape () comes out; it must be one number, a float32"),
        (
            TREE.replace("x = np", "odd = x[even:]\n    x = np").replace(", x[even:]])", "])\n    x[-1:] += odd.sum()"),
            "an odd last number is added to the last pair",
        ),
        (
            TREE.replace("x[0:even:2] + x[1:even:2], x[even:]", "x[even:], x[0:even:2] + x[1:even:2]"),
            "an odd last number comes first in the next round",
        ),
        (TREE.replace("x[0:even:2] + x[1:even:2]", "x[: even // 2] + x[even // 2 : even]"), "added to the second"),
        ("x = x[::-1]\n" + TREE, "pairs are made from the end"),
        ("print(x)", "nothing is returned; it must be one number"),
        ("return [[1], [1, 2]]", "1 number: a list comes out"),
        (TREE.replace("return x[0]", "return x"), "float32 of shape (1,) comes out"),
    ],
    "same_bits": [
        (PARTS.replace("8", "9"), "the sums are arranged in another way"),
        (PARTS.replace("8", "threads"), "the parts still depend on the threads"),
        ("return in_order(values)", "all clips are added in a row"),
        (
            PARTS.replace("np.array_split(values, 8)", "[values[i::8] for i in range(8)]"),
            "each part takes every eighth clip",
        ),
        (
            "size = len(values) // 8\nreturn in_order([in_order(values[i * size : (i + 1) * size]) for i in range(8)])",
            "left out",
        ),
        ("return np.float32(values.astype(float).sum())", "this is the sum in float64, rounded"),
        (PARTS.replace("for part in parts", "for part in parts[::-1]"), "the parts are added from the last on"),
        ("return values.astype(float).sum()", "what comes out is no float32"),
        (PARTS + " / np.float32(8)", "it is a mean of the 8 parts"),
        ("return np.round(in_order(values), 3)", "digits are rounded away"),
        (PARTS.replace("in_order(part)", "part.sum()"), "within a part NumPy's sum"),
        (
            PARTS.replace("np.array_split(values, 8)", "[values[i : i + 8] for i in range(0, len(values), 8)]"),
            "8 clips each",
        ),
        (
            "sums = [in_order(part) for part in np.array_split(values, 8)]\nwhile len(sums) > 1:\n"
            "    sums = [one + other for one, other in zip(sums[::2], sums[1::2])]\nreturn sums[0]",
            "the parts are added as a tree",
        ),
        (PARTS.replace("return", "values ="), "nothing is returned"),
        ("return [[1], [1, 2]]", "list is returned; it must be one number"),
    ],
    "as_they_come": [
        ("return [(1, [[1], [1, 2]])]", "after 1 clip a sum is [[1], [1, 2]]"),
        ("return [*waiting, (1, value)]", "after 2 clips the sums have [1, 1] clips"),
        (
            CARRY.replace("while waiting", "if waiting"),
            "after 4 clips the sums have [2, 2] clips; they must have [4]: two sums of one size",
        ),
        (CARRY.replace("waiting = waiting[:-1]", "waiting = []"), "its sizes must add up to 4"),
        (
            CARRY.replace("while waiting and waiting[-1][0] == size", "while waiting"),
            "after 3 clips the list says [2]; its sizes must add up to 3",
        ),
        (
            CARRY.replace("[*waiting, (size, value)]", "[(size, value), *waiting]"),
            "after 3 clips the sums have [1, 2] clips",
        ),
        (CARRY.replace("value = waiting[-1][1] + value", "pass"), "only the last of them is in it"),
        (
            "if not waiting:\n    return [(1, value)]\nn, total = waiting[0]\nreturn [(n + 1, total + value)]",
            "sums of different sizes are added",
        ),
    ],
}
