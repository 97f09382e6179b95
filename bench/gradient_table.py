"""The page on planted mistakes, from what ``planted_gradients.py`` measured."""

from gradient_cases import CASES, twin

COLUMNS = ("pairs", "caught", "missed", "false alarms, float64", "false alarms, float32", "undecided", "seconds")


def summary(results):
    """One row a checker, by COLUMNS.

    Args:
        results: by checker, by case: ``passed`` (None: no verdict), ``seconds``.
    """
    rows = {}
    for checker, verdicts in results.items():
        passed = {name: verdict["passed"] for name, verdict in verdicts.items()}
        wrong = [case for case in CASES if not case.right]
        alarms = [case.single for case in CASES if case.right and passed[case.name] is False]
        rows[checker] = {
            "pairs": sum(passed[case.name] is False and passed[twin(case).name] is True for case in wrong),
            "caught": sum(passed[case.name] is False for case in wrong),
            "missed": sum(passed[case.name] is True for case in wrong),
            "false alarms, float64": len(alarms) - sum(alarms),
            "false alarms, float32": sum(alarms),
            "undecided": sum(each is None for each in passed.values()),
            "seconds": round(sum(verdict["seconds"] for verdict in verdicts.values()), 1),
        }
    return rows


def missed_by_all(results):
    """Names of wrong cases that no checker rejects."""
    everyone = results.values()
    names = [case.name for case in CASES if not case.right]
    return [name for name in names if all(verdicts[name]["passed"] is not False for verdicts in everyone)]


def mistaken(results, checker):
    """Names of the cases of which ``checker`` gives the wrong verdict, or none."""
    verdicts = results[checker]
    return [case.name for case in CASES if verdicts[case.name]["passed"] is not case.right]


def page(report):
    """The report as a page of Markdown."""
    wrong = [case for case in CASES if not case.right]
    singles = sum(case.single for case in CASES if case.right)
    doubles = len(CASES) - len(wrong) - singles
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [
        "# Planted mistakes: gradient checkers compared", "",
        "Written by `make bench-gradients`; do not edit.", "",
        f"{len(wrong)} wrong backward passes, each with a right twin, {len(CASES) - len(wrong)} right ones in all: "
        f"{doubles} in float64, {singles} with an input in coarser numbers (`bench/gradient_cases/`). "
        f"{sum(case.truth is not None for case in CASES)} of the right ones are confirmed by PyTorch's automatic "
        "differentiation (`bench/gradient_truth.py`), the others stand on their formulas. Ours was mended while these "
        "cases were written, and was tried on them; for the others they are new.", "",
        "A **pair** is won where the wrong one is rejected *and* its right twin accepted: who rejects everything wins "
        "none.", "",
        "Everybody at recommended settings (`bench/gradient_checkers.py`): the others in float64 whatever the case "
        "computes in; *torch strict* is PyTorch's gradcheck at rtol 1e-6, atol 1e-9; *jax* is also tried in the case's "
        f"own numbers. {report['limit']} s of one core per case at most; who takes longer, or says that it cannot "
        "tell, has not decided.",
        f"{report['date']}, {report['machine']}, {report['cores']} cores; {versions}.", "",
        f"| checker | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|",
    ]  # fmt: skip
    for checker, row in report["summary"].items():
        lines.append(f"| {checker} | {' | '.join(str(row[column]) for column in COLUMNS)} |")
    of = {"pairs": len(wrong), "caught": len(wrong), "missed": len(wrong), "undecided": len(CASES), "seconds": ""}
    of |= {"false alarms, float64": doubles, "false alarms, float32": singles}
    lines += [f"| *of* | {' | '.join(str(of[column]) for column in COLUMNS)} |", ""]
    lines += _listed("Wrong, and rejected by no checker", missed_by_all(report["results"]))
    if "ours" in report["results"]:
        lines += _listed("Where ours is mistaken or undecided", mistaken(report["results"], "ours"))
    if "seeds" in report:
        seeds = report["seeds"]
        lines += _listed(
            f"Where the verdict of ours depends on its seed, {seeds['from']} to {seeds['to']}", seeds["differ"]
        )
    return "\n".join([*lines, *_of_all_cases(report["results"]), *REFERENCES]) + "\n"


REFERENCES = (
    "",
    "## References",
    "",
    "- A. Paszke and others, *PyTorch: an imperative style, high-performance deep learning library*, NeurIPS 2019.",
    "- D. Maclaurin, D. Duvenaud, R. P. Adams, *Autograd: effortless gradients in NumPy*, ICML AutoML workshop, 2015.",
    "- J. Bradbury and others, *JAX: composable transformations of Python and NumPy programs*, 2018.",
    "- P. Virtanen and others, *SciPy 1.0: fundamental algorithms for scientific computing*, Nature Methods 17, 2020.",
)
"""How the page ends."""


def _listed(words, names):
    return [f"## {words}", "", *([f"- {_cell(name)}" for name in names] or ["None."]), ""]


def _of_all_cases(results):
    rows = []
    for case in CASES:
        words = []
        for verdicts in results.values():
            passed = verdicts[case.name]["passed"]
            if passed is None:
                words.append("undecided")
            else:
                words.append("" if passed == case.right else "**missed**" if passed else "**false alarm**")
        if any(words):
            rows.append(f"| {_cell(case.name)} | {'right' if case.right else 'wrong'} | {' | '.join(words)} |")
    return [
        "## Where any is mistaken or undecided",
        "",
        f"All checkers judge the other {len(CASES) - len(rows)} of the {len(CASES)} cases rightly; "
        "`docs/planted_gradients.json` has every verdict.",
        "",
        f"| case | due | {' | '.join(results)} |",
        "|---" * (len(results) + 2) + "|",
        *rows,
    ]


def _cell(name):
    return name.replace("|", r"\|")
