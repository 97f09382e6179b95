"""What a check found: as text, as JSON, as a picture."""

import json
import math
import time
from dataclasses import asdict, dataclass, field

import numpy as np

LINES = 8
"""Elements listed in a report, the worst ones."""


@dataclass
class Finding:
    """One judged value.

    Attributes:
        array: name or position of the input.
        index: its multi-index.
        analytic: what backward says; numeric: what it should say (at a kink: the nearest value that would be right).
        left, right: one-sided slopes.
        error, allowed: the value is right if ``error <= allowed``.
        how: what was looked at, in words.
    """

    array: object
    index: tuple
    analytic: float = math.nan
    numeric: float = math.nan
    left: float = math.nan
    right: float = math.nan
    error: float = math.inf
    allowed: float = 0.0
    how: str = ""

    @property
    def ratio(self):
        """Share of the allowed error that is used; above 1 is wrong.  NaN counts as infinite."""
        if self.error <= self.allowed:
            return self.error / self.allowed if self.error > 0 else 0.0
        return self.error / self.allowed if self.allowed > 0 and not math.isnan(self.error) else math.inf

    def __str__(self):
        place = f"input {self.array}" if isinstance(self.array, int) else self.array
        index = f"[{', '.join(map(str, self.index))}]" if self.index is not None else ""
        lines = f"{place}{index}: analytic {self.analytic:.9g}, numeric {self.numeric:.9g}"
        if self.left != self.right and not math.isnan(self.left):
            lines += f" (left {self.left:.6g}, right {self.right:.6g})"
        return lines + f", error {self.error:.3g}, allowed {self.allowed:.3g}" + (f"; {self.how}" if self.how else "")


@dataclass
class InputRow:
    """What was done for one input.

    Attributes:
        elements: judged one by one; directions: judged as a whole.
        kinks: elements at a kink; ties: groups of them that are tied; unmovable: elements forward cannot be moved at.
        worst, worst_direction: largest share of the allowed error, of the elements and of the directions.
    """

    name: object
    shape: tuple
    dtype: str
    elements: int = 0
    directions: int = 0
    kinks: int = 0
    ties: int = 0
    unmovable: int = 0
    worst: float = math.nan
    worst_direction: float = 0.0


@dataclass
class Report:
    """The verdict on a pair of functions.

    Attributes:
        passed: every rule is kept and every judged value is within its allowed error.
        worst: the Finding nearest to (or furthest beyond) what is allowed; None if nothing could be judged.
        findings: Findings, worst first.
        inputs: an InputRow an input.
        problems: rules that were broken, in words.
        notes: what a reader should know beside.
        ratios: for each input an array of its shape: share of the allowed error, NaN where it was not judged.
        method: the numeric side.
        seconds, budget: time taken, and the time that was given (None: no limit).
        broke_rules: functions changed what they were given, or are not repeatable; exit code 2.
    """

    passed: bool
    worst: Finding | None
    findings: list
    inputs: list
    problems: list
    notes: list
    ratios: list = field(repr=False)
    method: str = ""
    seconds: float = 0.0
    budget: float | None = None
    broke_rules: bool = False

    @classmethod
    def of(cls, check):
        """The report of a finished check."""
        problems = [words for words, _ in check.pair.problems]
        for row, ratios in zip(check.rows, check.ratios, strict=True):
            judged = ratios[~np.isnan(ratios)] if ratios is not None else np.empty(0)
            row.worst = float(judged.max()) if judged.size else math.nan
            if row.unmovable and row.unmovable >= 0.5 * row.elements + 1:
                problems.append(
                    f"input {row.name} cannot be moved: forward gives NaN or raises beside the given values"
                )
            elif row.unmovable:
                check.note(f"{row.unmovable} elements of input {row.name} cannot be moved; they were not judged")
        findings = check.findings
        if not findings:
            findings = _calmest(check)
        for words, i in check.pair.problems:
            if not any(f.ratio > 1 for f in findings):
                findings = [Finding(check.names[max(i, 0)], (), how=words), *findings]
        # An element says more than a direction; one element is listed once.
        findings = sorted(findings, key=lambda f: (f.ratio <= 1, f.how.startswith("along"), -f.ratio))
        findings = list({(f.array, f.index, f.how.startswith("along")): f for f in reversed(findings)}.values())[::-1]
        worst_element = max((row.worst for row in check.rows if not math.isnan(row.worst)), default=0.0)
        worst_direction = max((row.worst_direction for row in check.rows), default=0.0)
        passed = not problems and worst_element <= 1 and worst_direction <= 1 and all(f.ratio <= 1 for f in findings)
        return cls(
            passed, findings[0] if findings else None, findings, check.rows, problems, check.notes, check.ratios,
            check.method, time.perf_counter() - check.started, check.seconds,
            any("in place" in words or words.startswith("forward") for words in problems),
        )  # fmt: skip

    @property
    def exit_code(self):
        """0 right, 1 wrong, 2 not to be checked: the functions change what they get, or are not repeatable."""
        return 0 if self.passed else 2 if self.broke_rules else 1

    @property
    def share(self):
        """Largest share of the allowed error, elements and directions; above 1 is wrong."""
        shares = [f.ratio for f in self.findings] + [row.worst_direction for row in self.inputs]
        shares += [row.worst for row in self.inputs if not math.isnan(row.worst)]
        return math.inf if self.problems and not self.passed else max(shares, default=0.0)

    def __str__(self):
        budget = "no limit" if self.budget is None else f"budget {self.budget:g} s"
        lines = [f"gradient check: {'right' if self.passed else 'WRONG'}; {self.method or 'rules'}; ", ""]
        lines[0] += f"{self.seconds:.1f} s ({budget})"
        lines += [f"  broken rule: {words}" for words in self.problems]
        wrong = [finding for finding in self.findings if finding.ratio > 1]
        if wrong:
            lines += ["", f"worst of {len(wrong)} wrong:", *(f"  {finding}" for finding in wrong[:LINES])]
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

    def as_dict(self):
        """Everything but the ratios of single elements, for JSON; numbers that are not finite become text."""
        what = {
            "passed": self.passed, "exit_code": self.exit_code, "share_of_allowed": self.share, "method": self.method,
            "seconds": self.seconds, "budget": self.budget, "problems": self.problems, "notes": self.notes,
            "worst": asdict(self.worst) if self.worst else None,
            "findings": [asdict(finding) for finding in self.findings[:100]],
            "inputs": [asdict(row) for row in self.inputs],
        }  # fmt: skip
        return _plain(what)

    def json(self):
        """:meth:`as_dict` as text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)


def _calmest(check):
    """Where nothing needed a closer look: the element nearest its allowed error, by its quick look."""
    best = None
    for i, ratios in enumerate(check.ratios):
        if ratios is not None and ratios.size and not np.isnan(ratios).all():
            flat = int(np.nanargmax(ratios))
            if best is None or ratios.flat[flat] > best[2]:
                best = (i, flat, ratios.flat[flat])
    if best is None:
        return []
    before = len(check.findings)
    ratio = check.ratios[best[0]].flat[best[1]]
    check._judge_element(best[0], best[1])
    check.ratios[best[0]].flat[best[1]] = ratio
    return check.findings[before:]


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else str(float(value))
    return value.item() if isinstance(value, np.generic) else value
