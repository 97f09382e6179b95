"""The parts of ``cuda_day.py`` that use the device in its own process: right, and how fast.

Every part takes what the parts before it found, and returns what goes into the JSON.  One that fails after it has found
something hangs it to the exception, as ``found``.
"""

import secrets
import statistics
import time
from contextlib import contextmanager

import numpy as np
from cuda_clock import (
    CHAINS,
    device_seconds,
    in_a_row,
    launch_seconds,
    multiply_and_add,
    noted,
    seconds_of,
    settle,
)
from cuda_launches import emo
from cuda_model import traffic
from cuda_sizes import SIZES

from emop3d_np.errors import InputError
from kernels.cuda import graph
from kernels.cuda.device_array import DeviceArray, to_device, upload
from kernels.cuda.launch import finish, stream
from kernels.cuda.memory import free_bytes, pinned
from kernels.cuda.target import SIMULATED

ROUNDING = {"float64": 1e-10, "float32": 1e-3}
"""Largest error of a gradient, norm beside norm; in float32 rounding may choose another of two near maxima."""

RATE = 0.00015


class Wrong(Exception):
    """A part's findings show a mistake."""

    def __init__(self, message, found):
        super().__init__(message)
        self.found = found


def say(line):
    print("  ", line, flush=True)


# --- What the card can do.


def ceilings(**_):
    """Bytes a second of a copy within the device's memory, read and written; float32 operations a second."""
    found = copy_rates()
    blocks, threads = (2, 2) if SIMULATED else (4096, 256)
    out = to_device(np.random.default_rng(0).random(blocks * threads, np.float32))
    seconds = [
        device_seconds(lambda: multiply_and_add(blocks, threads, SIZES.rounds, np.float32(1e-6), out.row))
        for _ in range(3)
    ]
    found["operations_per_second"] = rate(2 * CHAINS * SIZES.rounds * blocks * threads, seconds)
    say(f"float32 multiplication with addition: {found['operations_per_second'] / 1e12:.1f} Tflop/s")
    return found


