"""The mutation test's own parts: what it changes, how that is put in place, and that its list is up to date."""

import ast
import sys
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
import mutants

ROOT = Path(__file__).resolve().parents[1]
SOURCE = '''
RATE = 0.5


def step(a, b, rate=RATE):
    """Not a - b."""
    total = np.zeros(2)
    for i in range(2):
        total[i] += a[i, 0] - rate * b[0, i]
    if total[0] < 0:
        raise ValueError("below 0")
    return total
'''


def changes():
    return list(mutants.mutants_of("step.py", SOURCE, ast.parse(SOURCE)))


def test_what_is_changed():
    words = {f"{mutant.function} {mutant.change}" for mutant in changes()}
    for expected in (
        " 0.5 -> 0.505", "step zeros -> ones", "step range(2) -> range(0 + 1, 2)", "step range(2) -> range(0, 2 - 1)",
        "step a[i, 0] - rate * b[0, i] -> a[i, 0] + rate * b[0, i]", "step rate * b[0, i] -> rate",
        "step (i, 0) -> (0, i)", "step deleted", "step total[0] < 0 -> total[0] <= 0", "step if False:",
        "step total[i] += a[i, 0] - rate * b[0, i] -> total[i] = a[i, 0] - rate * b[0, i]",
    ):  # fmt: skip
        assert expected.replace("zeros -> ones", "np.zeros -> np.ones") in words, expected
    assert not any("Not" in each or "below" in each for each in words)


def test_every_text_is_one_mutant():
    texts = [str(mutant) for mutant in changes()]
    assert len(set(texts)) == len(texts)


def test_code_in_place_of_code():
    """Whoever holds a function gets the mutant's code; a constant changes where it is a default, too."""
    import numpy as np

    module = types.ModuleType("emop3d_np.step")
    module.__dict__.update(np=np, __file__="step.py")
    exec(SOURCE, vars(module))
    held, one = module.step, np.ones((2, 2))
    sys.modules[module.__name__] = module
    try:
        for change, expected in (("0.5 -> 0.505", 0.495), ("rate * b[0, i] -> rate / b[0, i]", 0.875)):
            tree = ast.parse(SOURCE)
            mutant = next(each for each in mutants.mutants_of("step.py", SOURCE, tree) if each.change == change)
            mutant.plant()
            assert mutants.install(module, tree)
            assert np.allclose(held(one, one if change[0] == "0" else 4 * one), expected), change
            mutants.install(module, ast.parse(SOURCE))
            assert np.allclose(held(one, one), 0.5)
    finally:
        del sys.modules[module.__name__]


def test_the_list_is_up_to_date():
    """Every mutant that is listed as equivalent is one."""
    known = set()
    for file in mutants.MODULES:
        source = (ROOT / file).read_text()
        known |= {str(mutant) for mutant in mutants.mutants_of(file, source, ast.parse(source))}
    gone = [text for text in mutants.read_equivalent() if text not in known]
    assert not gone, "\n".join(gone)
