"""One program in a process of its own, driven over standard input by ``peers_bench.py``; JSON in, JSON out.

python bench/peers_worker.py MODULE VARIANT THREADS WORK.npz STARTED
"""

import importlib
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]


def main(module, variant, threads, work, started):
    from machine import memory

    answers = sys.stdout
    sys.stdout = sys.stderr  # a framework may print
    program_of = importlib.import_module(f"peers.{module}")
    before = memory()
    work = np.load(work)
    x, labels = work["x"], work["labels"]
    program = program_of.load([work[f"parameter{i}"] for i in range(8)], variant, int(threads))
    if program.step:
        program.step(x, labels)
    else:
        program.forward(x)
    first_step = time.time() - float(started)
    # The step above changed the parameters: load them again for the check.
    program = program_of.load([work[f"parameter{i}"] for i in range(8)], variant, int(threads))
    few = slice(0, len(work["logits"]))
    found = {"logits": program.forward(x[few])}
    if program.step:
        _, gradients = program.gradients(x[few], labels[few])
        found |= {f"gradient{i}": gradient for i, gradient in enumerate(gradients)}
    errors = {name: _error(array, work[name]) for name, array in found.items()}
    print(json.dumps({"first_step": first_step, "errors": errors}), file=answers, flush=True)
    for line in sys.stdin:
        job, clips, repeats = json.loads(line)
        if job == "memory":
            answer = {"before": before, "most": memory("VmHWM")}
        else:
            part = np.ascontiguousarray(x[:clips])
            answer = []
            for _ in range(repeats + 1):  # the first one warms up
                start = time.perf_counter()
                program.step(part, labels[:clips]) if job == "step" else program.forward(part)
                answer.append(time.perf_counter() - start)
            answer = answer[1:]
        print(json.dumps(answer), file=answers, flush=True)


def _error(found, expected):
    return float(np.linalg.norm(found.astype(np.float64) - expected) / np.linalg.norm(expected))


if __name__ == "__main__":
    main(*sys.argv[1:])
