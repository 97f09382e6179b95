"""Strong scaling: the training step on 1, 2, 4, ... threads, beside what shares and counted bytes allow.

    python bench/threads.py
    python bench/threads.py --clips 100 400 --most 16

A step takes as long as the thread with the most clips, and then what all threads do together and memory limits: the
sums of the threads' subtrees are added, parameters and gradients change between arrays and planes, and the optimiser
makes its step.  The model is of these two, with seconds per clip measured on one thread; where there are cores, the
measured step stands beside it.  What it leaves out: waiting at launches, cores that slow down together.
"""

import argparse

import limits
import numba
from machine import description, sentence
from timing import Step, check, median_seconds

from kernels import tree

PASSES = 9
"""How often all parameters are read or written beside the sums: pack 2, unpack 2, and the step of momentum 5."""


def shares(clips, threads):
    """The most clips of a thread, and how many sums of all threads are added last."""
    starts, dealt = tree.bounds(clips), tree.shares(0, tree.parts_of(clips), threads)
    most = max(int(starts[end] - starts[first]) for first, end in dealt)
    return most, sum(len(tree.subtrees(first, end)) for first, end in dealt)


def model(clips, threads, seconds_per_clip, row_bytes, bandwidth):
    """Seconds of a step."""
    most, sums = shares(clips, threads)
    rows = PASSES + (sums + 1 if sums > 1 else 0)
    return most * seconds_per_clip + rows * row_bytes / bandwidth


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[100], help="sizes of batches; default 100")
    parser.add_argument("--most", type=int, default=64, help="threads of the last line; default 64")
    parser.add_argument("--bandwidth", type=float, help="of memory, GB/s; default as measured on all threads")
    given = parser.parse_args()
    check()
    cores = numba.config.NUMBA_NUM_THREADS
    bandwidth = 1e9 * (given.bandwidth or limits.measure(cores)["memory_read"])
    print(f"{sentence(description('numpy', 'numba'))}; memory at {bandwidth / 1e9:.0f} GB/s")
    print("clips threads  parts  most clips  model ms  times one  measured ms  times one")
    for clips in given.clips:
        step = Step(clips)
        row_bytes = step.net.parameter_count * step.net.dtype.itemsize
        alone = None
        for threads in [1 << power for power in range(given.most.bit_length())]:
            measured = ""
            if threads <= cores:
                numba.set_num_threads(threads)
                seconds = median_seconds(step.train, 9)
                alone = alone or seconds
                measured = f"{1e3 * seconds:12.1f} {alone / seconds:10.1f}"
            per_clip = (alone - PASSES * row_bytes / bandwidth) / clips
            predicted = model(clips, threads, per_clip, row_bytes, bandwidth)
            print(
                f"{clips:5} {threads:7} {tree.parts_of(clips):6} {shares(clips, threads)[0]:11} {1e3 * predicted:9.1f} "
                f"{alone / predicted:10.1f} {measured}"
            )


if __name__ == "__main__":
    main()
