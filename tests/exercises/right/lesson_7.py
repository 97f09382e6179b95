"""Right answers to the exercises of lesson 7 that are written in other ways than the solutions."""

RIGHT = {
    "speed_limits": [
        "SAME, TO_AND_FRO, PLACE, ADAM = 5.0, 0.5555556, -1.4, 0.1",
        "from fractions import Fraction\n\nSAME, TO_AND_FRO = Fraction(5), Fraction(5, 9)\n"
        "PLACE = Fraction(-7, 5)\nADAM = Fraction('0.1')",
        "from decimal import Decimal\n\nSAME = Decimal(5)\nTO_AND_FRO = a = 0\nfor step in range(400):\n"
        "    a = 0.8 * a + (-1) ** step\nTO_AND_FRO = abs(a)\nPLACE = -0.5 * (1 + 1.8)\nADAM = 0.1 * 50 / 2500**0.5",
    ],
    "momentum_step": [
        "import numpy as np\nw, a = w.copy(), a.copy()\na *= momentum\na += g\nw -= rate * a\nreturn [w, a]",
        "return w - rate * momentum * a - rate * g, g + momentum * a",
    ],
    "valley": [
        "l, L = 1, 9\nLIMIT, BEST, FACTOR = 2 / L, 2 / (l + L), (L - l) / (L + l)\nWITH_MOMENTUM = (L**0.5 - 1) / 4"
    ],
    "nesterov_step": [
        "w, a = nesterov_as_published(u + rate * momentum * a, a, lambda at: g, rate, momentum)\n"
        "return w - rate * momentum * a, a",
        "return [u - rate * ((1 + momentum) * g + momentum**2 * a), momentum * a + g]",
    ],
    "adam_step": [
        "first, second = m / (1 - BETA1**t), v / (1 - BETA2**t)\n"
        "return w - rate * first / (second**0.5 + EPSILON / (1 - BETA2**t) ** 0.5), m, v",
    ],
    "decoupled_decay": [
        "new, m, v = adam_step(w, m, v, g, t, rate)\n"
        "return [new - rate * decay * w * (name.split('/')[-1] == 'weights'), m, v]",
    ],
    "rate_of_step": [
        "now = rate\nfor each in range(1, step + 1):\n    if each % stairs == 0:\n        now *= factor\n"
        "return now * (step + 1) / warm_up if step + 1 < warm_up else now",
        "import numpy as np\nup = np.clip((step + 1) / warm_up, 0, 1)\n"
        "return rate * np.power(factor, np.floor(step / stairs)) * up",
    ],
    "moving_average": [
        "early = (1 + step) / (10 + step)\nkept = share if share < early else early\nout = average.copy()\n"
        "out *= kept\nout += w * (1 - kept)\nreturn out",
    ],
}
