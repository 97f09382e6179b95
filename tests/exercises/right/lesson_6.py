"""Right answers to the exercises of lesson 6 that are written in other ways than the solutions."""

RIGHT = {
    "effective_rate": ["from fractions import Fraction as F\nOUTPUT, GRADIENT, TURN, RATE = 1, F(1, 3), F(1, 9), 9"],
    "window_count": [
        "import math\nreturn math.ceil((length - window + 1) / stride)",
        "count = 0\nwhile stride * count + window <= length:\n    count += 1\nreturn count",
    ],
}
