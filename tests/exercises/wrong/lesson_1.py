"""Wrong answers to the exercises of lesson 1: lines between the marks, and words of the verdict."""

WRONG = {
    "chain_of_two": [
        ("dz = z\nreturn dz * w, dz * x, dz", "the derivatives are halved"),
        ("dz = 2 * z\nreturn dz * x, dz * w, dz", "dx and dw are exchanged"),
        ("dz = 2 * z\nreturn dz * w, dz * x, 1.0", "db lacks a factor"),
        ("dz = 2 * z\nreturn dz * w, dz * x", "2 things are returned; it must be 3: dx, dw, db"),
    ],
}
