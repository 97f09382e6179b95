"""Strong scaling: the training step on 1, 2, 4, ... threads, beside what shares and counted bytes allow.

    python bench/threads.py
    python bench/threads.py --clips 100 400 --most 16

A step takes as long as the thread with the most work, and then what all threads do together and memory limits: the
sums of the threads' subtrees are added, parameters and gradients change between arrays and planes, and the optimiser
makes its step.  The model is of these two, with seconds per clip measured on one thread; where there are cores, the
measured step stands beside it.  What it leaves out: waiting at launches, cores that slow down together.

The work is counted in clips.  Few parts go clip by clip, each clip shared out among all threads: of these lines the
least work that there would be if no clip were shared out, and the step measured so, stand in the last columns.
"""

import argparse

import limits
import numba
import numpy as np
from machine import description, sentence
from timing import Step, check, median_seconds
from work import of_step, parts

from kernels import tree
from kernels.cpu import fused
from kernels.cpu.fused import Job

PASSES = 9
"""How often all parameters are read or written beside the sums: pack 2, unpack 2, and the step of momentum 5."""


def shares(clips, threads):
    """The most clips of a thread where none is shared out, and how many sums of all threads are added last."""
    starts, dealt = tree.bounds(clips), tree.shares(0, tree.parts_of(clips), threads)
    most = max(int(starts[end] - starts[first]) for first, end in dealt)
    return most, sum(len(tree.subtrees(first, end)) for first, end in dealt)


def of_a_clip(net, threads):
    """Which share of a clip's operations the thread with the most pieces has, where the clip is shared out."""
    pieces, counted = dict(net._fused.jobs), parts(net)
    frames, weights = net.layers[4].output_shape[0], net.parameters["L5WS/weights"].size
    sums = 4 * frames * weights  # weights and inputs of L5WS: product and sum
    jobs = [
        Job.LAYER_1, Job.LAYER_3, Job.LAYER_5, Job.LAYER_7,
        Job.LAYER_7_WEIGHTS, Job.LAYER_5_BACKWARD, Job.LAYER_1_BACKWARD, Job.LAYER_1_BACKWARD,
    ]  # fmt: skip
    done = sum(part.operations * most(pieces[job], threads) for part, job in zip(counted.values(), jobs, strict=True))
    done += sums * (most(pieces[Job.LAYER_5_SUMS], threads) - most(pieces[Job.LAYER_5_BACKWARD], threads))
    return done / of_step(net)


def most(pieces, threads):
    """Which share of equal pieces the thread with the most of them has."""
    return -(-pieces // threads) / pieces


def model(work, sums, seconds_per_clip, row_bytes, bandwidth):
    """Seconds of a step, of the work in clips that the thread with the most has."""
    rows = PASSES + (sums + 1 if sums > 1 else 0)
    return work * seconds_per_clip + rows * row_bytes / bandwidth


def measured(step, whole_clips=False):
    """Seconds of a step, by the median of as many as take some seconds; ``whole_clips``: none is shared out."""
    usual = fused.WORTH_SHARING
    fused.WORTH_SHARING = np.inf if whole_clips else usual
    try:
        return median_seconds(step.train, 9 + 200 // len(step.x))
    finally:
        fused.WORTH_SHARING = usual


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1, 3, 100], help="sizes of batches; default 1 3 100")
    parser.add_argument("--maps", type=int, default=3, help="of the network; default 3")
    parser.add_argument("--most", type=int, default=64, help="threads of the last line; default 64")
    parser.add_argument("--bandwidth", type=float, help="of memory, GB/s; default as measured on all threads")
    given = parser.parse_args()
    check()
    cores = numba.config.NUMBA_NUM_THREADS
    bandwidth = 1e9 * (given.bandwidth or limits.measure(cores)["memory_read"])
    print(f"{sentence(description('numpy', 'numba'))}; memory at {bandwidth / 1e9:.0f} GB/s")
    print("clips threads parts  work  model ms  times one  measured ms  times one  work, whole clips  measured ms")
    for clips in given.clips:
        step = Step(clips, feature_maps=given.maps)
        row_bytes = step.net.parameter_count * step.net.dtype.itemsize
        alone = None
        for threads in [1 << power for power in range(given.most.bit_length())]:
            whole, sums = shares(clips, threads)
            within = step.net._fused.within_clips(tree.parts_of(clips), threads)
            work = clips * of_a_clip(step.net, threads) if within else whole
            found = [None, None]
            if threads <= cores:
                numba.set_num_threads(threads)
                found = [measured(step), measured(step, whole_clips=True) if within else None]
                alone = alone or found[0]
            per_clip = (alone - PASSES * row_bytes / bandwidth) / clips
            predicted = model(work, sums, per_clip, row_bytes, bandwidth)
            times = [f"{1e3 * each:11.2f}" if each else " " * 11 for each in found]
            speedup = f"{alone / found[0]:9.1f}" if found[0] else " " * 9
            print(
                f"{clips:5} {threads:7} {tree.parts_of(clips):5} {work:5.2f} {1e3 * predicted:9.2f} "
                f"{alone / predicted:10.1f}  {times[0]}  {speedup}  {whole if within else '':17}  {times[1]}".rstrip()
            )


if __name__ == "__main__":
    main()
