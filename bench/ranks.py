"""What training on several ranks costs: a step of two ranks beside one of two threads, and a model of more ranks.

    python bench/ranks.py [--turns 5] [--steps 20] [--json bench/results/ranks.json]

One process with two threads and two ranks with a thread each make the same steps of the default network, in turns, each
of them anew; the medians of their steps are compared.  What a rank sends is counted on the way.  From that, and from
how long a process takes for a whole and for half a batch, follows a model of a step on P ranks; it is drawn in
``docs/cluster.md``.  Needs mpi4py and an mpiexec.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from math import log2
from pathlib import Path

from machine import description, sentence
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from emop3d_np.training.machine import portable_environment
from kernels import tree

HERE = Path(__file__).resolve().parent

BATCH = 100
LATENCY = 30e-6
"""Seconds per message; an assumption, of Ethernet."""
MESSAGES = 8
"""Collective calls of a step: four meetings, and what is sent after them; each is as many rounds as P has doublings."""
GIGABITS = (1, 10, 100)
MOST_RANKS = 64


def measure(steps, batch):
    """Train a network on noise; prints the median seconds of a step and the bytes that this rank sends in one."""
    import numpy as np

    import emop3d_np as emo
    from emop3d_np.training import ranks

    here, sent = ranks.here(), []
    if here.size > 1:
        here._world = _Counted(here._world, sent)
    net, optimizer = emo.EmoP3D(), emo.optimizers.Momentum(0.00015)
    rng, share = np.random.default_rng(0), here.share(batch)
    own = share.own if share else slice(0, batch)
    x = rng.standard_normal((batch, *net.input_shape), np.float32)[own]
    labels = rng.integers(0, net.num_classes, batch)[own]
    gradients, times = None, []
    for step in range(steps + 2):
        if here.size > 1:
            here.meet()
        sent.clear()
        started = time.perf_counter()
        _, gradients, _ = net.training_pass(x, labels, gradients=gradients, **({"share": share} if share else {}))
        optimizer.update(net.parameters, gradients)
        times += [time.perf_counter() - started] * (step > 1)
    row = net._fused.buffers.parameters
    print(json.dumps({"seconds": statistics.median(times), "bytes": sum(sent), "row": row.nbytes}))
    return 0


class _Counted:
    """A communicator that notes how many bytes it sends to others."""

    def __init__(self, world, sent):
        self._world, self._sent = world, sent

    def __getattr__(self, name):
        return getattr(self._world, name)

    def Alltoallv(self, sent, received):
        values, counts = sent
        others = sum(counts) - counts[self._world.Get_rank()]
        self._sent.append(others * values.itemsize)
        self._world.Alltoallv(sent, received)

    def Allgatherv(self, sent, received):
        self._sent.append(sent.nbytes * (self._world.Get_size() - 1))
        self._world.Allgatherv(sent, received)


def traffic(clips, size, row):
    """Bytes that the busiest of ``size`` ranks sends or is sent in a step, and the most clips that one has.

    ``row`` is the bytes of all gradients once.  Each rank sends the slices of its subtrees that are others', is sent
    its slice of theirs, and then sends its total to all.
    """
    parts, starts = tree.parts_of(clips), tree.bounds(clips)
    shares = [(rank * parts // size, (rank + 1) * parts // size) for rank in range(size)]
    rows = [len(tree.subtrees(*share)) for share in shares]
    others = (size - 1) / size * row
    sent = max(rows) * others + others
    received = (sum(rows) - min(rows)) * row / size + others
    return max(sent, received), max(int(starts[end] - starts[first]) for first, end in shares)


def model(measured, size, gigabits, clips=BATCH):
    """Seconds of a step of ``clips`` on ``size`` ranks, each as fast as the one measured."""
    per_clip = (measured["whole"] - measured["half"]) / (BATCH - BATCH // 2)
    fixed = measured["whole"] - BATCH * per_clip
    if size == 1:
        return fixed + clips * per_clip
    moved, most = traffic(clips, size, measured["row"])
    return fixed + most * per_clip + 8 * moved / (gigabits * 1e9) + MESSAGES * LATENCY * log2(size)


def curves(measured):
    """Milliseconds per step, for each speed of the network and each number of ranks.

    ``fixed``: of :data:`BATCH` clips; ``growing``: of so many for each rank.
    """
    sizes = [2**power for power in range(MOST_RANKS.bit_length())]
    found = {"ranks": sizes}
    for kind, grows in (("fixed", 0), ("growing", 1)):
        found[kind] = {
            str(speed): [round(1e3 * model(measured, size, speed, BATCH * size**grows), 1) for size in sizes]
            for speed in GIGABITS
        }
    return found


def worker(count, threads, steps, batch=BATCH, portable=False):
    """What :func:`measure` prints on ``count`` ranks of so many threads each."""
    environment = os.environ | {"NUMBA_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    environment |= portable_environment() if portable else {}
    command = [sys.executable, __file__, "--measure", str(batch), "--steps", str(steps)]
    if count > 1:
        places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        command = [shutil.which("mpiexec", path=places) or "mpiexec", "-n", str(count), *command]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def turns(count, steps):
    """Medians over ``count`` turns, in seconds, of one process with two threads and of two ranks with one each."""
    kinds = {"whole": (1, 2, steps), "ranks": (2, 1, steps), "half": (1, 2, steps, BATCH // 2)}
    kinds["portable"] = (1, 2, steps, BATCH, True)
    times, found = {kind: [] for kind in kinds}, {}
    for _ in tqdm(range(count), unit="turn"):
        for kind, arguments in kinds.items():
            found[kind] = worker(*arguments)
            times[kind].append(found[kind]["seconds"])
    medians = {kind: statistics.median(each) for kind, each in times.items()}
    more = {
        f"{kind}_more": statistics.median(two / one - 1 for one, two in zip(times["whole"], times[kind], strict=True))
        for kind in ("ranks", "portable")
    }
    return medians | more | {"bytes": found["ranks"]["bytes"], "row": found["whole"]["row"]}


def in_words(found):
    """What was measured, as ``docs/cluster.md`` has it."""
    whole, ranks, more, portable = (found[name] for name in ("whole", "ranks", "ranks_more", "portable_more"))
    return (
        f"A step of {BATCH} clips of the default network took {1e3 * whole:.1f} ms in one process with two threads, "
        f"and {1e3 * ranks:.1f} ms on two ranks with a thread each: {100 * more:+.1f} %. Each of the two sent "
        f"{found['bytes'] / 1e6:.1f} MB per step. With `--portable_bits` the one process took {100 * portable:+.1f} %. "
        f"({sentence(found['machine'])}; medians of turns, by `bench/ranks.py`.)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5, help="of each kind of process (default 5)")
    parser.add_argument("--steps", type=int, default=20, help="steps that are timed in each (default 20)")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "ranks.json", help="where results go")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        from emop3d_np.training import ranks

        return ranks.on_all_ranks(lambda: measure(given.steps, given.measure), "")
    worker(1, 2, 1)  # compiles
    worker(1, 2, 1, portable=True)
    found = turns(given.turns, given.steps)
    found |= {"machine": description("numba", "numpy", "mpi4py"), "model": curves(found)}
    found["words"] = in_words(found)
    given.json.write_text(json.dumps(found, indent=2) + "\n")
    print(found["words"])
    counted = traffic(BATCH, 2, found["row"])[0]
    print(f"the model counts {counted / 1e6:.1f} MB; ", end="")
    print("it says, in ms per step: " + ", ".join(f"{gigabits} Gb/s" for gigabits in GIGABITS))
    for place, size in enumerate(found["model"]["ranks"]):
        fixed, growing = (
            " ".join(f"{found['model'][kind][str(speed)][place]:7.1f}" for speed in GIGABITS)
            for kind in ("fixed", "growing")
        )
        print(f"  {size:2} ranks: {BATCH} clips {fixed}   {size * BATCH} clips {growing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
