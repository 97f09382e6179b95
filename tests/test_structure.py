"""The house: who may import whom, what is typed, how long things may grow.  CONTRIBUTING draws the floors."""

import ast
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

FLOORS = (
    ("kernels",),
    ("emop3d_np",),  # the files beside the folders: the network itself
    ("emop3d_np.datasets",),
    ("emop3d_np.training",),
    ("emop3d_np.report",),
    ("emop3d_np.gradcheck", "emop3d_np.video"),
    ("emop3d_np.exercises",),
    ("run",),
    ("emop3d_np.commands",),
    ("emop3d_np.__main__",),
)
"""From the bottom to the top; a module imports from its own room and from the floors below."""

FILE, FUNCTION, ARGUMENTS = 600, 60, 8
"""The most lines of a file and of a function, and the most arguments by position, without a line that says why."""

EXCUSES = ("# Long: ", "# Many arguments: ")
"""How such a line begins; it stands directly above the function, or for a file on its first line."""


@cache
def sources(*places):
    """Every source file below ``places`` by the name of its module."""
    found = [path for place in places for path in [ROOT / place, *(ROOT / place).rglob("*.py")] if path.is_file()]
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in found}
    return {name.removesuffix(".__init__"): path for path, name in sorted(names.items())}


def package():
    return sources("emop3d_np", "kernels", "run.py")


def imports(name, path, known):
    """Modules of this project that ``path`` imports anywhere, but for those that only type checkers see."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in running(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield from (each for each in [inner if inner in known else source] if each in known)


def running(tree):
    """The nodes of a tree that run: what stands under ``if TYPE_CHECKING`` does not."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


@cache
def graph():
    known = package()
    return {name: sorted(set(imports(name, path, known)) - {name}) for name, path in known.items()}


def floor(name):
    rooms = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
    while name not in rooms:
        name = name.rpartition(".")[0]
    return rooms[name], name


def test_nothing_imports_from_a_floor_above():
    wrong = []
    for name, imported in graph().items():
        for other in imported:
            (here, room), (there, its_room) = floor(name), floor(other)
            if there > here or (there == here and room != its_room):
                wrong.append(f"{name} imports {other}")
    assert not wrong


def test_no_circle_of_imports():
    done = set()

    def visit(name, way):
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for other in graph()[name]:
                visit(other, [*way, name])
            done.add(name)

    for name in graph():
        visit(name, [])


def test_the_imports_are_seen():
    """The two tests above would pass on an empty graph."""
    assert "kernels" in graph()["emop3d_np.network"]
    assert "emop3d_np.training.checkpoint" in graph()["emop3d_np.training.runs"]
    assert "kernels.errors" in graph()["emop3d_np.errors"]
    assert floor("emop3d_np.network")[0] < floor("emop3d_np.datasets.clips")[0] < floor("run")[0]
    below = {name: {other for other in graph()[name] if other.startswith("kernels")} for name in graph()}
    assert sum(map(len, below.values())) > 50


def public(tree, name=""):
    """Public functions and methods with their names; of a class, ``__init__`` too."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public(node, f"{name}{node.name}.")
        elif isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name == "__init__"):
            yield f"{name}{node.name}", node


def test_public_functions_are_typed():
    untyped = []
    for name, path in package().items():
        of_students = name.startswith("emop3d_np.exercises.lesson_")  # whose functions have no types, but for the judge
        for function, node in public(ast.parse(path.read_text())):
            if of_students and function != "judge":
                continue
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            arguments += filter(None, [node.args.vararg, node.args.kwarg])
            if "." in function and "staticmethod" not in map(ast.unparse, node.decorator_list):
                arguments = arguments[1:]
            if node.returns is None or any(each.annotation is None for each in arguments):
                untyped.append(f"{name}: {function}")
    assert not untyped


def test_nothing_is_long_without_a_reason():
    long = []
    for name, path in sources("emop3d_np", "kernels", "run.py", "bench", "docs", "tests").items():
        lines = path.read_text().splitlines()
        if len(lines) > FILE and not lines[0].startswith(EXCUSES[0]):
            long.append(f"{name} has {len(lines)} lines: split it, or say why on its first line: {EXCUSES[0]}")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                above = lines[first - 2].strip() if first > 1 else ""
                positional = [each.arg for each in [*node.args.posonlyargs, *node.args.args]]
                sizes = node.end_lineno - node.lineno + 1, len(positional) - (positional[:1] in (["self"], ["cls"]))
                for excuse, size, most in zip(EXCUSES, sizes, (FUNCTION, ARGUMENTS), strict=True):
                    if size > most and not above.startswith(excuse):
                        long.append(f"{name}: {node.name}, {size}: shorten it, or say why above it: {excuse}")
    assert not long


def test_import_is_light():
    """``import emop3d_np`` brings NumPy alone at most, and what it names is there on first use."""
    code = """
import sys, numpy
before = set(sys.modules)
import emop3d_np as emo
from emop3d_np import gradcheck
assert emo.EmoP3D and emo.InputError and emo.optimizers
print([name for name in ("numba", "scipy", "tqdm", "av", "matplotlib") if name in sys.modules])
brought = set(sys.modules) - before
assert len(brought) < 150, (len(brought), sorted(brought))
assert emo.metrics.auc and emo.checkpoint.load and emo.video and emo.datasets.windows and emo.gradcheck.check
assert set(emo.__all__) <= set(dir(emo))
try:
    emo.absent
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\nmodule 'emop3d_np' has no attribute 'absent'\n"


def test_contributing_draws_the_floors():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    drawn = [line.split()[0] for line in text.splitlines() if line.startswith("    ")]
    rooms = [room.replace(".", "/") for floor in reversed(FLOORS) for room in floor]
    assert [room.removesuffix("/*.py") for room in drawn] == rooms


def test_what_benchmarks_and_pages_import_is_there():
    """CI runs few of them, and no type checker reads them: a renamed file would be missed by their next user."""
    absent = []
    for name, path in sources("bench", "docs").items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("emop3d_np", "kernels"):
                for alias in node.names:
                    if not is_there(node.module, alias.name):
                        absent.append(f"{name}: from {node.module} import {alias.name}")
    assert not absent


def is_there(module, name):
    """Whether ``from module import name`` works."""
    known = package()
    return f"{module}.{name}" in known or (module in known and hasattr(import_module(module), name))