def copy_rates():
    """Of the driver's copy, and of a kernel's."""
    size = int(min(SIZES.copied_bytes, free_bytes() // 4)) // 4
    source = to_device(np.random.default_rng(0).standard_normal(size, np.float32))
    copy = DeviceArray.empty(size, np.float32)

    def driver_copy():
        copy.data.copy_to_device(source.data.values if SIMULATED else source.data, stream=stream())

    def kernel_copy():
        copy[...] = source

    found, moved = {"copied_bytes": 4 * size}, 2 * 4 * size
    for name, work in (("copy", driver_copy), ("kernel_copy", kernel_copy)):
        found[f"{name}_bytes_per_second"] = rate(moved, [device_seconds(work, 5) for _ in range(3)])
        say(f"{name}, {moved / 1e9:.2f} GB read and written: {found[f'{name}_bytes_per_second'] / 1e9:,.0f} GB/s")
    return found


def rate(amount, seconds):
    fastest = min(seconds)
    return amount / fastest if fastest else float("nan")


# --- Right.


def right(**_):
    """Compare loss, logits and gradients with the reference edition's in float64, for inputs never seen before."""
    seed = secrets.randbits(32)
    say(f"seed {seed}")
    rng, rows = np.random.default_rng(seed), []
    for case in SIZES.cases:
        x, labels = (
            rng.standard_normal((case.batch, *case.shape), np.float32),
            rng.integers(0, case.classes, case.batch),
        )
        settings = {"input_shape": case.shape, "feature_maps": case.maps, "num_classes": case.classes}
        reference = emo.EmoP3D(**settings, dtype="float64", backend="reference")
        values = {
            name: np.float32(initial + 0.05 * rng.standard_normal(initial.shape))
            for name, initial in reference.parameters.items()
        }
        reference.load_parameters(values)
        loss, expected = reference.loss_and_gradients(x, labels, input_gradient=True)
        expected |= {"the loss": loss, "the logits": reference.forward(x)}
        for dtype in ROUNDING:
            net = emo.EmoP3D(**settings, dtype=dtype, backend="cuda")
            net.load_parameters(values)
            for way, extra in (("fused", {}), ("layer by layer", {"input_gradient": True})):
                started = time.perf_counter()
                errors = compare(net, x, labels, extra, expected)
                worst = max(errors, key=lambda name: errors[name] if errors[name] == errors[name] else np.inf)
                row = {"shape": case.shape, "maps": case.maps, "classes": case.classes, "batch": case.batch}
                row |= {"dtype": dtype, "way": way, "errors": errors, "worst": worst, "error": errors[worst]}
                row |= {"right": bool(errors[worst] <= ROUNDING[dtype]), "seconds": time.perf_counter() - started}
                rows.append(row)
                say(in_words(row))
    found = {"seed": seed, "allowed": ROUNDING, "rows": rows}
    if wrong := [row for row in rows if not row["right"]]:
        raise Wrong(f"{len(wrong)} of {len(rows)} are wrong, the first: {in_words(wrong[0])}", found)
    return found


def in_words(row):
    clips = f"{row['batch']} clips of {'x'.join(map(str, row['shape']))}, {row['maps']} maps"
    return (
        f"{clips}, {row['dtype']}, {row['way']}: {'right' if row['right'] else 'WRONG'}, "
        f"{row['worst']} to {row['error']:.1g} ({row['seconds']:.1f} s)"
    )


def compare(net, x, labels, extra, expected):
    """Errors by name of a second pass, in memory that was full of NaN before it."""
    poison_free_memory()
    _, gradients, _ = net.training_pass(x, labels, **extra)
    net.forward(x)
    for memory in kept_memory(net._fused):
        DeviceArray(memory)[...] = np.nan
    for gradient in gradients.values():
        gradient[...] = np.nan
    loss, gradients, logits = net.training_pass(x, labels, gradients=gradients, **extra)
    found = {**gradients, "the loss": loss, "the logits": logits}
    errors = {name: distance(found[name], values) for name, values in expected.items() if name in found}
    errors["the logits of forward"] = distance(net.forward(x), expected["the logits"])
    return errors


def distance(ours, theirs):
    return float(np.linalg.norm(np.float64(np.asarray(ours)) - theirs) / np.linalg.norm(theirs))


def kept_memory(fused):
    """The floats that a net keeps from pass to pass, which every pass has to write before it reads them."""
    for arrays in getattr(fused, "_kept", {}).values():
        for each in arrays if isinstance(arrays, list) else ():
            if np.dtype(each.dtype).kind == "f":
                yield each


def poison_free_memory(most=2**30):
    """NaN into memory that the next arrays are likely to get; the simulator's new arrays are full of them anyway."""
    if SIMULATED:
        return
    part = int(min(most, free_bytes() // 4)) // 16
    for size in [part] * 4 + [part // 64] * 16:
        DeviceArray.empty(size // 4, np.float32)[...] = np.nan
    settle()


# --- How fast.


class Training:
    """A network, its optimiser and batches of noise on the host and on the device."""

    def __init__(self, batch, seed=0, on_host=None):
        self.net, self.optimizer = emo.EmoP3D(**SIZES.network, backend="cuda"), emo.optimizers.Momentum(RATE)
        rng = np.random.default_rng(seed)
        few = rng.standard_normal((min(batch, 64), *self.net.input_shape), np.float32)
        self.on_host = np.resize(few, (batch, *self.net.input_shape)) if on_host is None else on_host
        self.on_device = to_device(self.on_host)
        self.labels = rng.integers(0, self.net.num_classes, batch)
        self.gradients = None

    def step(self, x=None, labels=None):
        """One step; returns its loss."""
        x, labels = self.on_device if x is None else x, self.labels if labels is None else labels
        loss, self.gradients, _ = self.net.training_pass(x, labels, gradients=self.gradients)
        self.optimizer.update(self.net.parameters, self.gradients)
        return loss


@contextmanager
def one_by_one():
    """Within, no step is launched as a graph."""
    kept, graph.ENABLED = graph.ENABLED, False
    try:
        yield
    finally:
        graph.ENABLED = kept


def kernel_times(results, **_):
    """Each kernel's time in a training step beside its bound, its bytes at the measured rate of a copy."""
    if "copy_bytes_per_second" not in results.get("ceilings", {}):
        results = results | {"ceilings": ceilings()}
    copy_rate = max(results["ceilings"][f"{name}_bytes_per_second"] for name in ("copy", "kernel_copy"))
    training = Training(SIZES.batch)
    with one_by_one():
        training.step()  # the first makes the arrays that all later ones use
        with noted() as launches:
            training.step()
            finish()
    times, host_seconds, together = launch_seconds(launches, SIZES.repeats)
    kernels = {}
    for launch, seconds in zip(launches, times, strict=True):
        row = kernels.setdefault(launch.kernel.name, {"launches": 0, "seconds": 0.0, "bytes": 0})
        for name, value in (("launches", 1), ("seconds", seconds), ("bytes", traffic(launch))):
            row[name] += value
    for row in kernels.values():
        row["bound_seconds"] = row["bytes"] / copy_rate
        row["bytes_per_second"] = row["bytes"] / row["seconds"] if row["seconds"] else float("nan")
        row["share"] = row["bytes_per_second"] / copy_rate
    kernels = dict(sorted(kernels.items(), key=lambda item: -item[1]["seconds"]))
    found = {"batch": SIZES.batch, "launches": len(launches), "copy_bytes_per_second": copy_rate, "kernels": kernels}
    found |= {"seconds_by_events": sum(times), "seconds_together": together, "host_launch_seconds": host_seconds}
    say(
        f"{len(launches)} launches of a step at batch {SIZES.batch}: {1e3 * sum(times):.3f} ms one by one, "
        f"{1e3 * together:.3f} ms in a row; the host launches them in {1e3 * host_seconds:.3f} ms"
    )
    return found


def step_times(**_):
    """Step, forward pass and one clip, by batch; each figure twice."""
    rows, found = [], {}
    for batch in dict.fromkeys((SIZES.batch, *SIZES.batches)):  # the batch of most interest first
        try:
            rows.append(times_of(batch))
        except (InputError, MemoryError) as error:
            rows.append({"batch": batch, "skipped": str(error)})
        say(batch_line(rows[-1]))
    found["rows"] = sorted(rows, key=lambda row: row["batch"])
    found["single"] = single_clip()
    found["upload"] = upload_times()
    return found


def times_of(batch):
    training = Training(batch)
    work = {
        "step": (training.step, in_a_row),
        "step_waited_for": (training.step, seconds_of),
        "step_with_upload": (lambda: training.step(training.on_host), in_a_row),
        "forward": (lambda: training.net.forward(training.on_device), seconds_of),
        "forward_with_upload": (lambda: training.net.forward(training.on_host), seconds_of),
    }
    row = {"batch": batch}
    for name, (call, measure) in work.items():
        count = {} if measure is seconds_of else {"count": max(2, min(20, 4000 // batch) if not SIMULATED else 1)}
        row[name] = [measure(call, SIZES.seconds, **count) for _ in range(SIZES.times)]
    return row


def batch_line(row):
    """A row of the table of batches."""
    if "skipped" in row:
        return f"batch {row['batch']:>5}: left out, {row['skipped']}"
    cells = "; ".join(f"{name.replace('_', ' ')} {milliseconds(row[name])}" for name in row if name != "batch")
    return f"batch {row['batch']:>5}, ms: {cells}"


def milliseconds(pair):
    return " / ".join(f"{1e3 * seconds:.3f}" for seconds in pair)


def single_clip():
    """Seconds from one clip on the host to its logits, of new clips one after the other."""
    net = emo.EmoP3D(**SIZES.network, backend="cuda")
    clips = np.random.default_rng(0).standard_normal((16, 1, *net.input_shape), np.float32)
    found = [latency(net, clips) for _ in range(SIZES.times)]
    say(f"one clip, host to logits, ms: {milliseconds([each['median'] for each in found])}")
    return found


def latency(net, clips, count=1 if SIMULATED else 300):
    for clip in clips[:2]:
        net.forward(clip)
    times = []
    for which in range(count):
        started = time.perf_counter()
        net.forward(clips[which % len(clips)])
        times.append(time.perf_counter() - started)
    return {"median": statistics.median(times), "99 %": sorted(times)[int(0.99 * (count - 1))], "least": min(times)}


def upload_times():
    """Bytes a second of a batch on its way to the device, from memory that is pinned and from memory that is not."""
    shape = (SIZES.batch, *emo.EmoP3D(**SIZES.network, backend="reference").input_shape)
    found, into = {}, DeviceArray.empty(shape, np.float32)
    for name, host in (("pinned", pinned(shape, np.float32)), ("pageable", np.empty(shape, np.float32))):
        host[...] = 1
        seconds = seconds_of(lambda host=host: upload(host, into), SIZES.seconds)
        bytes_per_second = host.nbytes / seconds
        found[name] = {"seconds": seconds, "bytes_per_second": bytes_per_second}
        say(f"upload, {name}: {host.nbytes / 1e6:.1f} MB in {1e3 * seconds:.3f} ms, {bytes_per_second / 1e9:.1f} GB/s")
    return found


# --- The same bits.


def repeated(**_):
    """Train twice from the same seed on the same batches: losses and parameters have to be equal bit by bit."""
    runs, seconds = [], []
    for _ in range(2):
        training = Training(SIZES.batch)
        batches = [training.on_device] + [
            to_device(np.random.default_rng(seed).standard_normal(training.on_host.shape, np.float32))
            for seed in range(1, 4)
        ]
        training.step(batches[0])
        finish()
        started = time.perf_counter()
        losses = [training.step(batches[step % len(batches)]) for step in range(SIZES.steps)]
        finish()
        seconds.append(time.perf_counter() - started)
        runs.append((losses, {name: np.array(values) for name, values in training.net.parameters.items()}))
    (losses, parameters), (again, parameters_again) = runs
    same = [a == b for a, b in zip(losses, again, strict=True)]
    different = [name for name, values in parameters.items() if not np.array_equal(values, parameters_again[name])]
    found = {"steps": SIZES.steps, "training_seconds": seconds, "first_loss": losses[0], "last_loss": losses[-1]}
    found |= {"equal_losses": sum(same), "different_parameters": different, "finite": bool(np.isfinite(losses).all())}
    say(
        f"{sum(same)} of {SIZES.steps} losses are the same, {losses[0]:.4f} to {losses[-1]:.4f}; "
        f"a step {1e3 * min(seconds) / SIZES.steps:.3f} ms"
    )
    if not all(same) or different or not found["finite"]:
        raise Wrong(f"the losses differ from step {same.index(False) if not all(same) else 'none'} on", found)
    return found
