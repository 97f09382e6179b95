"""Wrong answers to the exercises of lesson 7: what is written between the marks, and words that the verdict must "
"hold."""


def numbers(**wrong):
    """The four numbers of speed_limits, some of them wrong."""
    right = {"SAME": "5", "TO_AND_FRO": "1 / 1.8", "PLACE": "-1.4", "ADAM": "0.1"}
    return "\n".join(f"{name} = {value}" for name, value in (right | wrong).items())


def valley(**wrong):
    """The four numbers of valley, some of them wrong."""
    right = {"LIMIT": "2 / 9", "BEST": "0.2", "FACTOR": "0.8", "WITH_MOMENTUM": "0.5"}
    return "\n".join(f"{name} = {value}" for name, value in (right | wrong).items())


def adam(rate, root="np.sqrt(v) + EPSILON"):
    return f"rate_t = rate * {rate}\nreturn w - rate_t * m / ({root}), m, v"


BOTH = "np.sqrt(1 - BETA2**t) / (1 - BETA1**t)"
WEIGHTS = 'if name.endswith("/weights"):\n    '
STEP = "return adam_step(w, m, v, g, t, rate)"

WRONG = {
    "speed_limits": [
        (numbers(SAME="10"), "SAME is not 10: that is for a momentum of 0.9"),
        (numbers(SAME="1"), "`a` is a sum and no mean"),
        (numbers(TO_AND_FRO="1 / 1.9"), "TO_AND_FRO is not 0.526316: that is for a momentum of 0.9"),
        (numbers(TO_AND_FRO="0.5556"), "TO_AND_FRO is nearly right; write it as an expression"),
        (numbers(TO_AND_FRO="0"), "they nearly cancel"),
        (numbers(PLACE="1.4"), "PLACE is not 1.4: a step goes against"),
        (numbers(PLACE="-1"), "that is without momentum"),
        (numbers(PLACE="-2.8"), "each step is multiplied by the rate"),
        (numbers(ADAM="-0.1"), "against the gradient, which is negative"),
        (numbers(ADAM="5"), "the size of the gradient does not matter"),
        (numbers(SAME="4"), "the gradient of the step itself comes on top"),
        (numbers(PLACE="-0.5"), "that is the first step alone"),
        (numbers(ADAM="0.01"), "the correction makes up for that"),
    ],
    "momentum_step": [
        ("a = 0.8 * a + g\nreturn w - rate * a, a", "right at first, but not with a rate of 0.3 and a momentum of 0.6"),
        ("a = momentum * a + (1 - momentum) * g\nreturn w - rate * a, a", "a is a mean"),
        ("a = momentum * a + g\nreturn w - rate * g, a", "w is moved by the gradient alone"),
        ("a = momentum * a + g\nreturn w + rate * a, a", "w goes up the gradient"),
        ("return w - rate * a, momentum * a + g", "w is moved by the old a"),
        ("a = momentum * a + rate * g\nreturn w - a, a", "the rate is in a"),
        ("a = momentum * a + g\nreturn w - rate * (g + momentum * a), a", "this is Nesterov's step"),
        ("a = a + momentum * g\nreturn w - rate * a, a", "it is the old a that fades"),
        ("a = 0.9 * a + g\nreturn w - rate * a, a", "a fades by 0.9, whatever"),
        ("a *= momentum\na += g\nreturn w - rate * a, a", "this changes an array that was handed in"),
        ("a = momentum * a + g\nreturn a, w - rate * a", "w and a are returned in the other order"),
    ],
    "valley": [
        (valley(LIMIT="2"), "LIMIT is not 2: the steep direction swings first"),
        (valley(LIMIT="1 / 9"), "it may swing before it grows"),
        (valley(BEST="1 / 9"), "that is best for the steep direction alone"),
        (valley(BEST="2 / 9"), "there the steep direction swings on for ever"),
        (valley(BEST="0.1"), "it is twice that"),
        (valley(FACTOR="0.2"), "what is left is asked for"),
        (valley(WITH_MOMENTUM="0.8"), "that is without momentum"),
        (valley(WITH_MOMENTUM="0.25"), "that is the square"),
        (valley(WITH_MOMENTUM="0.8**0.5"), "not the factor has a root"),
        (valley(WITH_MOMENTUM="2 / 3"), "a valley 25 times as steep"),
    ],
    "nesterov_step": [
        ("a = momentum * a + g\nreturn u - rate * a, a", "this is plain momentum"),
        ("return u - (g + momentum * (momentum * a + g)), momentum * a + g", "u is moved without the rate"),
        ("a = g + momentum * (momentum * a + g)\nreturn u - rate * a, a", "a has momentum's share taken in advance"),
        ("a = momentum * a + g\nreturn u - rate * a - rate * momentum * a, a", "the old one was not put back first"),
        (
            "w = u + rate * momentum * a\na = momentum * a + g\nreturn w - rate * a, a",
            "this is the new w; what is kept",
        ),
        ("a = momentum * a + g\nreturn u - rate * momentum * a, a", "the gradient itself is left out"),
        ("a = momentum * a + g\nreturn u - rate * (a + momentum * g), a", "momentum multiplies the gradient once more"),
        ("a = momentum * a + g\nreturn u - rate * (g - momentum * a), a", "both parts go the same way"),
        ("a = momentum * a + g\nreturn u - rate * g - momentum * a, a", "the rate multiplies both parts"),
        ("a = momentum * a + (1 - momentum) * g\nreturn u - rate * (g + momentum * a), a", "a is a mean"),
        ("a = momentum * a + g\nreturn u + rate * (g + momentum * a), a", "u goes up the gradient"),
        ("a = momentum * a + g\nreturn u - rate * (g + momentum * a)", "one ndarray is returned; it must be 2: u, a"),
    ],
    "adam_step": [
        (adam(BOTH).replace("rate *", "0.01 *"), "step 1 at a rate of 0.2: w"),
        (adam("(1 - BETA2**t) / (1 - BETA1**t)"), "the correction of m is right, that of v is not"),
        (adam("1"), "the means are not corrected at all"),
        (adam("np.sqrt(1 - BETA2**t)"), "the correction of m is missing"),
        (adam("1 / (1 - BETA1**t)"), "the correction of v is missing"),
        (adam("(1 - BETA1**t) / np.sqrt(1 - BETA2**t)"), "both corrections are upside down"),
        (adam(BOTH, "np.sqrt(v + EPSILON)"), "EPSILON stands under the root"),
        (adam(BOTH.replace("**t", "**(t + 1)")), "the correction counts t from 0"),
        (adam("np.sqrt((1 - BETA2**t) / (1 - BETA1**t))"), "the correction of m has no root"),
        (adam("(1 - BETA2**t) / np.sqrt(1 - BETA1**t)"), "it is the correction of v that stands under the root"),
        (adam(BOTH.replace("**t", "")), "step 2: the correction is that of step 1"),
        (adam("np.sqrt(1000) * (1 - BETA2**t) / (1 - BETA1**t)"), "step 2: the factor 32 is right in step 1 alone"),
        (adam("-" + BOTH), "w goes up the gradient"),
        ("return w - rate * np.sign(g), m, v", "every step is as long as the rate"),
        (adam(BOTH).replace(", m, v", ", m / (1 - BETA1**t), v"), "m is returned corrected"),
        (adam(BOTH).replace(", m, v", ", m, np.sqrt(v)"), "the root of v is returned as v"),
        (adam("1 / (1 - BETA1**t)", "np.sqrt(v / (1 - BETA2**t)) + EPSILON"), "the paper's algorithm 1"),
    ],
    "decoupled_decay": [
        (
            'if "weights" in name:\n    w = w * (1 - rate * decay)\n' + STEP,
            "right at first, but not with arrays of four axes, other names and another decay",
        ),
        ("g = g + decay * w\n" + STEP, "the decay is in the gradient"),
        ("w = w * (1 - rate * decay)\n" + STEP, "a bias decays; only weights do"),
        (WEIGHTS + "w = w * (1 - decay)\n" + STEP, "the share lacks the rate"),
        (WEIGHTS + "w = w * (1 + rate * decay)\n" + STEP, "the weights grow"),
        (WEIGHTS + "w = w * rate * decay\n" + STEP, "set to the share that is to be taken off"),
        (
            "w, m, v = adam_step(w, m, v, g, t, rate)\n" + WEIGHTS + "w = w * (1 - rate * decay)\nreturn w, m, v",
            "the decay comes after the step",
        ),
        (
            WEIGHTS + "w, g = w * (1 - rate * decay), g + decay * w * (1 - rate * decay)\n" + STEP,
            "leave the gradient alone",
        ),
        (WEIGHTS + "w = w * (1 - rate * decay / 2)\n" + STEP, "the share is halved"),
        (WEIGHTS + "w = w - rate * (g + decay * w)\n" + STEP, "the gradient moves w twice"),
        (WEIGHTS + "m = m + decay * w\n" + STEP, "the decay is in m"),
        (STEP, "the weights do not decay"),
    ],
    "rate_of_step": [
        (
            "return rate * 0.5 ** (step // 10) * min(1, (step + 1) / warm_up)",
            "right at first, but not with another rate, staircase and warm-up",
        ),
        ("return rate * factor ** (step // stairs) * min(1, step / warm_up)", "the rate of step 0 must not be 0"),
        ("return rate * factor ** (step // stairs) * (step + 1) / warm_up", "the warm-up goes on rising"),
        ("return rate * factor ** (step / stairs) * min(1, (step + 1) / warm_up)", "the stairs are a slope"),
        (
            "return rate * factor ** (max(0, step - warm_up) // stairs) * min(1, (step + 1) / warm_up)",
            "from the end of",
        ),
        ("return rate * factor ** ((step + 1) // stairs) * min(1, (step + 1) / warm_up)", "one step early"),
        ("return rate * factor ** (step // stairs)", "the warm-up is missing"),
        (
            "if step < warm_up:\n    return rate * (step + 1) / warm_up\nreturn rate * factor ** (step // stairs)",
            "in the warm-up the staircase is left out",
        ),
        ("return rate * factor ** round(step / stairs) * min(1, (step + 1) / warm_up)", "rounded to the nearest"),
        ("return rate * factor ** -(-step // stairs) * min(1, (step + 1) / warm_up)", "the quotient is rounded up"),
        ("return rate * factor ** (step % stairs) * min(1, (step + 1) / warm_up)", "% is what is left over"),
        ("return rate * factor * (step // stairs) * min(1, (step + 1) / warm_up)", "once per stair, as a power"),
        ("return rate * factor ** (step // stairs) * max(1, (step + 1) / warm_up)", "the larger of 1 and the warm-up"),
        ("return rate * factor ** (step // stairs) * min(1, (step + 1) / (warm_up + 1))", "a step too long"),
        ("return rate * factor ** (step // stairs) * min(1, (step + 1) // warm_up)", "// rounds the warm-up down"),
        ("return min(rate * factor ** (step // stairs), (step + 1) / warm_up)", "the smaller of the two is taken"),
        ("return rate * min(1, (step + 1) / warm_up)", "the staircase is missing"),
        (
            "return rate * (factor if step >= stairs else 1) * min(1, (step + 1) / warm_up)",
            "after the first stair the factor comes in once only",
        ),
    ],
    "moving_average": [
        (
            "kept = min(0.9, (1 + step) / (10 + step))\nreturn average + (1 - kept) * (w - average)",
            "right at first, but not with a share of 0.97",
        ),
        (
            "kept = max(share, (1 + step) / (10 + step))\nreturn average + (1 - kept) * (w - average)",
            "kept is the larger of the two",
        ),
        ("kept = min(share, (1 + step) / (10 + step))\nreturn average + kept * (w - average)", "are exchanged"),
        ("return average + (1 - share) * (w - average)", "there is no gentle start"),
        ("kept = (1 + step) / (10 + step)\nreturn average + (1 - kept) * (w - average)", "in the long run all is kept"),
        (
            "kept = min(share, step / (9 + step))\nreturn average + (1 - kept) * (w - average)",
            "the step counts from 0 here",
        ),
        (
            "kept = min(share, (1 + step) / (10 + step))\nreturn average - (1 - kept) * (w - average)",
            "the average moves away from w",
        ),
        (
            "kept = min(share, (1 + step) / (10 + step))\nreturn average + (1 - kept) * w",
            "the old average is kept whole",
        ),
        ("kept = min(share, (1 + step) / (10 + step))\nreturn kept * average + w", "w comes in whole"),
        ("return average + (w - average) / (step + 1)", "the plain mean of all steps"),
        ("average += 0.1 * (w - average)\nreturn average", "this changes an array that was handed in"),
    ],
}
