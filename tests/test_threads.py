"""Several threads and processes: one network gives each the bits that it gives one alone, or says what cannot be."""

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numba
import numpy as np
import pytest
from conftest import JIT, PATIENCE, SIMULATED, long_simulated
from hypothesis import given, settings
from hypothesis import strategies as st

import emop3d_np as emo
import kernels
from emop3d_np.errors import InputError
from kernels import tree
from kernels.cpu import fused, threads

SHAPE = (8, 20, 21, 1)
UNUSUAL = {"receptive_field": (2, 3, 3)}
"""A network that the fused passes do not cover."""


def bits(net, x, labels):
    """All that passes over a batch give, as bytes."""
    loss, gradients = net.loss_and_gradients(x, labels, weight_decay=0.01)
    passes = net.forward(x), net.forward(x[:1]), net.predict_proba(x), *gradients.values(), np.float64(loss)
    return b"".join(np.asarray(values).tobytes() for values in passes)


@pytest.mark.parametrize("settings", [{}, UNUSUAL, {"backend": "reference"}], ids=["fused", "layers", "reference"])
def test_four_threads_share_a_network(settings):
    """Batches of several sizes at once, for forward passes and for training."""
    net, rng = emo.EmoP3D(SHAPE, 2, 3, **settings), np.random.default_rng(0)
    batches = [(rng.standard_normal((n, *SHAPE), np.float32), np.arange(n) % 3) for n in (1, 3, 5, 9)]
    alone = [bits(net, *each) for each in batches]

    def often(which):
        return [bits(net, *batches[which]) == alone[which] for _ in range(12 if JIT else 2)]

    with ThreadPoolExecutor(4) as pool:
        assert all(all(same) for same in pool.map(often, range(4)))


@pytest.mark.parametrize("settings", [{}, UNUSUAL], ids=["fused", "layers"])
def test_any_number_of_threads(settings, monkeypatch):
    """They share parts of a batch out, or of a clip, however many there are; fewer real ones do their work in turns."""
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((n, *SHAPE), np.float32), np.arange(n) % 3) for n in ((1, 3, 37) if JIT else (3,))]
    alone, most = None, numba.get_num_threads()
    try:
        for count in (1, 2, 3, 5, 8, 64) if JIT else (1, 3, 6):
            numba.set_num_threads(min(count, most))
            monkeypatch.setattr(threads, "count", lambda count=count: count)
            monkeypatch.setattr(fused, "WORTH_SHARING", 0)
            net = emo.EmoP3D(SHAPE, 2, 3, **settings)
            found = [bits(net, *each) for each in batches]
            alone = alone or found
            assert found == alone
    finally:
        numba.set_num_threads(most)


def training_bits(net, x, labels, count):
    """What a training pass gives as bytes, and the jobs of which it consists, with so many threads."""
    jobs, run = [], net._fused.run

    def noted(tasks, *others):
        jobs.extend(job for job, *_ in tasks)
        run(tasks, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "count", lambda: count)
        patch.setattr(fused, "WORTH_SHARING", 0)
        patch.setattr(net._fused, "run", noted)
        loss, gradients, logits = net.training_pass(x, labels)
    return b"".join(np.asarray(values).tobytes() for values in (loss, logits, *gradients.values())), set(jobs)


