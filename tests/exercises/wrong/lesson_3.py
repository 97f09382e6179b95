"""Wrong answers to the exercises of lesson 3: lines between the marks, and words of the verdict."""

KINK = "value, slope_below, slope_at_kink, difference_at_kink = {}"
MOMENTS = "y_0, dx_1, dx_3, dx_of_ones = {}"
NORM = """
y = centred * s
mean_dy = dy.mean(axis=(2, 3), keepdims=True)
mean_dy_y = (dy * y).mean(axis=(2, 3), keepdims=True)
return {}
"""
SCALE = """
through_mean = dy.mean(axis=(2, 3), keepdims=True)
through_variance = {}
return {} * (dy - through_mean - through_variance)
"""
GROUP = """
dy = dy.reshape(y.shape)
mean_dy = dy.mean(axis={axes}, keepdims=True)
mean_dy_y = (dy * y).mean(axis={axes}, keepdims=True)
return (s * (dy - {mean} - y * {variance})){end}
"""
GROUPS = {"axes": "AXES", "mean": "mean_dy", "variance": "mean_dy_y", "end": ".reshape(x.shape)"}

WRONG = {
    "kink_by_hand": [
        (KINK.format("0, 0, 0.1, 0.55"), "that is a ReLU that does not leak"),
        (KINK.format("-3, 1, 0.1, 0.55"), "slope_below is not 1: that is the slope of positive z"),
        (KINK.format("-3, 0.1, 1, 0.55"), "the comparison is z > 0"),
        (KINK.format("-3, 0.1, 0.1, 0.5"), "y(-h) is not 0"),
        (KINK.format("-3, 0.1, 0.1, 1.1"), "divide by the whole distance"),
    ],
    "slope_from_output": [
        ("return np.where(y >= 0, dy, alpha * dy)", "at z = 0 the slope is alpha, by the rule y > 0; here it is 1"),
        ("return np.where(y > 0, alpha * dy, dy)", "alpha is on the wrong side"),
        ("return np.where(dy > 0, dy, alpha * dy)", "the sign of dy is asked"),
        ("return np.where(y > 0, dy, alpha * y * dy)", "alpha, times dy"),
        ("if y > 0:\n    return dy\nreturn alpha * dy", "if, and, or, not, max and min ask whether something is true"),
        ("return np.where(y > 0, dy, 0)", "this ReLU leaks"),
        ("return np.where(y > 0, 1.0, alpha)", "that is the slope alone"),
        ("return np.where(y > 0, dy, 0.01 * dy)", "the gradient of z["),
        ("return np.where(y > 0, dy, 0.2 * dy)", "right at first, but not with alpha = 0.7 and five axes"),
    ],
    "learned_slope": [
        (
            "dz = np.where(z > 0, dy, alpha * dy)\nreturn dz, (dy * np.where(z > 0, z, 0)).sum(axis=(0, 1, 2, 3))",
            "there alpha does nothing, and elsewhere it acts",
        ),
        (
            "dz = np.where(z > 0, dy, alpha * dy)\nreturn dz, (dy * z).sum(axis=(0, 1, 2, 3))",
            "collects where z is positive",
        ),
        (
            "dz = np.where(z > 0, dy, alpha * dy)\nreturn dz, (dy * np.where(z > 0, 0, z)).mean(axis=(0, 1, 2, 3))",
            "dalpha is a mean",
        ),
        (
            "dz = np.where(z > 0, dy, alpha * dy)\nreturn dz, (dy * np.where(z > 0, 0, alpha * z)).sum((0, 1, 2, 3))",
            "dalpha has alpha in it",
        ),
        (
            "dz = np.where(z > 0, dy, alpha * dy)\nreturn dz, (dy * np.where(z > 0, 0, z)).sum()",
            "the gradient of alpha has the shape (); it must have (2,)",
        ),
        (
            "dz = np.where(z >= 0, dy, alpha * dy)\nreturn dz, (dy * np.where(z > 0, 0, z)).sum(axis=(0, 1, 2, 3))",
            "at z = 0 the slope is alpha, by the rule z > 0; here it is 1",
        ),
        (
            "dz = np.where(z > 0, dy, alpha * dy).astype(np.float64)\n"
            "return dz, (dy * np.where(z > 0, 0, z)).sum(axis=(0, 1, 2, 3))",
            "dz of arrays of float32 has the dtype float64; it must have float32",
        ),
        (
            "dz = np.where(z > 0, dy, alpha * dy)\nreturn (dy * np.where(z > 0, 0, z)).sum(axis=(0, 1, 2, 3)), dz",
            "the first has the shape of dalpha; the order is dz, dalpha",
        ),
        (
            "dz = np.where(z > 0, dy, alpha * z)\nreturn dz, (dy * np.where(z > 0, 0, z)).sum(axis=(0, 1, 2, 3))",
            "a zero incoming gradient must give zeros, for input z",
        ),
    ],
    "moments_by_hand": [
        (MOMENTS.format("-2, 1, -1, 0"), "that is the distance from the mean"),
        (MOMENTS.format("-2 / (16 / 3) ** 0.5, 1, -1, 0"), "nothing is divided by 3"),
        (MOMENTS.format("-1, 3, -1, 0"), "that is dy less its mean"),
        (MOMENTS.format("-1, 0.5, -1, 0"), "one over the deviation comes in once"),
        (MOMENTS.format("-1, 1, 1, 0"), "both terms are taken off"),
        (MOMENTS.format("-1, 1.5, -1, 0"), "one of the three terms is missing"),
        (MOMENTS.format("-1, 1, 0, 0"), "x_3 moves the mean and the variance, and so all of y"),
        (MOMENTS.format("-1, 1, -1, 0.5"), "what all of dy have in common is taken off"),
    ],
    "normalise_backward": [
        (NORM.format("s * (dy - y * mean_dy_y)"), "the term of the mean is missing"),
        (NORM.format("s * (dy - mean_dy)"), "the term of the variance is missing"),
        (NORM.format("s * dy"), "both means are missing"),
        (NORM.format("dy - mean_dy - y * mean_dy_y"), "all is there but the factor s"),
        (NORM.format("s * (dy - mean_dy + y * mean_dy_y)"), "the term of the variance has the wrong sign"),
        (NORM.format("s * (dy - mean_dy - y * mean_dy)"), "the mean of dy * y is not the mean of dy times y"),
        (NORM.format("s * (dy - mean_dy - centred * mean_dy_y)"), "has x - mean in it where y belongs"),
        (NORM.format("s * (dy - dy.mean() - y * mean_dy_y)"), "the gradient of x["),
        (NORM.replace(".mean", ".sum").format("s * (dy - mean_dy - y * mean_dy_y)"), "sums stand where means belong"),
        (
            NORM.replace("(2, 3)", "(1, 2, 3)").format("s * (dy - mean_dy - y * mean_dy_y)"),
            "the means run over (h, w) only",
        ),
        (
            NORM.format("s * (dy - mean_dy - y * (dy * x).mean(axis=(2, 3), keepdims=True))"),
            "the mean of dy * y has x in the place of y",
        ),
        (
            NORM.format("s * (dy - mean_dy - y * (dy * y).sum(axis=(2, 3), keepdims=True) / 8)"),
            "right at first, but not with",
        ),
        (
            NORM.format("s * (dy - mean_dy - centred * (dy * centred).mean(axis=(2, 3), keepdims=True))"),
            "x - mean for y at both places",
        ),
        (NORM.format("s * (dy - mean_dy - y**2 * mean_dy)"), "here with y once more"),
        (NORM.format("s * (dy - mean_dy - 0.5 * y * mean_dy_y)"), "the term of the variance is halved"),
        (NORM.format("(dy - mean_dy - y * mean_dy_y) / s"), "s is one over the deviation already"),
        (NORM.format("y"), "this is y, the forward pass"),
        (
            NORM.format("s * (dy - mean_dy - x * (dy * x).mean(axis=(2, 3), keepdims=True))"),
            "has x in it where y belongs",
        ),
        (NORM.replace("(2, 3)", "(1, 2)").format("s * (dy - mean_dy - y * mean_dy_y)"), "here they run over others"),
        (NORM.format("s * (dy - mean_dy - mean_dy_y)"), "the term of the variance lacks y"),
    ],
    "lost_scale": [
        (
            SCALE.format("centred * (dy * centred).mean(axis=(2, 3), keepdims=True)", "s"),
            "lacks two factors s: it is s * y",
        ),
        (SCALE.format("y * (dy * y).mean(axis=(2, 3), keepdims=True)", "1"), "the factor s before the bracket is lost"),
        (SCALE.format("y * (dy * y).mean(axis=(2, 3), keepdims=True)", "s**2"), "is s, not its square"),
        (SCALE.format("centred * (dy * y).mean(axis=(2, 3), keepdims=True)", "s"), "count its factors s"),
        (SCALE.format("s * s * centred * (dy * y).mean(axis=(2, 3), keepdims=True)", "s"), "has a factor s too many"),
        (
            SCALE.replace("(dy - through_mean - through_variance)", "(dy - through_mean) - through_variance").format(
                "centred * (dy * y).mean(axis=(2, 3), keepdims=True)", "s"
            ),
            "variance lacks two factors s",
        ),
        (
            SCALE.replace("= dy", "= s * dy").format("centred * (dy * y).mean(axis=(2, 3), keepdims=True)", "s"),
            "the share through the mean is right without a factor s",
        ),
        (
            SCALE.format("centred * (dy * y).mean(axis=(2, 3), keepdims=True)", "s**2"),
            "the factor before the bracket was right",
        ),
        (
            SCALE.format(
                "y * (dy * y).mean(axis=(2, 3), keepdims=True)", "s * (np.arange(2) < 1).reshape(-1, 1, 1, 1, 1)"
            ),
            "the gradient of x is right but for the last of axis 0, where it is 0",
        ),
        (SCALE.format("y * (dy * y).mean(axis=(2, 3))", "s"), "a mean lacks keepdims=True"),
        (SCALE.format("y * (dy * y).sum(axis=(2, 3), keepdims=True)", "s"), "the gradient of x["),
    ],
    "group_normalisation": [
        (GROUP.format(**GROUPS | {"axes": "(1, 2)"}), "the means run over (h, w) only"),
        (GROUP.format(**GROUPS | {"axes": "(1, 2, 3, 4)"}), "the means run over all groups"),
        (GROUP.format(**GROUPS | {"axes": "(1, 2, 3)"}), "the means leave out axis 4"),
        (GROUP.format(**GROUPS | {"axes": "(0, 1, 2, 4)"}), "the means run over the clips, too"),
        (GROUP.format(**GROUPS | {"mean": "0"}), "the term of the mean is missing"),
        (GROUP.format(**GROUPS | {"variance": "0"}), "the term of the variance is missing"),
        (GROUP.replace("s * (dy", "(dy").format(**GROUPS), "all is there but the factor s"),
        (GROUP.replace("- y", "+ y").format(**GROUPS), "the term of the variance has the wrong sign"),
        ("y, s = normalised(x, 2)\n" + GROUP.format(**GROUPS).lstrip(), "right at first, but not with 3 groups"),
        (
            GROUP.format(**GROUPS | {"end": ""}),
            "the gradient of x has the shape (3, 2, 2, 2, 2); it must have (3, 2, 2, 4)",
        ),
    ],
}
