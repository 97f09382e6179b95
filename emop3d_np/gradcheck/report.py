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
        errors: of wrong inputs, by position: what backward says less what it should say, for the first incoming
            gradient; an array of the input's shape, NaN where that is not known.
        method: the numeric side.
        seconds, budget: time taken, and the time that was given (None: no limit).
        decided: nothing was left without a verdict.
        broke_rules: functions changed what they were given, or are not repeatable; exit code 2.
    """

    passed: bool
    worst: Finding | None
    findings: list[Finding]
    inputs: list[InputRow]
    problems: list[str]
    notes: list[str]
    ratios: list[FloatArray | None] = field(repr=False)
    errors: dict[int, FloatArray] = field(default_factory=dict, repr=False)
    causes: list[str] = field(default_factory=list)
    method: str = ""
    seconds: float = 0.0
    budget: float | None = None
    broke_rules: bool = False
    decided: bool = True

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
        for row in found.rows:
            row.verdict = _verdict(
                row, findings, [words for words, i in broken if i >= 0 and found.names[i] == row.name]
            )
        unseen = [
            row.name
            for row, ratios in zip(found.rows, found.ratios, strict=True)
            if found.method and ratios is not None and ratios.size and not (row.elements or row.directions)
        ]
        decided = not (found.undecided or unseen)
        if unseen:
            found.note(f"not decided: {', '.join(map(str, unseen))}: nothing of it was judged")
        return cls(
            passed=not problems and decided and all(share <= 1 for share in _shares(findings, found.rows)),
            worst=findings[0] if findings else None,
            findings=findings,
            inputs=found.rows,
            problems=problems,
            decided=decided,
            notes=found.notes,
            ratios=found.ratios,
            errors=found.errors,
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
    def undecided(self) -> int:
        """Elements whose gradient can be called neither right nor wrong, as that of the square root at 0."""
        return sum(row.undecided for row in self.inputs)

    @property
    def verdict(self) -> str:
        """ "right", "WRONG", or "not decided": nothing is wrong, but not all could be decided."""
        if self.passed:
            return "right"
        return "WRONG" if self.decided or self.problems or self.share > 1 else "not decided"

    @property
    def exit_code(self) -> int:
        """0 right, 1 wrong or not decided, 2 not to be checked: functions change what they get, or do not repeat."""
        return 0 if self.passed else 2 if self.broke_rules else 1

    @property
    def share(self) -> float:
        """Largest share of the allowed error, elements and directions; above 1 is wrong."""
        if self.problems and not self.passed:
            return math.inf
        return max(_shares(self.findings, self.inputs), default=0.0)

    def __str__(self) -> str:
        budget = "no limit" if self.budget is None else f"budget {self.budget:g} s"
        lines = [f"gradient check: {self.verdict}; {self._looked_at()}{self.method or 'rules'}; ", ""]
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
        lines.append(f"{head} {'kinks':>6} {'ties':>5}  verdict")
        for row in self.inputs:
            size = math.prod(row.shape)
            judged = f"{row.elements} of {size}"
            shape = "x".join(map(str, row.shape)) or "scalar"
            line = f"{row.name!s:<{width}} {shape:<20} {row.dtype:<8} {judged:>18} {row.directions:>10}"
            lines.append(f"{line} {row.kinks:>6} {row.ties:>5}  {row.verdict}")
        kinks = sum(row.kinks for row in self.inputs)
        if kinks:
            lines.append(f"at {kinks} elements with a kink, any value between the one-sided slopes was accepted")
        lines += [f"note: {words}" for words in self.notes]
        if self.share <= 1:
            lines.append(f"worst = {100 * self.share:.3g} % of what is allowed")
        elif self.worst is not None and not self.problems:
            lines.append(f"worst: {self.worst.place}: {self.worst.verdict}")
        return "\n".join(lines)

    def _looked_at(self) -> str:
        """What of the elements was not judged, in words."""
        judged = [row for row, ratios in zip(self.inputs, self.ratios, strict=True) if ratios is not None]
        total, looked = sum(math.prod(row.shape) for row in judged), sum(row.elements for row in judged)
        words = f"{self.undecided} elements not decided; " if self.undecided else ""
        if looked + self.undecided < total:
            words += f"{looked} of {total} elements judged one by one; "
        return words

    def as_dict(self) -> dict[str, Any]:
        """Everything but the ratios of single elements, for JSON; numbers that are not finite become text."""
        what = {
            "passed": self.passed, "verdict": self.verdict, "undecided": self.undecided,
            "exit_code": self.exit_code, "share_of_allowed": self.share, "method": self.method,
            "seconds": self.seconds, "budget": self.budget, "problems": self.problems, "notes": self.notes,
            "likely": self.causes,
            "worst": asdict(self.worst) | {"verdict": self.worst.verdict} if self.worst else None,
            "findings": [asdict(finding) | {"verdict": finding.verdict} for finding in self.findings[:100]],
            "inputs": [asdict(row) for row in self.inputs],
        }  # fmt: skip
        return {name: _plain(value) for name, value in what.items()}

    def json(self) -> str:
        """:meth:`as_dict` as text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)


def _verdict(row: InputRow, findings: Sequence[Finding], broken: Sequence[str]) -> str:
    """What is to be said of one input: its worst finding, a broken rule, or what part of the allowed error it uses."""
    wrong = [finding for finding in findings if finding.ratio > 1 and finding.array == row.name]
    if wrong:
        return wrong[0].verdict
    shares = _shares([], [row])
    if broken or max(shares) > 1:
        return "a rule is broken" if broken else "wrong"
    if row.undecided:
        return f"{row.undecided} not decided"
    if not row.elements and not row.directions:
        return "not judged"
    return f"{100 * max(shares):.2g} % of what is allowed"


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