@pytest.mark.skipif(SIMULATED, reason="it is about the edition for the processor")
@settings(max_examples=20 if JIT else 4)
@given(
    shape=st.tuples(st.integers(7, 10), st.integers(11, 16), st.integers(11, 16), st.integers(1, 2)),
    maps=st.integers(2, 4),
    classes=st.integers(1, 4),
    clips=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_clip_that_is_shared_out(shape, maps, classes, clips, seed):
    """Maps and frames of a clip go to threads, or a clip to one thread: gradients are the same in every bit."""
    rng = np.random.default_rng(seed)
    net = emo.EmoP3D(shape, maps, classes, seed=seed)
    x, labels = rng.standard_normal((clips, *shape), np.float32), rng.integers(0, classes, clips)
    whole, jobs = training_bits(net, x, labels, 1)
    assert jobs == {fused.Job.TRAIN}
    for count in (4, 8):
        found, jobs = training_bits(net, x, labels, count)
        assert found == whole
        assert (jobs != {fused.Job.TRAIN}) == (tree.parts_of(clips) < maps)


@pytest.mark.once
@pytest.mark.parametrize(
    ("clips", "count", "maps", "side", "shared_out"),
    [
        (3, 1, 3, 100, False),
        (3, 2, 3, 100, True),
        (4, 2, 3, 100, False),
        (7, 4, 3, 100, True),
        (8, 64, 3, 100, False),
        (8, 8, 16, 40, True),
        (1, 8, 1, 400, False),
        (1, 8, 3, 40, False),
    ],
)
def test_which_batches_are_shared_out_within_a_clip(clips, count, maps, side, shared_out):
    """Those of fewer parts than a clip keeps threads busy; a clip so small that threads would mostly wait is not."""
    passes = fused.Fused((16, side, side, 1), maps, 6, np.float32)
    assert passes.within_clips(tree.parts_of(clips), count) == shared_out


class Given(tree.Share):
    """A share whose owner is told the sums and losses of those before it; the last one knows the whole batch."""

    def __init__(self, clips, first, end, before):
        super().__init__(clips, first, end)
        self.before = before

    def total(self, sums, length, dtype):
        found = zip(tree.subtrees(self.first, self.end), [row.copy() for row in sums], strict=True)
        self.before["sums"] += found
        assert all((row.size, row.dtype) == (length, dtype) for row in sums)
        if self.end < tree.parts_of(self.clips):
            return np.zeros(length, dtype)
        subtrees, rows = zip(*self.before["sums"], strict=True)
        return tree.add_up(rows, tree.merges(subtrees), np.add)[0]

    def all_losses(self, losses):
        self.before["losses"] = np.concatenate([self.before["losses"], losses])
        return self.before["losses"] if self.end else np.zeros(1)


@pytest.mark.once
@pytest.mark.parametrize(
    "settings", [{}, UNUSUAL, {"pooling": "average", "dtype": "float64", "backend": "reference"}], ids=str
)
@pytest.mark.parametrize("cuts", [[0, 4], [0, 0, 3, 3, 4], [0, 1, 2, 3, 4, 4]], ids=str)
def test_a_batch_shared_out(settings, cuts):
    """Shares of any size, none among them, come to the loss and the gradients of the whole batch, bit by bit."""
    net, rng = emo.EmoP3D(SHAPE, 2, 3, **settings), np.random.default_rng(0)
    x, labels = rng.standard_normal((11, *SHAPE), np.float32), np.arange(11) % 3
    loss, expected, logits = net.training_pass(x, labels, 0.01)
    before = {"sums": [], "losses": np.zeros(0, net.dtype)}
    shares = [Given(11, first, end, before) for first, end in pairwise(cuts) if end or not first]
    found = [net.training_pass(x[each.own], labels[each.own], 0.01, share=each) for each in shares]
    assert np.concatenate([each for _, _, each in found]).tobytes() == logits.tobytes()
    assert found[-1][0] == loss
    assert all(np.array_equal(found[-1][1][name], expected[name]) for name in expected)


def test_a_share_of_other_clips():
    net = emo.EmoP3D(SHAPE, 2, 3)
    x = np.zeros((5, *SHAPE), np.float32)
    with pytest.raises(InputError, match=r"5 clips were given for the share 2 \.\.\. 5 of a batch, backend 'cpu'"):
        net.training_pass(x, [0] * 5, share=tree.Share(11, 1, 2))


EIGHT = """
import numba, numpy as np, emop3d_np as emo
net, rng = emo.EmoP3D((8, 60, 60, 1)), np.random.default_rng(0)
x, labels = rng.standard_normal((100, *net.input_shape), np.float32), np.arange(100) % 6
def bits(count):
    numba.set_num_threads(count)
    loss, gradients = net.loss_and_gradients(x, labels)
    return b"".join(each.tobytes() for each in [net.forward(x), net.forward(x[:3]), *gradients.values()])
first = bits(1)
print(sum(bits(count) != first for count in [2, 3, 5, 6, 7, *[8] * 20]))
"""


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_eight_threads():
    """Real ones, often, on planes that are not tiny: none writes where another does."""
    assert python(EIGHT, NUMBA_NUM_THREADS="8") == (0, "0", "")


COPIES = {
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.mark.parametrize("how", ["pickle", *(pytest.param(how, marks=long_simulated) for how in ("deepcopy", "copy"))])
@pytest.mark.parametrize("backend", kernels.EDITIONS)
def test_copies_of_a_network(how, backend):
    """The same bits, also after use, of another form, and with values that are not finite; and nothing is shared."""
    net = emo.EmoP3D((8, 14, 14, 1), 2, 3, backend=backend, seed=5, **({} if backend == "cuda" else UNUSUAL))
    x, labels = np.random.default_rng(0).standard_normal((2, 8, 14, 14, 1), np.float32), np.arange(2)
    net.parameters["L3P/weights"][...] = 0.5
    before = bits(net, x, labels)
    other = COPIES[how](net)
    assert bits(other, x, labels) == before
    assert (other.input_shape, other.num_classes, other.dtype, other.backend) == ((8, 14, 14, 1), 3, "float32", backend)
    other.parameters["L3P/weights"][...] = np.nan
    assert bits(net, x, labels) == before
    assert np.isnan(np.asarray(COPIES[how](other).parameters["L3P/weights"])).all()


def python(code, **environment):
    """What a fresh process prints to either stream."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


WORKQUEUE = """
import numpy as np, numba, threading, kernels
standardize, x = kernels.edition("cpu").standardize, np.random.default_rng(0).random((4, 5, 30, 30, 1))
first, wrong = standardize(x), []
def often():
    for _ in range(200):
        if not np.array_equal(standardize(x), first):
            wrong.append(1)
threads = [threading.Thread(target=often) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
print(numba.threading_layer(), len(wrong))
"""


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_the_layer_that_allows_no_two_threads():
    """Numba's ``workqueue`` would end the process."""
    code, output, errors = python(WORKQUEUE, NUMBA_THREADING_LAYER="workqueue", NUMBA_NUM_THREADS="2")
    assert (code, output, errors) == (0, "workqueue 0", "")


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_a_layer_that_is_missing():
    code, output, errors = python(WORKQUEUE, NUMBA_THREADING_LAYER="no_such", NUMBA_NUM_THREADS="2")
    assert code == 0
    assert output.endswith(" 0")
    assert errors.startswith("note: Numba's threading layer 'no_such': ")
    assert errors.count("\n") == 0


FORK = """
import multiprocessing as mp, numpy as np, kernels
from kernels.cpu import threads
standardize, x = kernels.edition("cpu").standardize, np.ones((4, 5, 30, 30, 1))
def work(_): return float(standardize(x).sum()) * threads.count()
def outcome():
    with mp.get_context("fork").Pool(2) as pool:
        try:
            return pool.map_async(work, range(4)).get(300)
        except Exception as error:
            return type(error).__name__ + ": " + str(error)
print(outcome())
work(0)
print(outcome())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can be forked")
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_forks_before_and_after_use(layer):
    """They work, or end at once with a line that says what to do; interpreted, they always work."""
    code, output, errors = python(FORK, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2")
    assert (code, errors) == (0, "")
    before, after = output.splitlines()
    assert before == "[0.0, 0.0, 0.0, 0.0]"
    if JIT and layer == "omp" and sys.platform.startswith("linux"):
        assert after.startswith("InputError: this process was forked from one in which kernels had run")
        assert "get_context('spawn')" in after
    else:
        assert after == before


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_no_layer_at_all(monkeypatch):
    from kernels.cpu import threads

    def missing():
        raise ValueError("No threading layer could be loaded.\nHINT: ...")

    monkeypatch.setattr(threads._State, "started", False)
    monkeypatch.setattr(numba, "get_num_threads", missing)
    monkeypatch.setattr(numba.config, "THREADING_LAYER", "tbb")
    with pytest.raises(InputError, match=r"layer 'tbb': No threading layer could be loaded; install numba anew, or"):
        kernels.edition("cpu").standardize(np.ones((1, 1, 2, 2, 1)))
