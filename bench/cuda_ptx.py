"""Compile every kernel of ``kernels/cuda`` to machine code, without a device: registers, shared memory, occupancy.

    python bench/cuda_ptx.py [--page docs/cuda.md]

Needs the packages of the extra ``cuda``, or of ``cuda-mlir``.  Each kernel is compiled in float32, with the launch
sizes of a training step at batch 100 (or, where that has no such kernel, of small networks of all kinds).  Spilled
registers (but see ``spills_allowed``), local memory and instructions in float64 end the script with exit code 1.
"""

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cuda_launches
import numpy as np
import tables
from machine import description, sentence

from kernels.cuda import target

ROOT = Path(__file__).resolve().parents[1]


class Architecture(NamedTuple):
    """Limits of a multiprocessor: NVIDIA's CUDA C++ Programming Guide, "Technical Specifications per Compute
    Capability"; how registers and shared memory are dealt out: NVIDIA's occupancy calculator."""

    cc: tuple
    warps: int
    blocks: int
    shared_bytes: int
    shared_step: int
    shared_reserved: int

    @property
    def name(self):
        return f"sm_{self.cc[0]}{self.cc[1]}"


ARCHITECTURES = (
    Architecture((7, 5), 32, 16, 65_536, 256, 0),
    Architecture((8, 0), 64, 32, 167_936, 128, 1024),
    Architecture((9, 0), 64, 32, 233_472, 128, 1024),
    Architecture((10, 0), 64, 32, 233_472, 128, 1024),
)
REGISTERS, REGISTERS_STEP, WARPS_STEP = 65_536, 256, 4
"""Of a multiprocessor; a warp takes a multiple of the second, a multiprocessor holds a multiple of the third."""


class Code(NamedTuple):
    """What ``ptxas`` says of a kernel."""

    registers: int
    shared_bytes: int
    stack_bytes: int
    spilled_bytes: int


def ptx(kernel, arguments, cc):
    """A ``kernels.cuda.launch.Kernel`` as PTX, see ``kernels.cuda.target.ptx``."""
    return target.ptx(kernel.function, arguments, cc)


def faults(text):
    """What a kernel in float32 must not do, each with a line of its PTX; an empty dict is well."""
    text = _without_error_notes(text)
    patterns = {
        "float64": r"^.*\.f64\b.*$",
        "local memory": r"^.*\.local\b.*$",
        "atomics": r"^.*(?<!bar\.)\b(?:atom|red)\..*$",
    }
    found = {name: re.search(pattern, text, re.MULTILINE) for name, pattern in patterns.items()}
    return {name: line.group().strip() for name, line in found.items() if line}


def _without_error_notes(text):
    """PTX without the one atomic that numba-cuda-mlir adds: it notes a division by 0 in a word of its own."""
    words = set(re.findall(r"mov\.\w+\s+(%rd\d+), __numba_cuda_mlir_error_code;", text))
    note = re.compile(r"atom\.global\.cas\.b32\s+%r\d+, \[(%rd\d+)\].*")
    return note.sub(lambda found: "" if found[1] in words else found[0], text)


def assembler():
    """Path of ``ptxas``: the package's, or the system's; None where there is neither."""
    packaged = Path(sysconfig.get_paths()["purelib"], "nvidia").glob("*/bin/ptxas")
    return next(map(str, packaged), None) or shutil.which("ptxas")


