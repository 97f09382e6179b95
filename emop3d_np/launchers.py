"""Who may start processes: the launchers of MPI, by what they tell each process, and executors, by their names.

Nothing is imported here, so that flags can be read at once; :mod:`.executors` and :mod:`.training.ranks` do the work.
"""

import os
import sys

LAUNCHERS = (
    ("PMI_RANK", "PMI_SIZE"),  # MPICH, Intel MPI, srun --mpi=pmi2
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),  # MVAPICH
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),  # srun --mpi=pmix
)
"""Environment variables by which launchers of MPI tell a process its rank, and how many there are."""

MARKS = ("PMI", "OMPI_", "MV2_", "PRTE_", "MPI_LOCAL", "HYDI_", "HYDRA_")
"""How environment variables of launchers begin; a process that is to be by itself is given none of them."""

PROCESSES = "processes"
EXECUTORS = "processes, mpi, dask, or dask://HOST:PORT"
"""What ``--executor`` may be."""


def cores() -> frozenset[int]:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def told() -> tuple[int, int] | None:
    """Rank and number of ranks as the launcher tells them; None where this process is the only one."""
    if "mpi4py.futures" in sys.modules:  # of those ranks the first hands out tasks to the others
        return None
    for rank, size in LAUNCHERS:
        if os.environ.get(rank, "").isdecimal() and os.environ.get(size, "").isdecimal():
            return (int(os.environ[rank]), int(os.environ[size])) if int(os.environ[size]) > 1 else None
    return None


def has_its_own_count(executor: object) -> bool:
    """Whether an ``--executor`` works on as many tasks at a time as it has ranks or workers, whatever is asked for."""
    return isinstance(executor, str) and (executor == "mpi" or executor.startswith("dask://"))


def is_executor(text: str) -> bool:
    """Whether ``--executor`` may be this text."""
    host, colon, port = text.removeprefix("dask://").rpartition(":")
    return text in (PROCESSES, "mpi", "dask") or bool(text.startswith("dask://") and host and colon and port.isdigit())
