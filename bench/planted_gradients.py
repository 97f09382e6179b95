"""Planted mistakes put to gradient checkers: ours, PyTorch's, JAX's, HIPS autograd's, SciPy's.

    make bench-gradients                           # sets up the peers' own environment, writes JSON and the page
    python bench/planted_gradients.py --only ours  # what ours misses and cries, in this environment
    python bench/planted_gradients.py --only ours --seeds 10 --match softmax
    python bench/planted_gradients.py --only ours --add --json FILE --table FILE  # beside the others' in FILE

The cases are in ``gradient_cases``, the checkers in ``gradient_checkers.py``, the page in ``gradient_table.py``.  A
checker that raises has rejected the case.  One that takes more than LIMIT seconds of one core has not decided, and nor
has one that goes through all elements where its calls of forward alone take longer.
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
from gradient_checkers import CALLS, CHECKERS
from gradient_table import COLUMNS, page, summary

LIMIT = 15
"""Seconds of one core a case."""
MANY = 10_000
"""Fewer calls of forward than this are made and timed, not foretold."""


class TooLong(BaseException):
    pass


def _too_long(*_):
    raise TooLong


def verdict(name, case, **options):
    """``passed`` (None: no verdict), ``seconds`` of one core, and the error that checker ``name`` raised."""
    needed = calls_take(CALLS.get(name, 0), case)
    if needed > LIMIT:
        return {"passed": None, "seconds": LIMIT, "said": f"its calls alone take {needed:.0f} s"}
    started = time.process_time()
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    said = ""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            passed = CHECKERS[name](*case.make(), **options)
            passed = None if passed is None else bool(passed)
    except TooLong:
        passed = None
    except Exception as error:
        passed, said = False, type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return {"passed": passed, "seconds": round(time.process_time() - started, 3), "said": said}


def calls_take(calls, case):
    """Seconds that so many calls of forward an element take; 0 where there are not many."""
    forward, _, inputs = case.make()
    elements = sum(each.size for each in inputs)
    if calls * elements < MANY:
        return 0
    with np.errstate(all="ignore"):
        started = time.process_time()
        forward(*[each.copy() for each in inputs])
    return calls * elements * (time.process_time() - started)


def installed(names):
    """Those of ``names`` whose package is there, and the versions of all packages."""
    versions, there = {"python": platform.python_version(), "numpy": np.__version__}, []
    for name in names:
        package = name.split()[0]
        try:
            if package != "ours":
                versions[package] = importlib.metadata.version(package)
            there.append(name)
        except importlib.metadata.PackageNotFoundError:
            print(f"{name}: not installed, left out")
    return there, versions


def told(case, passed):
    """One line on a verdict that is not the one due."""
    words = "undecided" if passed is None else "MISSED" if passed else "FALSE ALARM"
    print(f"  {words}: {case.name}", flush=True)


def by_seed(count, cases):
    """Names of the cases of which ours gives another verdict with another seed."""
    verdicts = {case.name: [verdict("ours", case, seed=seed)["passed"] for seed in range(count)] for case in cases}
    return {"from": 0, "to": count - 1, "differ": [name for name, each in verdicts.items() if len(set(each)) > 1]}


def written(report):
    """The report as JSON, one line a verdict."""
    shell = {name: value for name, value in report.items() if name != "results"}
    parts = []
    for checker, verdicts in report["results"].items():
        rows = ",\n".join(f"   {json.dumps(name)}: {json.dumps(each)}" for name, each in verdicts.items())
        parts.append(f"  {json.dumps(checker)}: {{\n{rows}\n  }}")
    return json.dumps(shell, indent=1)[:-2] + ',\n "results": {\n' + ",\n".join(parts) + "\n }\n}\n"


def judged(name, cases, known):
    """Verdicts of checker ``name`` by case; ``known`` are those that need not be asked for again."""
    verdict(name, CASES[0])  # imports and first calls are not timed
    verdicts = {}
    for case in cases:
        verdicts[case.name] = known.get(case.name) or verdict(name, case)
        if name == "ours" and verdicts[case.name]["passed"] is not case.right:
            told(case, verdicts[case.name]["passed"])
    return verdicts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="checkers, comma between; default all that are installed")
    parser.add_argument("--match", default="", help="only cases whose names have these words; writes nothing")
    parser.add_argument("--seeds", type=int, default=0, help="so many seeds of ours, and which verdicts depend on it")
    parser.add_argument("--json", help="file to write the results to")
    parser.add_argument("--table", help="file to write the page to")
    parser.add_argument("--add", action="store_true", help="keep what the JSON file has of checkers not in --only")
    given = parser.parse_args()
    cases = [case for case in CASES if given.match in case.name]
    names, versions = installed(given.only.split(",") if given.only else CHECKERS)
    there = given.add and Path(given.json).exists()
    old = json.loads(Path(given.json).read_text()) if there else {"results": {}, "versions": {}}
    results = {}
    for name in [each for each in CHECKERS if each in names or each in old["results"]]:
        known = {} if name in names else old["results"][name]
        results[name] = judged(name, cases, known)
        if len(cases) == len(CASES):
            row = summary({name: results[name]})[name]
            print(f"{name}: " + ", ".join(f"{column} {row[column]}" for column in COLUMNS), flush=True)
    seeds = by_seed(given.seeds, cases) if given.seeds else None
    if seeds:
        print(f"depends on the seed, {given.seeds} of them: {', '.join(seeds['differ']) or 'none'}")
    if len(cases) < len(CASES):
        return
    report = {
        "date": date.today().isoformat(), "machine": f"{platform.machine()} {platform.system()}",
        "cores": os.cpu_count(), "limit": LIMIT, "versions": old["versions"] | versions,
        "summary": summary(results),
    }  # fmt: skip
    report |= ({"seeds": seeds} if seeds else {}) | {"results": results}
    if given.json:
        Path(given.json).write_text(written(report))
    if given.table:
        Path(given.table).write_text(page(report))


if __name__ == "__main__":
    main()
