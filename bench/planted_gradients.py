"""Planted mistakes put to gradient checkers: ours, PyTorch's, JAX's, HIPS autograd's, SciPy's.

    make bench-gradients                           # sets up the peers' own environment, writes JSON and the table
    python bench/planted_gradients.py [--only ours,torch] [--json FILE] [--table FILE]

The cases are in ``gradient_cases.py``.  Every checker is used as its documentation has it, with its default
tolerances; a checker that raises has rejected the case.  SciPy's check_grad gives an error and no verdict: more than
1e-5 of the gradient's norm (or of 1) counts as wrong.  A case that takes a checker more than 20 seconds has no verdict.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import signal
import sys
import time
import warnings
from datetime import date
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gradient_cases import CASES

SECONDS = 20


def ours(forward, backward, inputs):
    from emop3d_np.gradcheck import check

    return check(forward, backward, inputs).passed


def torch_gradcheck(forward, backward, inputs, fast=False):
    import torch

    class Pair(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            ctx.save_for_backward(*tensors)
            return torch.from_numpy(np.array(forward(*[t.detach().numpy().copy() for t in tensors])))

        @staticmethod
        def backward(ctx, d):
            arrays = [t.detach().numpy() for t in ctx.saved_tensors]
            return tuple(torch.from_numpy(np.array(g)) for g in backward(d.detach().numpy(), *arrays))

    tensors = tuple(torch.from_numpy(a.copy()).requires_grad_() for a in inputs)
    return torch.autograd.gradcheck(Pair.apply, tensors, fast_mode=fast)


def torch_fast(forward, backward, inputs):
    return torch_gradcheck(forward, backward, inputs, fast=True)


def jax_check_grads(forward, backward, inputs):
    import jax

    jax.config.update("jax_enable_x64", True)
    from jax.test_util import check_grads

    output = np.asarray(forward(*[a.copy() for a in inputs]))
    shape = jax.ShapeDtypeStruct(output.shape, output.dtype)
    shapes = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in inputs)

    @jax.custom_vjp
    def function(*arrays):
        return jax.pure_callback(lambda *a: np.asarray(forward(*map(np.array, a))), shape, *arrays)

    def backwards(saved, d):
        return jax.pure_callback(
            lambda d, *a: tuple(map(np.asarray, backward(np.array(d), *map(np.array, a)))), shapes, d, *saved
        )

    function.defvjp(lambda *arrays: (function(*arrays), arrays), backwards)
    check_grads(function, tuple(map(jax.numpy.asarray, inputs)), order=1, modes=["rev"])
    return True


def hips_check_grads(forward, backward, inputs):
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    function = primitive(forward)
    defvjp(
        function,
        *[lambda answer, *arrays, i=i: lambda d: backward(np.array(d), *arrays)[i] for i in range(len(inputs))],
    )
    check_grads(function, modes=["rev"], order=1)(*[a.copy() for a in inputs])
    return True


def scipy_check_grad(forward, backward, inputs):
    from scipy.optimize import check_grad

    sizes = np.cumsum([a.size for a in inputs])[:-1]

    def arrays(flat):
        parts = np.split(flat, sizes)
        return [part.reshape(a.shape).astype(a.dtype) for part, a in zip(parts, inputs, strict=True)]

    start = np.concatenate([a.ravel() for a in inputs]).astype(np.float64)
    output = np.asarray(forward(*arrays(start)))
    d = np.random.default_rng(0).standard_normal(output.shape).astype(output.dtype)

    def gradient(flat):
        return np.concatenate([np.ravel(g) for g in backward(d.copy(), *arrays(flat))]).astype(np.float64)

    error = check_grad(lambda flat: float((d * forward(*arrays(flat))).sum()), gradient, start)
    return bool(error <= 1e-5 * max(1.0, np.linalg.norm(gradient(start))))


CHECKERS = {
    "ours": ours, "torch": torch_gradcheck, "torch fast": torch_fast, "jax": jax_check_grads,
    "autograd": hips_check_grads, "scipy": scipy_check_grad,
}  # fmt: skip
PACKAGES = {"torch fast": "torch"}


class TooLong(BaseException):
    pass


def _too_long(*_):
    raise TooLong


def verdict(checker, case):
    """``passed`` (None: no verdict in time), ``seconds``, and the error that a checker raised."""
    started = time.perf_counter()
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    said = ""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            passed = bool(checker(*case.make()))
    except TooLong:
        passed = None
    except Exception as error:
        passed, said = False, type(error).__name__
    finally:
        signal.alarm(0)
    return {"passed": passed, "seconds": round(time.perf_counter() - started, 3), "said": said}


def summary(results):
    """One row a checker: caught, missed, false alarms, no verdict, seconds."""
    rows = {}
    for checker, verdicts in results.items():
        pairs = [(case.right, verdicts[case.name]) for case in CASES]
        rows[checker] = {
            "caught": sum(not right and v["passed"] is False for right, v in pairs),
            "missed": sum(not right and v["passed"] is True for right, v in pairs),
            "right accepted": sum(right and v["passed"] is True for right, v in pairs),
            "false alarms": sum(right and v["passed"] is False for right, v in pairs),
            "no verdict": sum(v["passed"] is None for _, v in pairs),
            "seconds": round(sum(v["seconds"] for _, v in pairs), 1),
        }
    return rows


def table(report):
    """The report as a page of Markdown."""
    wrong = sum(not case.right for case in CASES)
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [
        "# Planted mistakes: gradient checkers compared", "",
        "Written by `make bench-gradients`; do not edit.", "",
        f"{wrong} wrong backward passes and {len(CASES) - wrong} right ones that look wrong "
        f"(`bench/gradient_cases.py`), default tolerances of every checker, "
        f"{SECONDS} s per case at most.",
        f"{report['date']}, {report['machine']}, {report['cores']} cores; {versions}.", "",
    ]  # fmt: skip
    columns = ["caught", "missed", "right accepted", "false alarms", "no verdict", "seconds"]
    lines += [f"| checker | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for checker, row in report["summary"].items():
        lines.append(f"| {checker} | {' | '.join(str(row[column]) for column in columns)} |")
    lines += ["", f"| case | due | {' | '.join(report['results'])} |", "|---" * (len(report["results"]) + 2) + "|"]
    for case in CASES:
        due = "right" if case.right else "wrong"
        words = []
        for verdicts in report["results"].values():
            passed = verdicts[case.name]["passed"]
            words.append(
                "no verdict"
                if passed is None
                else ""
                if passed == case.right
                else "**missed**"
                if passed
                else "**false alarm**"
            )
        name = case.name.replace("|", r"\|")
        lines.append(f"| {name} | {due} | {' | '.join(words)} |")
    return "\n".join([*lines, *REFERENCES]) + "\n"


REFERENCES = (
    "",
    "## References",
    "",
    "- A. Paszke and others, *PyTorch: an imperative style, high-performance deep learning library*, NeurIPS 2019.",
    "- D. Maclaurin, D. Duvenaud, R. P. Adams, *Autograd: effortless gradients in NumPy*, ICML AutoML workshop, 2015.",
    "- J. Bradbury and others, *JAX: composable transformations of Python and NumPy programs*, 2018.",
    "- P. Virtanen and others, *SciPy 1.0: fundamental algorithms for scientific computing*, Nature Methods 17, 2020.",
)
"""How the page of Markdown ends."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="checkers, comma between; default all that are installed")
    parser.add_argument("--json", help="file to write the results to")
    parser.add_argument("--table", help="file to write the table to")
    given = parser.parse_args()
    results, versions = {}, {"python": platform.python_version(), "numpy": np.__version__}
    for name in given.only.split(",") if given.only else CHECKERS:
        if name != "ours":
            try:
                package = PACKAGES.get(name, name)
                versions[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                print(f"{name}: not installed, left out")
                continue
        verdict(CHECKERS[name], CASES[0])  # imports and first calls are not timed
        results[name] = {case.name: verdict(CHECKERS[name], case) for case in CASES}
        print(f"{name}: {summary({name: results[name]})[name]}", flush=True)
    report = {
        "date": date.today().isoformat(), "machine": f"{platform.machine()} {platform.system()}",
        "cores": os.cpu_count(), "versions": versions, "summary": summary(results), "results": results,
    }  # fmt: skip
    if given.json:
        Path(given.json).write_text(json.dumps(report, indent=1) + "\n")
    if given.table:
        Path(given.table).write_text(table(report))


if __name__ == "__main__":
    main()
