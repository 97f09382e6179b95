"""What a check found: as text and as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from kernels.arrays import FloatArray

from .effort import Budget
from .finding import Finding, InputRow
from .state import Found

LINES = 8
"""Elements listed in a report, the worst ones."""


@dataclass
class Report:
    """The verdict on a pair of functions.

    Attributes:
        passed: every rule is kept and every judged value is within its allowed error.
        worst: the Finding nearest to (or furthest beyond) what is allowed; None if nothing could be judged.
        findings: Findings, worst first.
        inputs: an InputRow per input.
        problems: rules that were broken, in words.
        notes: what a reader should know beside.
        causes: what is likely wrong, a sentence each; empty where nothing is right or nothing fits.
        ratios: for each input an array of its shape: share of the allowed error, NaN where it was not judged.
        method: the numeric side.
        seconds, budget: time taken, and the time that was given (None: no limit).
        broke_rules: functions changed what they were given, or are not repeatable; exit code 2.
    """

    passed: bool
    worst: Finding | None
    findings: list[Finding]
    inputs: list[InputRow]
    problems: list[str]
    notes: list[str]
    ratios: list[FloatArray | None] = field(repr=False)
    causes: list[str] = field(default_factory=list)
    method: str = ""
    seconds: float = 0.0
    budget: float | None = None
    broke_rules: bool = False

    @classmethod
    def of(cls, found: Found, broken: Sequence[tuple[str, int]], unmovable: Sequence[str], budget: Budget) -> "Report":
        """The report of a finished check.

        Args:
            found: what was found, summed up.
            broken: the rules that were broken, in words, each with the position of the input concerned, -1: none.
            unmovable: problems of inputs that cannot be moved, in words.
            budget: the time that was given and taken.
        """
        problems = [words for words, _ in broken] + list(unmovable)
        findings = found.findings
        for words, i in broken:
            if not any(f.ratio > 1 for f in findings):
                findings = [Finding(found.names[max(i, 0)], (), how=words), *findings]
        # An element says more than a direction; one element is listed once.
        findings = sorted(findings, key=lambda f: (f.ratio <= 1, f.along, -f.ratio))
        findings = list({(f.array, f.index, f.along): f for f in reversed(findings)}.values())[::-1]
        return cls(
            passed=not problems and all(share <= 1 for share in _shares(findings, found.rows)),
            worst=findings[0] if findings else None,
            findings=findings,
            inputs=found.rows,
            problems=problems,
            notes=found.notes,
            ratios=found.ratios,
            causes=found.causes,
            method=found.method,
            seconds=budget.spent,
            budget=budget.seconds,
            broke_rules=any("in place" in words or words.startswith("forward") for words in problems),
        )

    def __bool__(self) -> bool:
        """``passed``, so that ``assert check(...)`` means what it says; :func:`assert_gradients` says more."""
        return self.passed

    @property
    def exit_code(self) -> int:
        """0 right, 1 wrong, 2 not to be checked: the functions change what they get, or are not repeatable."""
        return 0 if self.passed else 2 if self.broke_rules else 1

    @property
    def share(self) -> float:
        """Largest share of the allowed error, elements and directions; above 1 is wrong."""
        if self.problems and not self.passed:
            return math.inf
        return max(_shares(self.findings, self.inputs), default=0.0)

    def __str__(self) -> str:
        budget = "no limit" if self.budget is None else f"budget {self.budget:g} s"
        lines = [f"gradient check: {'right' if self.passed else 'WRONG'}; {self.method or 'rules'}; ", ""]
        lines[0] += f"{self.seconds:.1f} s ({budget})"
        lines += [f"  broken rule: {words}" for words in self.problems]
        wrong = [finding for finding in self.findings if finding.ratio > 1]
        if wrong:
            lines += ["", f"worst of {len(wrong)} wrong:", *(f"  {finding}" for finding in wrong[:LINES])]
        lines += [f"likely: {words}" for words in self.causes]
        if self.problems or wrong:
            lines.append("")
        width = max([len(str(row.name)) for row in self.inputs] + [5])
        head = f"{'input':<{width}} {'shape':<20} {'dtype':<8} {'elements':>18} {'directions':>10}"
        lines.append(f"{head} {'kinks':>6} {'ties':>5} {'of allowed':>10}")
        for row in self.inputs:
            size = math.prod(row.shape)
            worst = max([row.worst_direction] + ([] if math.isnan(row.worst) else [row.worst]))
            judged = f"{row.elements} of {size}"
            shape = "x".join(map(str, row.shape)) or "scalar"
            share = f"{100 * worst:.2g} %" if row.elements or row.directions else "-"
            line = f"{row.name!s:<{width}} {shape:<20} {row.dtype:<8} {judged:>18} {row.directions:>10}"
            lines.append(f"{line} {row.kinks:>6} {row.ties:>5} {share:>10}")
        kinks = sum(row.kinks for row in self.inputs)
        if kinks:
            lines.append(f"at {kinks} elements with a kink, any value between the one-sided slopes was accepted")
        lines += [f"note: {words}" for words in self.notes]
        lines += [f"worst = {100 * self.share:.3g} % of what is allowed"]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the ratios of single elements, for JSON; numbers that are not finite become text."""
        what = {
            "passed": self.passed, "exit_code": self.exit_code, "share_of_allowed": self.share, "method": self.method,
            "seconds": self.seconds, "budget": self.budget, "problems": self.problems, "notes": self.notes,
            "likely": self.causes,
            "worst": asdict(self.worst) if self.worst else None,
            "findings": [asdict(finding) for finding in self.findings[:100]],
            "inputs": [asdict(row) for row in self.inputs],
        }  # fmt: skip
        return {name: _plain(value) for name, value in what.items()}

    def json(self) -> str:
        """:meth:`as_dict` as text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)


def _shares(findings: Sequence[Finding], rows: Sequence[InputRow]) -> list[float]:
    """Shares of the allowed error, of all elements and directions that were judged."""
    shares = [finding.ratio for finding in findings] + [row.worst_direction for row in rows]
    return shares + [row.worst for row in rows if not math.isnan(row.worst)]


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else str(float(value))
    return value.item() if isinstance(value, np.generic) else value
