"""Check gradients: the network's in every edition, functions in a file, or a port's vectors."""

import argparse
import json
import runpy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .shared_arguments import numbers

if TYPE_CHECKING:
    from ..gradcheck.report import Report

EXAMPLE = "gradcheck function my_layer.py"
ACTIONS = "network | example MY_LAYER.py | function FILE.py | export VECTORS.npz | compare VECTORS.npz THEIRS.npz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is checked, the network's sizes, the budget, what is written."""
    add = parser.add_argument
    add("what", nargs="*", help=ACTIONS.replace("network", "network (default)"))
    add("--backend", default="all", help="edition to check (default all)")
    add("--dtype", default="float64", help="float64 (default) or float32")
    add("--batch_size", type=int, default=2, help="clips (default 2)")
    add("--input_shape", type=numbers, default=[16, 100, 100, 1], help="d,h,w,c (default 16,100,100,1)")
    add("--feature_maps", type=int, default=3, help="maps of every layer (default 3)")
    add("--num_classes", type=int, default=6, help="classes (default 6)")
    add("--receptive_field", type=numbers, default=[3, 4, 4], help="rd,rh,rw (default 3,4,4)")
    add("--strides", type=numbers, default=[1, 1, 1], help="sd,sh,sw (default 1,1,1)")
    add("--pool", type=numbers, default=[3, 2, 2], help="rd,ph,pw (default 3,2,2)")
    add("--pooling", default="max", help="max (default) or average")
    add("--weight_decay", type=float, default=0.0, help="factor of half the squared weights (default 0)")
    add("--seconds", type=float, default=25.0, help="time budget per edition (default 25); 0: every element")
    add("--seed", type=int, default=0, help="of values and directions (default 0)")
    add("--json", help="write the reports to this file")
    add("--picture", help="draw the error maps to this file (extra plots)")


def run(given: argparse.Namespace) -> int:
    """Do what the command line asks for; returns the exit code: 0 right, 1 a gradient is wrong."""
    action, *files = given.what or ["network"]
    wanted = {"network": 0, "example": 1, "function": 1, "export": 1, "compare": 2}
    if action not in wanted or len(files) != wanted[action]:
        raise InputError(f"gradcheck {' '.join([action, *files])}: it must be one of: {ACTIONS}")
    from ..files import require_apart

    require_apart({"--json": given.json, "--picture": given.picture}, files if action == "function" else [])
    if action == "example":
        return _example(*files)
    if action == "export":
        return _export(given, *files)
    if action == "compare":
        from ..gradcheck.vectors import compare

        comparison = compare(*files)
        print(comparison)
        return 0 if comparison.agree else 1
    reports = _function(given, *files) if action == "function" else _network(given)
    if given.json:
        _write_json(given.json, reports)
    if given.picture:
        from ..gradcheck.picture import draw_errors

        draw_errors(reports, given.picture)
    return max(report.exit_code for report in reports.values())


def _settings(given: argparse.Namespace) -> dict[str, Any]:
    return {
        "input_shape": given.input_shape, "feature_maps": given.feature_maps, "num_classes": given.num_classes,
        "receptive_field": given.receptive_field, "strides": given.strides, "pool": given.pool,
        "pooling": given.pooling,
    }  # fmt: skip


def _network(given: argparse.Namespace) -> dict[str, "Report"]:
    """Check the network in the editions asked for; returns a report per edition."""
    from tqdm import tqdm

    import kernels

    from ..gradcheck.network import check_network

    if given.batch_size < 1:
        raise InputError(f"--batch_size is {given.batch_size}; it must be at least 1")
    if given.backend not in ("all", *kernels.EDITIONS):
        raise InputError(f"--backend is {given.backend!r}; choose all or one of {', '.join(kernels.EDITIONS)}")
    reports = {}
    for backend in kernels.EDITIONS if given.backend == "all" else [given.backend]:
        report = check_network(
            backend, given.batch_size, given.dtype, given.weight_decay, given.seconds or None, given.seed,
            progress=partial(tqdm, desc=f"{backend} edition", unit="element", leave=False), **_settings(given),
        )  # fmt: skip
        print(f"{backend} edition, {given.dtype}, batch {given.batch_size}: {report}\n", flush=True)
        reports[backend] = report
    return reports


def _function(given: argparse.Namespace, path: str) -> dict[str, "Report"]:
    """Check the functions in a file; returns their report by the file's name."""
    from ..gradcheck.checker import check

    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file; it must define forward, backward and inputs")
    try:
        names = runpy.run_path(path)
    except Exception as error:
        raise InputError(f"{path} raises {type(error).__name__}: {error}") from error
    missing = [name for name in ("forward", "backward", "inputs") if name not in names]
    if missing:
        raise InputError(f"{path} does not define {', '.join(missing)}")
    report = check(
        names["forward"], names["backward"], names["inputs"], seconds=given.seconds or None, seed=given.seed,
        not_differentiable=names.get("not_differentiable", ()),
    )  # fmt: skip
    print(report)
    return {Path(path).stem: report}


def _example(path: str) -> int:
    """Write a layer with two mistakes, to begin with."""
    from ..files import output

    if Path(path).exists():
        raise InputError(f"{path} is there already; give a file that is not")
    layer = Path(__file__).parents[1] / "gradcheck" / "my_layer.py"
    with output(path) as file:
        file.write_text(layer.read_text())
    print(f"written: {path}; check it: emop3d gradcheck function {path}")
    return 0


def _export(given: argparse.Namespace, path: str) -> int:
    """Write the vectors for a port."""
    from ..gradcheck.vectors import export

    arrays = export(path, given.batch_size, given.weight_decay, given.seed, **_settings(given))
    print(f"written: {path}, {len(arrays)} arrays, float64; the format: emop3d_np.gradcheck.vectors")
    return 0


def _write_json(path: str, reports: dict[str, "Report"]) -> None:
    from ..files import output

    text = json.dumps({name: report.as_dict() for name, report in reports.items()}, indent=2) + "\n"
    with output(path) as file:
        file.write_text(text)
