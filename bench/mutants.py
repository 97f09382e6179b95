"""Mutation test of our own suite: how many small mistakes in the code do the tests notice?

    make mutants                                       # all modules; writes docs/mutants.json and docs/mutants.md
    python bench/mutants.py [MODULE ...] [--sample N] [--recheck] [--jobs 2] [--json FILE] [--table FILE]

A mutant is a module with one small change: another operator, a constant off by one, a term, a factor, a sign or a
statement left out, arguments or indices swapped, a range one shorter, a condition that always holds.  It is killed when
a test fails.  The kernels run interpreted, as in ``make test-interpreted``.

The well-kept tools do not fit: mutmut leaves decorated functions alone, and every kernel of the fast edition is one;
cosmic-ray starts the tests' process anew for each mutant, which takes longer than the tests do.  So: one process
collects the tests once and notes which functions each of them calls.  For every mutant it forks; the child puts the
mutant's code into the functions that are there already, whoever holds them, and runs the tests that call the changed
function, the quickest first, until one fails.

A mutant that computes the same in another way cannot be killed.  ``equivalent_mutants.txt`` lists those by hand, each
under its reason, as this script prints survivors.  They are not run, but with ``--recheck``; an entry that no mutant
answers to any more is reported.  Of the fused kernels and the resampling, which have thousands, ``SAMPLES`` are drawn.
"""

import argparse
import ast
import json
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib import import_module
from inspect import unwrap
from pathlib import Path
from types import CodeType, FunctionType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pytest
from machine import description, sentence
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]

HOW_THEY_RUN = {"compiled_code", "interrupts", "jit", "threads"}
KERNELS = [path for edition in ("reference", "cpu") for path in sorted((ROOT / "kernels" / edition).glob("[a-z]*.py"))]
MODULES = [str(path.relative_to(ROOT)) for path in KERNELS if path.stem not in HOW_THEY_RUN]
MODULES += ["kernels/tree.py", "emop3d_np/layers.py", "emop3d_np/optimizers.py"]
SAMPLES = {
    f"kernels/cpu/{name}.py": count
    for name, count in {
        "affine": 120, "fused": 62, "fused_clip": 86, "fused_layout": 86, "fused_loops": 20, "fused_normalization": 30,
        "fused_packing": 32, "fused_pooling": 44, "fused_windows": 40,
    }.items()
}  # fmt: skip
"""Of modules with too many mutants so many are drawn at random, the same ones every time: 400 of the fused passes."""
NAMES_OF_TESTS = {
    "kernels/": ["test_operations", "test_affine", "test_block_means", "test_fused", "test_own_golden", "test_tree"],
    "": ["test_network", "test_optimizers", "test_wrong_calls"],
}
TESTS = [f"tests/{folder}{name}.py" for folder, names in NAMES_OF_TESTS.items() for name in names]
EQUIVALENT = ROOT / "bench/equivalent_mutants.txt"
MEMORY = 1 << 30
"""Bytes that a mutant may take beyond what the process has."""
IMPOSSIBLE = 3
"""Exit code of a mutant that is no Python; there are none, or this script has a mistake."""

# --- What is changed.

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
NAMES = {
    "max": "min", "min": "max", "argmax": "argmin", "maximum": "minimum", "minimum": "maximum",
    "zeros": "ones", "zeros_like": "ones_like", "sum": "mean", "mean": "sum", "any": "all", "all": "any",
}  # fmt: skip
COMMUTATIVE = {"min", "max", "maximum", "minimum"}