def assemble(text, cc, registers=None):
    """PTX to machine code, with at most so many ``registers`` a thread: what ``ptxas`` says of it, as Code."""
    limit = [f"-maxrregcount={registers}"] if registers else []
    run = subprocess.run(
        [assembler(), "-v", *limit, f"-arch=sm_{cc[0]}{cc[1]}", "-o", "/dev/null", "-"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        raise SystemExit(run.stderr)

    def number(pattern):
        found = re.search(pattern, run.stderr)
        return int(found.group(1)) if found else 0

    spilled = number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads")
    return Code(
        number(r"Used (\d+) registers"), number(r"(\d+) bytes smem"), number(r"(\d+) bytes stack frame"), spilled
    )


def spills_allowed(kernel, architecture):
    """Bytes that a kernel may spill: some, where its registers are limited and numba-cuda-mlir compiles it.

    The limit of ``first_backward`` was found on an H100 with numba-cuda, which comes first where it is, and has nothing
    spilled.  As numba-cuda-mlir has it, the kernel asks for more registers than that.
    """
    limited = kernel.most_registers(architecture.cc)
    return 400 if limited and target.cuda.__name__.startswith("numba_cuda_mlir") else 0


def occupancy(architecture, threads, registers, shared_bytes):
    """Share of a multiprocessor's warps that blocks of such a kernel can fill."""
    warps = _up(threads, 32) // 32
    by_registers = REGISTERS // _up(32 * registers, REGISTERS_STEP) // WARPS_STEP * WARPS_STEP // warps
    shared = _up(shared_bytes + architecture.shared_reserved, architecture.shared_step)
    by_shared = architecture.shared_bytes // shared if shared else architecture.blocks
    blocks = min(architecture.blocks, architecture.warps // warps, by_registers, by_shared)
    return blocks * warps / architecture.warps


def _up(number, step):
    return -(-number // step) * step


def table(launches, say=print):
    """The table of all kernels, and the faults found, lines of text."""
    lines = [
        "| kernel | threads | shared memory | " + " | ".join(a.name for a in ARCHITECTURES) + " | spilled |",
        "|---|---|---|" + "---|" * len(ARCHITECTURES) + "---|",
    ]
    wrong = []
    for launch in launches:
        columns, rows = launch.threads if isinstance(launch.threads, tuple) else (launch.threads, 1)
        cells, spilled, shared = [], 0, 0
        for architecture in ARCHITECTURES:
            text = ptx(launch.kernel, launch.arguments, architecture.cc)
            code = assemble(text, architecture.cc, launch.kernel.most_registers(architecture.cc))
            shared = code.shared_bytes + launch.shared_bytes
            filled = occupancy(architecture, columns * rows, code.registers, shared)
            cells.append(f"{code.registers} · {100 * filled:.0f} %")
            spilled += code.spilled_bytes
            if max(code.spilled_bytes, code.stack_bytes) > spills_allowed(launch.kernel, architecture):
                wrong.append(f"{launch.kernel.name}, {architecture.name}: {code}")
            wrong += [f"{launch.kernel.name}: {fault}: {line}" for fault, line in faults(text).items()]
        file = Path(launch.kernel.function.__code__.co_filename).name
        name = f"`{launch.kernel.name}` ({file})"
        lines.append(f"| {name} | {columns} × {rows} | {shared:,} | " + " | ".join(cells) + f" | {spilled} |")
        say(lines[-1], flush=True)
    return "\n".join(lines), wrong


@cache
def launches_to_compile():
    """One launch of every kernel and types, that of the training step at batch 100 where there is one."""
    found = {}
    for launch in cuda_launches.of_a_step() + cuda_launches.of_every_kernel():
        found.setdefault((launch.kernel.name, *map(_kind, launch.arguments)), launch)
    return sorted(found.values(), key=lambda launch: (launch.kernel.function.__module__, launch.kernel.name))


def _kind(argument):
    """What a kernel is compiled for: the type, and of an array its dtype and axes."""
    return type(argument), getattr(argument, "dtype", None), np.ndim(argument)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, help="write the table between the markers of this page")
    given = parser.parse_args()
    if not assembler():
        raise SystemExit("ptxas was not found; pip install 'emop3d-np[cuda]' gets it")
    text, wrong = table(launches_to_compile())
    said = subprocess.run([assembler(), "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"release .* V(\S+)", said)[1]
    machine = description(target.cuda.__name__.partition(".")[0].replace("_", "-")) | {"ptxas": version}
    text += f"\n\n({sentence(machine)})"
    if given.page:
        given.page.write_text(tables.put(given.page.read_text(), "registers", text))
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
