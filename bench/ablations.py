"""What each idea of the fast kernels gives: the training step with one of them taken back, beside the step as it is.

    python bench/ablations.py
    python bench/ablations.py --cpu --only "8 parts" "16 parts" --against ../before    # a shared machine
    python bench/ablations.py --cpu --only "two clips through each plane" --clips 15 --maps 16

Every variant is a copy of the package with a few lines replaced.  It must give the right gradients; then steps of the
copy and of the original are timed in turns.  Called by ``make bench``; writes ``bench/results/ablations.json``.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import description
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
JIT, CLIP, FUSED, LAYOUT, PLANES = (
    f"kernels/cpu/{file}.py" for file in ("jit", "fused_clip", "fused", "fused_layout", "fused_windows")
)
NETWORK, TREE = "emop3d_np/network.py", "kernels/tree.py"

TOGETHER = '''
@borrowing
def kept_of(rows, i, plan):
    """The maps of clip i; features and gradients by logits are with those of the first one, for the whole part."""
    k, one = kept_in(rows[i], plan.kept), kept_in(rows[0], plan.kept)
    return Kept(
        k.x, k.a1, k.n1, k.mean1, k.scale1, k.n3, k.scale3, k.a5, one.n5, k.mean5, k.scale5, k.dn3, k.g5, one.dlogits
    )


@borrowing
def forward_together(x, slot, training, plan, net, rows, scratch, logits, finite):
    one, clips = kept_of(rows, 0, plan), x.shape[0]
    maps, frames1 = one.n1.shape[:2]
    for i in range(clips):
        for c in range(x.shape[4]):
            for d in range(x.shape[1]):
                gather(x[i], c, d, kept_of(rows, i, plan).x)
    for f in range(maps):
        for d in range(0, frames1, 2):
            for i in range(clips):
                kept = kept_of(rows, i, plan)
                forward_1(d, f, training, plan.width1, net, kept, scratch)
                for seen in range(max(d - 2, 0), min(d, frames1 - 2)):
                    forward_3(seen, f, net, kept)
    for f in range(maps):
        for d in range(0, frames1 - 4, 2):
            for i in range(clips):
                forward_5(d, f, slot + i, plan.width5, net, kept_of(rows, i, plan), scratch)
    for k in range(logits.shape[1]):
        for i in range(clips):
            logits[i, k] = logit(k, one.n5[slot + i].reshape(-1), net)
    for i in range(clips):
        finite[i] = are_finite(kept_of(rows, i, plan).scale1)


@borrowing
def backward_together(clips, slot, plan, net, gradients, rows, scratch):
    one = kept_of(rows, 0, plan)
    maps, frames5 = one.a5.shape[:2]
    for i in range(clips):
        kept_of(rows, i, plan).dn3[:] = 0
    for f in range(maps):
        if slot == 0:
            gradients.w5[f] = 0
        for i in range(clips):
            kept = kept_of(rows, i, plan)
            for d in range(0, frames5, 2):
                backward_5(d, f, slot + i, plan.width5, net, gradients, kept, scratch, scratch.g)
                for c in range(maps):
                    weights_backward(kept.n3[c, d : d + 4], scratch.g, gradients.w5[f, c])
                    inputs_backward(scratch.g, net.w5[f, c], kept.dn3[c, d : d + 4])
    for f in range(maps):
        for i in range(clips):
            backward_3_and_1(f, slot + i, plan.width1, net, gradients, kept_of(rows, i, plan), scratch)


'''
"""Forward and backward map by map for some clips of a part: parameters are read once for them; sums as they were."""


def together(count):
    """The changes that carry so many clips through each plane."""
    return [
        (CLIP, "# --- Backward.\n", TOGETHER + "# --- Backward.\n"),
        (CLIP, "import Kept, Parameters, Plan, Scratch", "import Kept, Parameters, Plan, Scratch, kept_in"),
        (
            FUSED,
            "    forward_clip,\n",
            "    forward_clip,\n    forward_together,\n    backward_together,\n    kept_of,\n",
        ),
        (
            FUSED,
            "gradients, kept, scratch, batch)\n    elif",
            f"gradients, buffers.kept[{count} * thread :], scratch, batch)\n    elif",
        ),
        (FUSED, "len(self.buffers.kept) < threads", f"len(self.buffers.kept) < {count} * threads"),
        (
            FUSED,
            "kept=aligned(self.plan.kept, self.dtype, threads",
            f"kept=aligned(self.plan.kept, self.dtype, {count} * threads",
        ),
        (
            FUSED,
            """    for n in range(first, end):
        slot = n - first
        batch.finite[n] = forward_clip(batch.x[n], slot, training, plan, net, kept, scratch, batch.logits[n])
        batch.losses[n] = cross_entropy(batch.logits[n], batch.labels[n], work.clips, kept.dlogits[slot])
        backward_clip(slot, plan, net, own, kept, scratch)
