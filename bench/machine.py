"""The machine that a figure was measured on."""

import os
import platform
import re
import time
from importlib import metadata
from pathlib import Path


def description(*packages):
    """Processor, cores, date, and the versions of Python and of ``packages``."""
    found = re.search(r"^model name\s*:\s*(.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": found.group(1) if found else platform.processor() or platform.machine(),
        "system": f"{platform.machine()} {platform.system()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in packages},
    }


def sentence(description):
    """The same in words, for a caption."""
    rest = {key: value for key, value in description.items() if key not in ("date", "processor", "system", "cores")}
    versions = ", ".join(f"{name} {version}" for name, version in rest.items())
    cores, processor = description["cores"], description["processor"]
    return f"{processor}, {cores} cores, {description['system']}; {versions}; {description['date']}"


def memory(field="VmRSS"):
    """Megabytes of this process: VmRSS now, VmHWM at most so far, RssAnon without the pages of mapped files.

    None where the system does not tell.
    """
    found = re.search(rf"^{field}:\s*(\d+) kB$", _read("/proc/self/status"), re.MULTILINE)
    return int(found.group(1)) / 1024 if found else None


def _read(path):
    return Path(path).read_text() if Path(path).exists() else ""