# Long: one case per kind of node.
def variants(node):
    """Every small change of one node, as the nodes that would stand in its place; None stands for nothing."""
    match node:
        case ast.BinOp(left, op, right):
            if type(op) in OPERATORS:
                yield ast.BinOp(left, OPERATORS[type(op)](), right)
            if isinstance(op, (ast.MatMult, ast.Sub, ast.Div)):
                yield ast.BinOp(right, op, left)
            yield left
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield operand
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            for i in range(len(values)):
                rest = values[:i] + values[i + 1 :]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
        case ast.Compare(left, ops, comparators):
            for i, op in enumerate(ops):
                for other in COMPARISONS[type(op)]:
                    yield ast.Compare(left, [*ops[:i], other(), *ops[i + 1 :]], comparators)
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value)):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Constant(float(value)):
            yield ast.Constant(value * 1.01 if value else 1.0)
        case ast.IfExp(_, body, orelse):
            yield body
            yield orelse
        case ast.Call(function, arguments, keywords):
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            if name in ("ascontiguousarray", "astype", "copy"):
                yield arguments[0] if name == "ascontiguousarray" else function.value
            if name in ("range", "prange"):
                yield from ranges(function, arguments)
            elif name not in COMMUTATIVE:
                for order in swaps(arguments):
                    yield ast.Call(function, order, keywords)
            for i in range(len(keywords)):
                yield ast.Call(function, arguments, keywords[:i] + keywords[i + 1 :])
        case ast.Name(name, context) if name in NAMES:
            yield ast.Name(NAMES[name], context)
        case ast.Attribute(value, name, context):
            if name in NAMES:
                yield ast.Attribute(value, NAMES[name], context)
            if name == "T":
                yield value
        case ast.Tuple(elements, context):
            for order in swaps(elements):
                yield ast.Tuple(order, context)
        case ast.Slice(lower, upper, step):
            for i, bound in enumerate((lower, upper, step)):
                if bound is not None:
                    yield ast.Slice(*(None if i == j else each for j, each in enumerate((lower, upper, step))))
        case ast.AugAssign(target, op, value):
            yield ast.AugAssign(target, OPERATORS[type(op)](), value)
            yield ast.Assign([target], value)
            yield None
        case ast.Expr(ast.Call()) | ast.Raise() | ast.Assign([ast.Subscript() | ast.Attribute()], _):
            yield None
        case ast.If(_, body, orelse):
            yield ast.If(ast.Constant(True), body, orelse)
            yield ast.If(ast.Constant(False), body, orelse)


def swaps(nodes):
    """``nodes`` with two neighbours swapped, for all pairs of them."""
    for i in range(len(nodes) - 1):
        if not any(isinstance(node, ast.Starred) for node in nodes[i : i + 2]):
            yield [*nodes[:i], nodes[i + 1], nodes[i], *nodes[i + 2 :]]


def ranges(function, bounds):
    """A range that leaves out its first or its last."""
    one = ast.Constant(1)
    start, end, *step = [ast.Constant(0), *bounds] if len(bounds) == 1 else bounds
    yield ast.Call(function, [ast.BinOp(start, ast.Add(), one), end, *step], [])
    yield ast.Call(function, [start, ast.BinOp(end, ast.Sub(), one), *step], [])


@dataclass(eq=False)
class Mutant:
    """One change of one module.

    Attributes:
        module: its file; function: qualified name of the outermost function, or class and method; "" outside of any.
        line, change: the source line, and what becomes of it, in words; ``number`` tells equal ones apart.
        place: ``parent, field, position`` of the node; new: the node that takes its place.
    """

    module: str
    function: str
    line: str
    change: str
    place: tuple
    new: ast.AST
    number: int = 1
    verdict: str = field(default="", init=False)

    def __str__(self):
        number = f" ({self.number})" if self.number > 1 else ""
        return f"{self.module} {self.function or '-'} | {self.line} | {self.change}{number}"

    def plant(self):
        """Put the change into its module's tree."""
        parent, name, position = self.place
        if position is None:
            setattr(parent, name, self.new)
        elif self.new is not None:
            getattr(parent, name)[position] = self.new
        else:
            getattr(parent, name)[position] = ast.Pass()


def mutants_of(module, source, tree):
    """All mutants of a module, in the order of its lines; ``tree`` is its ``source``, to plant them in."""
    lines = source.splitlines()
    seen = Counter()

    def visit(node, function, inside):
        for name, value in ast.iter_fields(node):
            if name in ("decorator_list", "annotation", "returns", "exc", "bases"):
                continue
            for position, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(child, ast.AST) or _untouched(child):
                    continue
                own = function
                if isinstance(child, (ast.FunctionDef, ast.ClassDef)) and not inside:
                    own = f"{function}.{child.name}".lstrip(".")
                for new in variants(child):
                    words = "deleted" if new is None else ast.unparse(ast.fix_missing_locations(new))
                    if words != ast.unparse(child):
                        if isinstance(child, ast.If):
                            words = f"if {ast.unparse(new.test)}:"
                        elif new is not None:
                            words = f"{ast.unparse(child)} -> {words}"
                        mutant = Mutant(
                            module, own, lines[child.lineno - 1].strip(), words, (node, name, position), new
                        )
                        seen[str(mutant)] += 1
                        mutant.number = seen[str(mutant)]
                        yield mutant
                yield from visit(child, own, inside or isinstance(child, ast.FunctionDef))

    yield from visit(tree, "", False)