""",
            f"""    rows, kept = kept, kept_of(kept, 0, plan)
    for n in range(first, end, {count}):
        slot, last = n - first, min(n + {count}, end)
        forward_together(
            batch.x[n:last], slot, training, plan, net, rows, scratch, batch.logits[n:last], batch.finite[n:last]
        )
        for m in range(n, last):
            batch.losses[m] = cross_entropy(batch.logits[m], batch.labels[m], work.clips, kept.dlogits[m - first])
        backward_together(last - n, slot, plan, net, own, rows, scratch)
""",
        ),
    ]


VARIANTS = {
    "as it is": [],
    "layer by layer": [(NETWORK, "if self._fused and not input_gradient:", "if False:")],
    "arrays might overlap": [(JIT, "flags.noalias = True", "pass")],
    "slices are counted as references": [(JIT, "flags.nrt = False", "pass")],
    "one frame at a time": [
        (
            PLANES,
            """            p0[q] = x0[q] * w0[q] + x1[q] * w1[q] + x2[q] * w2[q]
            p1[q] =""",
            """            p0[q] = x0[q] * w0[q] + x1[q] * w1[q] + x2[q] * w2[q]
        for q in range(w0.size):
            p1[q] =""",
        ),
        (
            PLANES,
            """        dw0[q] += x0[q] * g0[q] + x1[q] * g1[q]
        dw1[q] += x1[q] * g0[q] + x2[q] * g1[q]
        dw2[q] += x2[q] * g0[q] + x3[q] * g1[q]""",
            """        dw0[q] += x0[q] * g0[q]
        dw1[q] += x1[q] * g0[q]
        dw2[q] += x2[q] * g0[q]
    for q in range(dw0.size):
        dw0[q] += x1[q] * g1[q]
        dw1[q] += x2[q] * g1[q]
        dw2[q] += x3[q] * g1[q]""",
        ),
    ],
    "normalised before the maximum": [
        (
            CLIP,
            """        pool_plane(a, width, m)
        normalize(m, mean, scale, m)""",
            """        normalize(a, mean, scale, scratch.dn)
        pool_plane(scratch.dn, width, m)""",
        )
    ],
    "first maps recomputed in backward": [
        (CLIP, "kept.a1[f, d] if training else scratch.a", "scratch.a"),
        (
            CLIP,
            """        dm, a, dn, dz = scratch.dn1[d % 4], kept.a1[f, d], scratch.dn, scratch.dz
""",
            """        dm, a, dn, dz = scratch.dn1[d % 4], scratch.a, scratch.dn, scratch.dz
        if d == first:
            pair_of_products(kept.x, first, net.w1[f], scratch.p)
        activations(scratch.p[d - first], width, net.b1[f, 0, d], scratch.v, a)
