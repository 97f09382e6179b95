"""What a training step must cost on a device at least: a bound on paper, from the code's own counts, no measurement.

    python bench/cuda_model.py [--batch 100] [--page docs/cuda.md]

Bytes: every array that a launch reads or writes, once; the shapes are those of the launches that the step makes.
Operations: additions, subtractions, multiplications and divisions of floats, counted by running some of the blocks
(``cuda_trace.py``) and taken for all of them.  A launch takes no less than the longer of the two, bytes at the
memory's rate or operations at the processors' rate, if it finds nothing in the caches.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tables
from cuda_launches import of_a_step
from cuda_trace import SECTOR, trace


@dataclass(frozen=True)
class Device:
    """NVIDIA's data sheets: bytes and float32 operations a second, the latter without tensor cores; bytes of L2."""

    name: str
    bytes_per_second: float
    operations_per_second: float
    cache_bytes: int


DEVICES = (
    Device("A100", 2.0e12, 19.5e12, 40 * 2**20),
    Device("H100", 3.35e12, 67e12, 50 * 2**20),
)
BLOCKS = 3
"""Of a launch, drawn at random to count operations."""


@dataclass
class Cost:
    """Of one launch, or of several together.

    Attributes:
        launches: how many.
        traffic: bytes of the arrays read and written, each once.
        asked: bytes of the sectors that warps ask for; the caches may answer.
        operations: on floats.
        seconds: for each of DEVICES, the least time.
    """

    launches: int = 0
    traffic: int = 0
    asked: float = 0
    operations: float = 0
    seconds: tuple = (0,) * len(DEVICES)

    def __add__(self, other):
        return Cost(
            self.launches + other.launches,
            self.traffic + other.traffic,
            self.asked + other.asked,
            self.operations + other.operations,
            tuple(a + b for a, b in zip(self.seconds, other.seconds, strict=True)),
        )


def traffic(launch):
    """Bytes of the arrays a launch reads and writes; what it updates counts twice."""
    names = launch.kernel.function.__code__.co_varnames
    bytes_of = {name: a.size * a.dtype.itemsize for name, a in zip(names, launch.arguments, strict=False) if _array(a)}
    return sum(bytes_of.values()) + sum(bytes_of[name] for name in launch.kernel.updates)


def _array(argument):
    """Whether an argument is an array; a tuple of numbers is none."""
    return bool(getattr(argument, "shape", ()))


def cost(launch, rng):
    """Cost of one launch; ``rng`` draws the blocks."""
    blocks = rng.choice(launch.tasks, min(BLOCKS, launch.tasks), replace=False)
    found = trace(launch, map(int, blocks))
    of_all = launch.tasks / found.blocks
    operations = of_all * found.operations
    asked = of_all * SECTOR * sum(request.sectors for request in found.requests)
    moved = traffic(launch)
    seconds = tuple(max(moved / d.bytes_per_second, operations / d.operations_per_second) for d in DEVICES)
    return Cost(1, moved, asked, operations, seconds)


def step(batch):
    """Cost of each kernel of a training step, by name, the dearest first."""
    rng, costs = np.random.default_rng(0), {}
    for launch in of_a_step(batch):
        costs[launch.kernel.name] = costs.get(launch.kernel.name, Cost()) + cost(launch, rng)
    return dict(sorted(costs.items(), key=lambda item: -item[1].seconds[-1]))


def passing_the_cache(batch, device):
    """Bytes of the step's arrays that are larger than the device's L2, which no cache can keep."""
    return sum(
        a.nbytes for launch in of_a_step(batch) for a in launch.arguments
        if _array(a) and a.nbytes > device.cache_bytes
    )  # fmt: skip


def table(costs, batch):
    heads = ["kernel", "launches", "MB", "MB asked for", "Mflop", *(f"{device.name}, µs" for device in DEVICES)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    total = sum(costs.values(), Cost())
    for name, each in [*((f"`{name}`", each) for name, each in costs.items()), ("**all**", total)]:
        cells = [each.launches, *(f"{x / 1e6:,.1f}" for x in (each.traffic, each.asked, each.operations))]
        cells += [f"{1e6 * seconds:,.1f}" for seconds in each.seconds]
        lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
    lines.append("")
    for device, seconds in zip(DEVICES, total.seconds, strict=True):
        large = passing_the_cache(batch, device)
        rates = f"{device.bytes_per_second / 1e12:g} TB/s, {device.operations_per_second / 1e12:g} Tflop/s in float32"
        lines.append(
            f"- {device.name} ({rates}): a step at batch {batch} takes no less than {1e3 * seconds:.2f} ms if every "
            f"kernel finds the caches empty. No cache saves the arrays that its L2 cannot hold, {large / 1e6:,.0f} MB "
            f"of the traffic ({1e3 * large / device.bytes_per_second:.2f} ms), nor the operations "
            f"({1e3 * total.operations / device.operations_per_second:.2f} ms)."
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--page", type=Path, help="write the table between the markers of this page")
    given = parser.parse_args()
    text = table(step(given.batch), given.batch)
    print(text)
    if given.page:
        given.page.write_text(tables.put(given.page.read_text(), "bound", text))


if __name__ == "__main__":
    main()