def _untouched(node):
    """The list of a module's names is no code; and types for the compiler are not looked at where it is not called."""
    if isinstance(node, ast.FunctionDef):
        return any(isinstance(each, ast.Call) and ast.unparse(each.func) == "by_address" for each in ast.walk(node))
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


# --- Mutants in place of the code that runs.


def install(module, tree):
    """Give the functions of ``module``, wherever they are held, the code of ``tree``; and its constants' values.

    Returns whether the module can be imported at all.
    """
    code = compile(ast.fix_missing_locations(tree), module.__file__, "exec")
    fresh = dict(vars(module))
    try:
        exec(code, fresh)
    except Exception:
        return False
    for name, old in list(vars(module).items()):
        _transplant(module, name, old, fresh[name])
    return True


def _transplant(owner, name, old, new):
    if isinstance(old, type) and old.__module__ == getattr(owner, "__name__", None):
        for part, value in list(vars(old).items()):
            _transplant(old, part, value, vars(new)[part])
    elif isinstance(old, property):
        _transplant(owner, name, old.fget, new.fget)
    elif callable(old) and isinstance(unwrap(old), FunctionType):
        old, new = unwrap(old), unwrap(new)
        if old.__code__.co_freevars != new.__code__.co_freevars:  # a method that called super() and does no more
            setattr(owner, name, new)
            return
        old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__
    elif isinstance(old, (int, float, tuple)) and old != new:
        if isinstance(owner, type):
            setattr(owner, name, new)
        for other in [each for key, each in sys.modules.items() if key.startswith(("kernels", "emop3d_np"))]:
            if vars(other).get(name) is old:
                setattr(other, name, new)
                for function in filter(lambda each: isinstance(each, FunctionType), vars(other).values()):
                    defaults = function.__defaults__ or ()
                    function.__defaults__ = tuple(new if value is old else value for value in defaults)