""",
        ),
    ],
    "64 parts of a batch instead of 32": [(TREE, "PART_CLIPS = 2", "PART_CLIPS = 1")],
    "16 parts": [(TREE, "PART_CLIPS = 2", "PART_CLIPS = 4")],
    "8 parts": [(TREE, "PART_CLIPS = 2", "PART_CLIPS = 12")],
    "a part's gradients are cleared at once": [
        (
            CLIP,
            "    kept.dn3[:] = 0\n",
            "    kept.dn3[:] = 0\n    if slot == 0:\n        gradients.b1[:] = 0\n        gradients.w7[:] = 0\n",
        )
    ],
    "parts are added one by one": [(FUSED, "TOGETHER = 4", "TOGETHER = 1")],
    "two clips through each plane": together(2),
    "four clips through each plane": together(4),
    "arrays begin anywhere": [
        (LAYOUT, "values[start : start + rows * length]", "values[start + 1 :][: rows * length]")
    ],
    "sums in the order as written": [(JIT, '{"nsz", "arcp", "contract", "afn", "reassoc"}', "()")],
}
"""File, text in it that must be there once, and what replaces it."""

SIZES = {"clips": 100, "maps": 3, "frames": 16, "side": 100}
"""Of the batch and of the network that are timed."""

WORKER = """
import sys
sys.path[:0] = sys.argv[1:3]
import time
from timing import Step, check
check()
clips, maps, frames, side = map(int, sys.argv[4:])
step = Step(clips, feature_maps=maps, input_shape=(frames, side, side, 1))
step.train()
clock = time.process_time if sys.argv[3] == "cpu" else time.perf_counter
print("ready", flush=True)
for line in sys.stdin:
    times = []
    for _ in range(5):
        start = clock()
        step.train()
        times.append(clock() - start)
    print(min(times), flush=True)
"""


class Variant:
    """A copy of the package with some lines replaced, and a process that times its step when asked."""

    def __init__(self, name, folder, cpu, sizes, source=HERE.parent):
        root = Path(folder) / name.replace(" ", "-")
        for part in ("kernels", "emop3d_np"):
            shutil.copytree(source / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(HERE / "timing.py", root)
        for file, old, new in VARIANTS.get(name, []):
            replace_once(root / file, old, new)
        environment = (
            os.environ | {"NUMBA_CACHE_DIR": str(root / "cache")} | ({"NUMBA_NUM_THREADS": "1"} if cpu else {})
        )
        command = [sys.executable, "-c", WORKER, str(root), str(root), "cpu" if cpu else "clock", *map(str, sizes)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=root
        )
        if self.process.stdout.readline() != "ready\n":
            sys.exit(f"{name}: does not compute the right gradients")

    def time(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def replace_once(path, old, new):
    text = path.read_text()
    if text.count(old) != 1:
        sys.exit(f"{path.name} has {text.count(old)} times, not once: {old!r}")
    path.write_text(text.replace(old, new))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), help="these variants; default all")
    parser.add_argument("--against", type=Path, help="another checkout, which is one variant more")
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of one thread; written nowhere")
    for name, size in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=size, help=f"default {size}; another is written nowhere")
    given = parser.parse_args()
    sizes = [getattr(given, name) for name in SIZES]
    with tempfile.TemporaryDirectory() as folder:
        names = ["as it is", *given.only] if given.only else list(VARIANTS)
        variants = {
            name: Variant(name, folder, given.cpu, sizes) for name in tqdm(names, desc="compiling", unit="variant")
        }
        if given.against:
            variants["against"] = Variant("against", folder, given.cpu, sizes, given.against.resolve())
        times = {name: [] for name in variants}
        for _ in tqdm(range(given.rounds), desc="timing", unit="round"):
            for name, variant in variants.items():
                times[name].append(variant.time())
        for variant in variants.values():
            variant.close()
    asis = times["as it is"]
    result = {
        "machine": description("numpy", "numba"),
        "rounds": given.rounds,
        "seconds": {name: statistics.median(found) for name, found in times.items()},
        "times_as_it_is": {
            name: statistics.median(a / b for a, b in zip(found, asis, strict=True)) for name, found in times.items()
        },
    }
    if not (given.cpu or given.only or given.against or sizes != list(SIZES.values())):
        (HERE / "results" / "ablations.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
