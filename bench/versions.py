"""A part of the suite on every Python that is found, with the oldest and with the newest dependencies of setup.cfg.

    make test-versions   # the newest on every Python, and the oldest on the oldest Python
    make test-oldest     # the oldest on the oldest Python, fewer tests; a part of `make test`

Prints a line per Python and set of dependencies, and exits with 1 if one of them fails.  The environments lie in
``.venv-versions``, and beside each of them what was printed there.

A Python is found on PATH as ``python3.X`` or among the versions of pyenv; failing that, there is the one that runs
this.  ``uv`` chooses the dependencies from what setup.cfg names, and takes ready-made wheels alone.  The oldest is thus
the first version that setup.cfg allows and that has a wheel for this Python.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNNING = "{}.{}".format(*sys.version_info[:2])
PYTHONS = [f"3.{minor}" for minor in range(10, 15)]
"""From the oldest that setup.cfg allows to the newest that is released."""
RESOLUTIONS = {"oldest": "lowest-direct", "newest": "highest"}
OF_ITS_TIME = {"oldest": "pyparsing<3.3", "newest": ""}
"""Names that Matplotlib calls before 3.10.7 are deprecated from pyparsing 3.3 on, and in tests warnings are errors."""
FEW = ["tests/commands/test_commands.py", "tests/video/test_decode.py", "tests/test_optimizers.py"]
MOST = [
    *FEW, "tests/kernels/test_operations.py", "tests/kernels/test_own_golden.py", "tests/test_network.py",
    "tests/gradcheck/test_gradcheck.py", "tests/training/test_run.py", "tests/video/test_prepare.py",
    "tests/test_docs.py",
]  # fmt: skip
VERSIONS = """
import platform, numpy, numba, scipy
print("python", platform.python_version(), *(f"{m.__name__} {m.__version__}" for m in (numpy, numba, scipy)))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oldest", action="store_true", help="the oldest dependencies on the oldest Python, no more")
    parser.add_argument("environments", nargs="?", type=Path, default=".venv-versions", help="folder of environments")
    given = parser.parse_args()
    pythons = {version: interpreter(version) for version in PYTHONS}
    pythons[RUNNING] = pythons.get(RUNNING) or sys.executable
    there = [version for version in pythons if pythons[version]]
    print(*(f"{version}: not there" for version in pythons if version not in there), sep="\n", flush=True)
    pairs = [(there[0], "oldest")] + [(version, "newest") for version in there if not given.oldest]
    folder, tests = given.environments.resolve(), FEW if given.oldest else MOST
    folder.mkdir(parents=True, exist_ok=True)
    passed = [passes(pythons[version], age, folder / f"{version}-{age}", tests) for version, age in pairs]
    return 0 if all(passed) else 1


def interpreter(version):
    """Path of a Python ``3.X`` that starts, or None: what pyenv puts on PATH starts only where it is chosen."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in (*os.get_exec_path(), *sorted(pyenv.glob(f"versions/{version}.*/bin"))):
        path = shutil.which(f"python{version}", path=folder)
        if path and not subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode:
            return path
    return None


def requirements(age):
    """What setup.cfg requires, with its extra ``dev``, a requirement per line."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    own = [config["options"]["install_requires"], config["options.extras_require"]["dev"]]
    return "\n".join([*own, OF_ITS_TIME[age]])


def passes(python, age, folder, tests):
    """Whether the tests and an epoch of the demo pass in a new environment; prints the line that says so."""
    own, uv = folder / "bin" / "python", [sys.executable, "-m", "uv", "--quiet"]
    install = [*uv, "pip", "install", "--python", own, "--only-binary", ":all:", "--resolution", RESOLUTIONS[age]]
    with tempfile.TemporaryDirectory() as scratch:
        steps = {
            "environment": [*uv, "venv", "--clear", "--python", python, folder],
            "install": [*install, "--requirement", "-"],
            "versions": [own, "-c", VERSIONS],
            "tests": [own, "-m", "pytest", "-q", *tests],
            "demo": [own, "run.py", "--max_steps", "1", "--save_path", scratch],
        }
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": scratch}
        printed = {}
        for step, command in steps.items():
            done = subprocess.run(
                command, cwd=ROOT, env=environment, input=requirements(age), text=True, capture_output=True, check=False
            )
            printed[step] = done.stdout + done.stderr
            if done.returncode:
                break
    folder.with_name(f"{folder.name}.log").write_text("".join(f"--- {step}\n{printed[step]}\n" for step in printed))
    if done.returncode:
        result = f"failed: {step}"
    else:
        result = printed["tests"].splitlines()[-1] + "; " + re.search("validation accuracy .*", printed["demo"]).group()
    print(f"{folder.name}: {printed.get('versions', '').strip()}: {result}", flush=True)
    if done.returncode:
        print(printed[step][-4000:], flush=True)
    return not done.returncode


if __name__ == "__main__":
    sys.exit(main())
