"""The chain rule on single numbers: each remembers what it was made of, and one pass back finds all gradients.

    python docs/walks/chain.py

Of the page on the chain rule; it needs nothing but Python.
"""


# --- A number that remembers.
class Number:
    """A value, what it was made of, and, when ``backward`` has been there, the gradient of the loss by it."""

    def __init__(self, value, *made_of):
        self.value = value
        self.made_of = made_of  # pairs: a number, and the slope of this one by that one
        self.gradient = 0.0

    def __add__(self, other):
        return Number(self.value + other.value, (self, 1), (other, 1))

    def __sub__(self, other):
        return Number(self.value - other.value, (self, 1), (other, -1))

    def __mul__(self, other):
        return Number(self.value * other.value, (self, other.value), (other, self.value))

    def leaky_relu(self, alpha=0.01):
        return Number(max(alpha * self.value, self.value), (self, 1 if self.value > 0 else alpha))

    def half_square(self):
        return Number(self.value**2 / 2, (self, self.value))


# --- Up: one unit, the half square of what it is off by, and a half square that keeps the weight small.
def forward(w, x, b, t):
    """All numbers on the way from a weight, an input, a bias and a target to the loss, by their names."""
    n = {"w": Number(w), "x": Number(x), "b": Number(b), "t": Number(t)}
    n["p"] = n["w"] * n["x"]
    n["z"] = n["p"] + n["b"]
    n["y"] = n["z"].leaky_relu()
    n["e"] = n["y"] - n["t"]
    n["misfit"] = n["e"].half_square()
    n["size"] = n["w"].half_square()
    n["loss"] = n["misfit"] + n["size"]
    return n


# --- Down: a number has all of its gradient when all that it went into have handed theirs on.
def in_order(number, found):
    """Append all that ``number`` was made of to ``found``, each behind what it was made of itself, and ``number``."""
    if number not in found:
        for each, _ in number.made_of:
            in_order(each, found)
        found.append(number)
    return found


def backward(loss):
    loss.gradient = 1.0
    for number in reversed(in_order(loss, [])):
        for each, slope in number.made_of:
            each.gradient += slope * number.gradient


# --- Is it right? Move each input a little, and look.
INPUTS = {"w": 2.0, "x": 3.0, "b": -1.0, "t": 1.0}


def moved(name, step=1e-6):
    """The slope of the loss by one input, from two values beside it."""
    above, below = ({**INPUTS, name: INPUTS[name] + sign * step} for sign in (1, -1))
    return (forward(**above)["loss"].value - forward(**below)["loss"].value) / (2 * step)


def main():
    numbers = forward(**INPUTS)
    backward(numbers["loss"])
    for name, number in numbers.items():
        found = f"   moved a little: {moved(name):g}" if name in INPUTS else ""
        print(f"{name:6}  value {number.value:4g}   gradient {number.gradient:4g}{found}")


if __name__ == "__main__":
    main()
