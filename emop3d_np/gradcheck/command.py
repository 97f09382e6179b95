"""``python -m emop3d_np gradcheck``: the shipped network, functions in a file, or a port's vectors."""

import runpy
from pathlib import Path

from ..errors import InputError, writing

ACTIONS = "network | function FILE.py | export VECTORS.npz | compare VECTORS.npz THEIRS.npz"


def run(given):
    """Do what the command line asks for; returns the exit code: 0 right, 1 a gradient is wrong."""
    action, *files = given.what or ["network"]
    wanted = {"network": 0, "function": 1, "export": 1, "compare": 2}
    if action not in wanted or len(files) != wanted[action]:
        raise InputError(f"gradcheck {' '.join([action, *files])}: it must be one of: {ACTIONS}")
    if action == "export":
        return _export(given, *files)
    if action == "compare":
        from .vectors import compare

        comparison = compare(*files)
        print(comparison)
        return 0 if comparison.agree else 1
    reports = {"function": _function, "network": _network}[action](given, *files)
    if given.json:
        _write_json(given.json, reports)
    if given.picture:
        from .picture import draw_ratios

        draw_ratios(reports, given.picture)
    return max(report.exit_code for report in reports.values())


def _settings(given):
    return {
        "input_shape": given.input_shape, "feature_maps": given.feature_maps, "num_classes": given.num_classes,
        "receptive_field": given.receptive_field, "strides": given.strides, "pool": given.pool,
        "pooling": given.pooling,
    }  # fmt: skip


def _network(given):
    from functools import partial

    from tqdm import tqdm

    import kernels

    from .network import check_network

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


def _function(given, path):
    from .checker import check

    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file; it must define forward, backward and inputs")
    try:
        names = runpy.run_path(path)
    except Exception as error:
        raise InputError(f"{path} raises {type(error).__name__}: {error}") from error
    missing = [name for name in ("forward", "backward", "inputs") if name not in names]
    if missing:
        raise InputError(f"{path} does not define {', '.join(missing)}")
    report = check(names["forward"], names["backward"], names["inputs"], seconds=given.seconds or None, seed=given.seed)
    print(report)
    return {Path(path).stem: report}


def _export(given, path):
    from .vectors import export

    arrays = export(path, given.batch_size, given.weight_decay, given.seed, **_settings(given))
    print(f"written: {path}, {len(arrays)} arrays, float64; the format: emop3d_np.gradcheck.vectors")
    return 0


def _write_json(path, reports):
    import json

    with writing(path):
        Path(path).write_text(json.dumps({name: report.as_dict() for name, report in reports.items()}, indent=2) + "\n")