def codes(code):
    """A code object and all those inside of it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def functions_of(module):
    """``code object -> (module's file, qualified name)`` for all functions of a module."""
    found = {}

    def add(name, value):
        if isinstance(value, property):
            value = value.fget
        if callable(value) and isinstance(unwrap(value), FunctionType):
            found.update(dict.fromkeys(codes(unwrap(value).__code__), (file, name)))

    file = str(Path(module.__file__).relative_to(ROOT))
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        add(name, value)
        if isinstance(value, type):
            for part, member in vars(value).items():
                add(f"{name}.{part}", member)
    return found


# --- The tests.


class Session:
    """A pytest plugin that runs the collected tests on one mutant after the other."""

    def __init__(self, files, listed, sample, jobs):
        self.files, self.listed, self.sample, self.jobs = files, listed, sample, jobs
        self.failed, self.trouble, self.mutants, self.known = False, "", [], []

    def pytest_collection(self):
        from hypothesis import Phase, settings  # pytest wants to see it first

        # Examples that fail are not made smaller.
        settings.register_profile(
            "mutants",
            settings.get_profile("emop3d"),
            phases=[Phase.explicit, Phase.generate],
            report_multiple_bugs=False,
        )
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report):
        self.failed = self.failed or report.failed

    def pytest_runtestloop(self, session):
        modules = {file: import_module(file.removesuffix(".py").replace("/", ".")) for file in self.files}
        sources = {file: (ROOT / file).read_text() for file in self.files}
        trees = {file: ast.parse(source) for file, source in sources.items()}
        self._baseline(session.items, modules.values())
        child = self._fork(
            lambda: all(install(module, trees[file]) for file, module in modules.items()), self._tests(bool)
        )
        if self._verdict(os.waitpid(child, 0)[1]) != "survived":
            self._stop("the tests fail on the modules put in place of themselves")
        for file in self.files:
            found = list(mutants_of(file, sources[file], trees[file]))
            self.known += found
            self.mutants += drawn(found, SAMPLES.get(file))
        self.mutants = drawn(self.mutants, self.sample)
        running = {}
        for mutant in tqdm(self.mutants, unit="mutant", smoothing=0):
            if str(mutant) in self.listed:
                mutant.verdict = "equivalent"
                continue
            if len(running) == self.jobs:
                self._collect(running)
            where = (mutant.module, mutant.function)
            # Of a constant: the tests that call any function of its module.
            items = self._tests(
                lambda called, where=where: any(where == each or (each[0], "") == where for each in called)
            )

            def plant(mutant=mutant):
                mutant.plant()
                return install(modules[mutant.module], trees[mutant.module])

            running[self._fork(plant, items)] = mutant
        while running:
            self._collect(running)
        return True

    def _baseline(self, items, modules):
        """Run all tests once; note their time and which functions of the modules they call."""
        where = {code: place for module in modules for code, place in functions_of(module).items()}
        self.called, self.seconds = {}, {}
        for item in items:
            called = self.called[item] = set()

            def profile(frame, event, _, called=called):
                if event == "call" and frame.f_code in where:
                    called.add(where[frame.f_code])

            begun = time.process_time()
            sys.setprofile(profile)
            self._run([item])
            sys.setprofile(None)
            self.seconds[item] = time.process_time() - begun
            if self.failed:
                self._stop(f"{item.nodeid} fails without any mutant")

    def _stop(self, words):
        self.trouble = words
        pytest.exit(words, 2)

    def _tests(self, wanted):
        return sorted((item for item, called in self.called.items() if wanted(called)), key=self.seconds.get)

    def _run(self, items):
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None if self.failed else following)
            if self.failed:
                return

    def _fork(self, plant, items):
        """A child that plants a mutant and runs tests; its exit code is 1 if one of them fails."""
        limit = 5 + 3 * sum(self.seconds[item] for item in items)
        child = os.fork()
        if child:
            return child
        try:
            signal.setitimer(signal.ITIMER_PROF, limit)
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            try:
                whole = plant()
            except Exception:
                os._exit(IMPOSSIBLE)
            if not whole:
                os._exit(1)
            self._run(items)
            os._exit(self.failed)
        except BaseException:  # whatever a mutant does, it must not come back as a second parent
            os._exit(1)

    @staticmethod
    def _verdict(status):
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
            return "endless"
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == IMPOSSIBLE:
            return "impossible"
        return "killed" if status else "survived"

    def _collect(self, running):
        child, status = os.wait()
        mutant = running.pop(child)
        mutant.verdict = self._verdict(status)
        if mutant.verdict == "impossible":
            self._stop(f"{mutant}: cannot be put in place")
        if mutant.verdict == "survived":
            tqdm.write(f"survived: {mutant}", file=sys.stderr)


# --- The report.


def read_equivalent():
    """``mutant's text -> reason``: a reason stands in a line of its own, its mutants below it, indented."""
    reasons, reason = {}, ""
    for line in EQUIVALENT.read_text().splitlines():
        if line.startswith("    "):
            reasons[line.strip()] = reason
        elif line.strip() and not line.startswith("#"):
            reason = line.strip()
    return reasons


def drawn(mutants, count):
    """So many of them at random, in their order; all of them where that is no more, or no number is given."""
    if not count or count >= len(mutants):
        return mutants
    return [mutants[i] for i in sorted(random.Random(0).sample(range(len(mutants)), count))]


def judge(mutants, known, files):
    """Set apart what is listed as equivalent; returns ``rows, survivors, reasons, stale`` for the report.

    Args:
        mutants: the ones that were run.
        known: all that there are.
        files: their modules.
    """
    listed = {text: reason for text, reason in read_equivalent().items() if text.split(" ", 1)[0] in files}
    for mutant in mutants:
        if str(mutant) in listed and mutant.verdict == "survived":
            mutant.verdict = "equivalent"
    existing, run = set(map(str, known)), {str(mutant): mutant for mutant in mutants}
    stale = [f"{text}: there is no such mutant any more" for text in listed if text not in existing]
    stale += [
        f"{text}: is killed, so it is not equivalent"
        for text in listed
        if text in run and run[text].verdict != "equivalent"
    ]
    rows = {}
    for file in files:
        counts = Counter(mutant.verdict for mutant in mutants if mutant.module == file)
        rows[file] = {
            "all": sum(mutant.module == file for mutant in known),
            "mutants": counts.total(),
            "killed": counts["killed"] + counts["endless"],
            "by_the_time_limit": counts["endless"],
            "equivalent": counts["equivalent"],
            "survived": counts["survived"],
        }
    survivors = [str(mutant) for mutant in mutants if mutant.verdict == "survived"]
    reasons = Counter(listed[str(mutant)] for mutant in mutants if mutant.verdict == "equivalent")
    return rows, survivors, reasons, stale


