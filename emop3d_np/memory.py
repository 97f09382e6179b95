"""How much memory is free, so that what cannot fit is refused before it is begun."""

import math
import re
from pathlib import Path

from .errors import InputError


def free_bytes() -> float:
    """Bytes that can be had without swapping, within the limit of a container; infinite where the system does not tell.

    Source: ``MemAvailable`` of Linux, and ``memory.max`` of its control groups.
    """
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", _read("/proc/meminfo"), re.MULTILINE)
    free = int(found[1]) * 1024 if found else math.inf
    limit, used = (_read(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    return min(free, int(limit) - int(used)) if limit.isdigit() and used.isdigit() else free


def require(needed: int, what: str, advice: str) -> None:
    """Refuse what needs more memory than is free.

    Args:
        needed: how many bytes it needs.
        what: what needs them, in words.
        advice: what the user can do, in words.

    Raises:
        InputError: fewer bytes are free.
    """
    free = free_bytes()
    if needed > free:
        raise InputError(f"{what} needs {needed:,} bytes of memory, {free:,} are free; {advice}")


def _read(path: str) -> str:
    """The text of a file, or nothing where it cannot be read."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""