def share(row):
    """Killed among those that are not equivalent, in percent."""
    real = row["killed"] + row["survived"]
    return 100.0 * row["killed"] / real if real else 100.0


def line(name, row):
    if row["mutants"] < row["all"]:
        name += f", drawn of {row['all']:,}"
    numbers = (row[key] for key in ("mutants", "killed", "equivalent", "survived"))
    return f"| {name} | {' | '.join(map(str, numbers))} | {int(10 * share(row)) / 10:g} % |"


def table(result):
    rows = result["modules"]
    total = {key: sum(row[key] for row in rows.values()) for key in next(iter(rows.values()))}
    head = "| module | mutants | killed | equivalent | survived | killed of the others |"
    lines = [head, "|---|---:|---:|---:|---:|---:|", *(line(f"`{file}`", row) for file, row in rows.items())]
    return "\n".join([*lines, line("**all**", total)])


PAGE = """# Mutants

Does the suite notice mistakes? `make mutants` makes every small change to the code that it knows, one at a time:
another operator, a constant off by one, a term, a factor, a sign or a statement left out, arguments or indices
swapped, a range one shorter, a condition that always holds. It then runs the tests that call the changed function, on
interpreted kernels. A mutant is *killed* when one of them fails. One that computes the same in another way is
*equivalent*: those were judged by hand, and each is listed with its reason in `bench/equivalent_mutants.txt`. Of a
module with thousands, some are drawn at random.

{table}

{limit} of the killed ran into the time limit. {absent}Tests: {tests}.

{survivors}## Why some are equivalent

| mutants | reason |
|---:|---|
{reasons}

({on}; {cpu_seconds:.0f} s of processor time. Written by `bench/mutants.py`.)
## References
- R. A. DeMillo, R. J. Lipton, F. G. Sayward, *Hints on test data selection*, Computer 11(4), 1978: the idea.
"""


def page(result):
    """The page of the site."""
    survivors = "\n".join(f"    {text}" for text in result["survivors"])
    absent = [file for file in MODULES if file not in result["modules"]]
    return PAGE.format(
        **result | {
            "table": table(result),
            "limit": sum(row["by_the_time_limit"] for row in result["modules"].values()),
            "absent": f"Not in this run: {', '.join(f'`{file}`' for file in absent)}. " if absent else "",
            "tests": ", ".join(f"`{name}`" for name in TESTS),
            "survivors": f"## Survivors\n\n{survivors}\n\n" if survivors else "",
            "reasons": "\n".join(f"| {count} | {reason} |" for reason, count in result["equivalent"].items()),
            "on": sentence(result["machine"]),
        }
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("modules", nargs="*", default=MODULES, help="files to mutate; default all")
    parser.add_argument("--sample", type=int, help="so many mutants, drawn at random")
    parser.add_argument("--recheck", action="store_true", help="run the listed ones too: do they still survive?")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at a time")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--table", type=Path, help="write the page of the site here")
    given = parser.parse_args()
    os.chdir(ROOT)
    os.environ |= {"NUMBA_DISABLE_JIT": "1", "OPENBLAS_NUM_THREADS": "1"}
    listed = {} if given.recheck else read_equivalent()
    session = Session(given.modules, listed, given.sample, given.jobs)
    pytest.main(["-o", "addopts=", "-p", "no:terminal", "-p", "no:cacheprovider", "-s", *TESTS], [session])
    undone = [mutant for mutant in session.mutants if mutant.verdict in ("", "impossible")]
    if undone or not session.mutants:
        raise SystemExit(f"not finished: {session.trouble or (undone or ['no mutants'])[0]}")
    rows, survivors, reasons, stale = judge(session.mutants, session.known, given.modules)
    result = {
        "modules": rows, "survivors": survivors, "equivalent": dict(reasons.most_common()),
        "machine": description("numpy", "numba", "pytest", "hypothesis"),
        "cpu_seconds": sum(os.times()[:4]),
    }  # fmt: skip
    print(*survivors, *stale, table(result), sep="\n")
    if given.json:
        given.json.write_text(json.dumps(result, indent=2) + "\n")
    if given.table:
        given.table.write_text(page(result))
    raise SystemExit(bool(survivors or stale))


if __name__ == "__main__":
    main()
