"""What is read back from files: whatever byte or value is changed, a plain line comes out, or what was written.

The files are small, and changed in every region; what one test finds holds for every reader, since they share one.
"""

import io
import json
import tempfile
import tracemalloc
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emop3d_np import reading
from emop3d_np.datasets import load_medmnist, load_prepared, record, strokes
from emop3d_np.errors import InputError
from emop3d_np.network import EmoP3D
from emop3d_np.training import building, checkpoint, flags, resuming, runs

pytestmark = pytest.mark.once

SHAPE = (1, 2, 2, 1)
MANY = settings(max_examples=100)


def read_or_refused(call, words):
    """What ``call()`` returns, or None where it raises an InputError, which must be a line with ``words`` in it."""
    try:
        return call()
    except InputError as error:
        text = a_line(error)
    assert words in text
    return None


def a_line(error):
    """An InputError's text, which must be one line that steers no terminal."""
    text = str(error)
    assert text.isprintable(), text
    assert len(text) < 1000
    return text


@cache
def the_state():
    rng = np.random.default_rng(0)
    arrays = {"a/weights": rng.random((2, 3), np.float32), "a/bias": rng.random(3, np.float32)}
    chosen = flags.merge({"num_classes": 2, "batch_size": 4, "max_steps": 3, "train_path": "clips/é"})
    progress = {"tally": {"clips": 8, "loss_sum": 4.5, "correct": 3}, "patience": {"lowest": 0.5, "waited": 1}}
    progress |= {"training_clips": 9, "random_state": {"seed": 0, "epoch": 2, "batch": 1}}
    part = {"count": 9, "labels": "l", "groups": "g", "clips": "c"}
    faces = {"face": "largest", "detect_every": 5, "min_face": 0.1, "patience": 5, "margin": 0.25, "fps": None}
    made = record.Record(("no", "yes"), 16, 100, 100, 1, grey=True, overlap=8, faces=faces, made_by="prepare")
    data = {"class_names": ["no", "yes"], "record": made.as_dict(), "training": part, "validation": None}
    return checkpoint.Checkpoint(5, vars(chosen), arrays, {"momentum": arrays}, progress, {}, data)


def same(one, other):
    plain = all(getattr(one, name) == getattr(other, name) for name in ("step", "settings", "progress", "data"))
    ours, theirs = ({"": one.parameters, **one.slots}, {"": other.parameters, **other.slots})
    return plain and ours.keys() == theirs.keys() and all(
        [*ours[slot]] == [*theirs[slot]] and all(np.array_equal(ours[slot][k], theirs[slot][k]) for k in ours[slot])
        for slot in ours
    )  # fmt: skip


@cache
def place():
    """A folder for the files of all examples."""
    return Path(tempfile.mkdtemp(prefix="reading-"))


@cache
def contents(name):
    """The bytes of a whole file."""
    path = place() / f"whole-{name}"
    path.mkdir()
    if name == "checkpoint":
        checkpoint.save(path / name, the_state())
        return (path / name).read_bytes()
    if name == "settings.json":
        return (json.dumps(the_state().settings, indent=2) + "\n").encode()
    if name == "record.json":
        record.write(path, the_state().record)
        return (path / name).read_bytes()
    if name == "set.npz":
        rng = np.random.default_rng(1)
        images, labels = rng.integers(0, 255, (6, *SHAPE[:-1]), np.uint8), np.arange(6)[:, None] % 2
        np.savez_compressed(path / name, train_images=images, train_labels=labels.astype(np.uint8))
        return (path / name).read_bytes()
    assert name in (path_of for path_of in prepared())
    return prepared()[name]


@cache
def prepared():
    """The files of a prepared folder."""
    files = {}
    for name, values in (("Training.npy", np.arange(12, dtype=np.uint8).reshape(3, *SHAPE)), ("labels.npy", [0, 1, 0])):
        file = io.BytesIO()
        np.save(file, values)
        files[name] = file.getvalue()
    files["classes.txt"] = "né\nyes\n".encode()
    rows = ["clip,source,first_frame,subject,label", "0,u,0,ann,0", "1,v,0,ben,1", '2,"w,x",0,ann,0', ""]
    return files | {"index.csv": "\n".join(rows).encode()}


changes = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
        st.tuples(st.just("cut"), st.floats(0, 1, exclude_max=True), st.integers(1, 40)),
        st.tuples(st.just("put"), st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("end"), st.floats(0, 1), st.just(0)),
    ),
    min_size=1,
    max_size=3,
)


def changed(content, changes):
    """``content`` with each of the ``changes`` made, a kind, a place from 0 to 1, and what."""
    content = bytearray(content)
    for kind, where, what in changes:
        at = int(where * len(content))
        if kind == "flip" and content:
            content[at] ^= what
        elif kind == "cut":
            del content[at : at + what]
        elif kind == "put":
            content[at:at] = what
        elif kind == "end":
            del content[at:]
    return bytes(content)


@MANY
@given(changes)
def test_a_changed_checkpoint_is_refused_or_right(changes):
    path = place() / "x.ckpt"
    path.write_bytes(changed(contents("checkpoint"), changes))
    found = read_or_refused(lambda: checkpoint.load(path), f"checkpoint {path}")
    assert found is None or same(found, the_state())


def leaves(value, way=()):
    """The ways to all values in nested dicts and lists."""
    yield way
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from leaves(inner, (*way, key))


strange = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 9), st.just(10**400), st.floats(), st.sampled_from([1e300, -0.0, 0.5]),
    st.text(max_size=3), st.sampled_from(["None", "True", "3,4,4", "x\x1b[2J", "\ud800", "../x", "a\0b"]),
    st.just([]), st.just({}), st.lists(st.integers(-1, 4), max_size=4),
)  # fmt: skip


def with_a_strange_value(data, value):
    """``value`` with one of the values in it replaced, or left out, and the way there."""
    value = json.loads(json.dumps(value))
    way = data.draw(st.sampled_from([each for each in leaves(value) if each]))
    inside = value
    for key in way[:-1]:
        inside = inside[key]
    if data.draw(st.booleans()):
        inside[way[-1]] = data.draw(strange)
    else:
        del inside[way[-1]]
    return value, way


def as_checkpoint(header, arrays):
    """The bytes of a checkpoint of the form without checksums."""
    file = io.BytesIO()
    np.savez(file, header=np.array(json.dumps(header)), **arrays)
    return file.getvalue()


@MANY
@given(st.data())
def test_a_header_says_what_could_be_or_is_refused(data):
    """Every value of a header in turn, in the form that has no checksums: settings as the command line takes them."""
    state = the_state()
    header = {"format": 1, "step": 5, "settings": state.settings, "progress": state.progress, "data": state.data}
    header, way = with_a_strange_value(data, header)
    arrays = {f"parameters/{name}": values for name, values in state.parameters.items()}
    path = place() / "y.ckpt"
    path.write_bytes(as_checkpoint(header, arrays))
    found = read_or_refused(lambda: checkpoint.load(path), str(path))
    if found is None:
        return
    if way[0] == "settings":
        own = {name: value for name, value in found.settings.items() if name == way[1]}
        assert flags.parse(flags.arguments(own)) == own
    assert found.step == 5, way
    assert found.class_names in (("no", "yes"), None)
    assert found.record in (state.record, None) or way[:2] == ("data", "record")


@MANY
@given(changes)
def test_changed_settings_are_as_the_command_line_takes_them(changes):
    (place() / "run").mkdir(exist_ok=True)
    (place() / "run" / "settings.json").write_bytes(changed(contents("settings.json"), changes))
    found = read_or_refused(lambda: runs.read_settings(place() / "run"), "settings.json: ")
    if found is None:
        return
    known = {name: value for name, value in found.items() if name in flags.defaults()}
    assert flags.parse(flags.arguments(known)) == known


@MANY
@given(changes)
def test_a_changed_record_is_refused_or_whole(changes):
    (place() / "made").mkdir(exist_ok=True)
    (place() / "made" / "record.json").write_bytes(changed(contents("record.json"), changes))
    found = read_or_refused(lambda: record.read(place() / "made"), "record.json: ")
    if found is None:
        return
    record.write(place() / "made", found)
    assert record.read(place() / "made") == found
    assert found.faces.keys() == record.FACES.keys()


@MANY
@given(st.sampled_from(["Training.npy", "labels.npy", "classes.txt", "index.csv"]), changes)
def test_a_changed_prepared_folder_is_refused_or_fits_itself(name, changes):
    folder = place() / "prepared"
    folder.mkdir(exist_ok=True)
    for each, content in prepared().items():
        (folder / each).write_bytes(content if each != name else changed(content, changes))
    found = read_or_refused(lambda: load_prepared(folder, SHAPE, 2), str(folder))
    if found is None:
        return
    assert found.labels.tolist() == [0, 1, 0]
    assert found.clips.shape == (3, *SHAPE)
    assert all(len(values) == 3 for values in found.index.values())
    assert len(set(found.class_names)) == 2


@MANY
@given(changes)
def test_a_changed_set_of_medmnist_is_refused_or_right(changes):
    path = place() / "x.npz"
    path.write_bytes(changed(contents("set.npz"), changes))
    found = read_or_refused(lambda: load_medmnist(path, "train", SHAPE, 2), str(path))
    if found is None:
        return
    assert found.labels.tolist() == [0, 1] * 3
    assert np.array_equal(found.clips[..., 0], np.random.default_rng(1).integers(0, 255, (6, *SHAPE[:-1]), np.uint8))


def member(descr, shape, content=b"", compress=zipfile.ZIP_STORED, name="parameters/w"):
    """An .npz of one array whose header says ``shape``, whatever its ``content`` is."""
    file, array = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": descr, "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(file, "w", compress) as archive:
        archive.writestr(f"{name}.npy", array.getvalue() + content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (member("<f4", (1 << 30,)), r"parameters/w says it has 4,294,967,\d+ bytes, and has 128"),
        (member("<f4", (1 << 62, 1 << 62)), "parameters/w says it has"),
        (member("<f4", (-1,)), "negative side"),
        (member("<f4", (1 << 22,), bytes(1 << 24), zipfile.ZIP_DEFLATED), "would fill .* more than 16 times its own"),
        (member("<f4", (1 << 22,), bytes(1 << 24), zipfile.ZIP_BZIP2), "would fill .* more than 16 times its own"),
        (member("|O", (1,)), "Python objects"),
    ],
    ids=["large", "overflowing", "negative", "deflate bomb", "bzip2 bomb", "pickle"],
)
def test_sizes_are_compared_before_memory_is_taken(tmp_path, content, words):
    path = tmp_path / "x.ckpt"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=words) as error:
            checkpoint.load(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    a_line(error.value)
    assert most < 1 << 20


def test_a_header_of_a_large_network_takes_no_memory(tmp_path):
    """Its settings describe gigabytes, its arrays have a few numbers."""
    small = {"depth_frames": 6, "height": 12, "width": 12, "num_classes": 2, "receptive_field": [2, 3, 3]}
    small |= {"backend": "reference", "pool": [2, 2, 2]}
    net = building.build_network(flags.merge(small))
    for name, value, words in (
        ("height", 10**6, "L1WS/weights has shape"),
        ("num_classes", 10**8, "FC_OUT/weights has shape"),
        ("height", 10**30, "L1WS/weights has shape"),
        ("receptive_field", [2, 10**20, 3], "too small for the pyramid"),
    ):
        chosen = vars(flags.merge(small | {name: value}))
        checkpoint.save(tmp_path / "x.ckpt", checkpoint.Checkpoint(1, chosen, net.parameters, {}, {}))
        tracemalloc.start()
        try:
            with pytest.raises(InputError, match=words):
                building.load_network(tmp_path / "x.ckpt")
            with pytest.raises(InputError, match=f"the checkpoint does not fit these settings: .*{words}"):
                resuming.merge_resumed(checkpoint.load(tmp_path / "x.ckpt"), {})
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 1 << 20


def test_a_flipped_bit_is_named(tmp_path):
    """Even where somebody has put the archive's own checksums right."""
    path = tmp_path / "x.ckpt"
    checkpoint.save(path, the_state())
    with np.load(path) as archive:
        arrays = {name: archive[name].copy() for name in archive.files}
    arrays["slots/momentum/a/bias"].view(np.uint8)[5] ^= 1
    with open(path, "wb") as file:
        np.savez(file, **arrays)
    with pytest.raises(InputError, match="slots/momentum/a/bias does not agree with its checksum"):
        checkpoint.load(path)
    del arrays["slots/momentum/a/bias"]
    with open(path, "wb") as file:
        np.savez(file, **arrays)
    with pytest.raises(InputError, match="slots/momentum/a/bias is missing, or too much"):
        checkpoint.load(path)
    arrays["header"] = np.array(arrays["header"].item().replace('"step": 5', '"step": 6'))
    with open(path, "wb") as file:
        np.savez(file, **arrays)
    with pytest.raises(InputError, match="its header does not agree with its checksum"):
        checkpoint.load(path)


def test_checkpoints_of_format_1_are_read(tmp_path):
    state = the_state()
    header = {"format": 1, "step": 5, "settings": state.settings, "progress": state.progress}
    arrays = {f"parameters/{name}": values for name, values in state.parameters.items()}
    (tmp_path / "x.ckpt").write_bytes(as_checkpoint(header, arrays))
    found = checkpoint.load(tmp_path / "x.ckpt")
    assert (found.step, found.data, found.class_names, found.record) == (5, {}, None, None)
    (tmp_path / "x.ckpt").write_bytes(as_checkpoint(header | {"format": 3}, arrays))
    with pytest.raises(InputError, match="has format 3; this version reads formats 1 and 2"):
        checkpoint.load(tmp_path / "x.ckpt")


def test_devices_and_folders_are_no_files(tmp_path):
    for name in ("x.txt", "x.npz"):
        (tmp_path / name).symlink_to("/dev/zero")
        with pytest.raises(InputError, match="is no file but a pipe, a socket or a device"):
            reading.read_text(tmp_path / name)
    with pytest.raises(InputError, match="is no file but"):
        checkpoint.load(tmp_path / "x.npz")
    with pytest.raises(InputError, match="is a folder; a file is needed"):
        reading.read_text(tmp_path)
    with pytest.raises(InputError, match=r"x: there is no such file"):
        reading.read_text(tmp_path / "none", "x")


def test_lines_of_json(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"step": 1}\n\n{"step": 2}\n{"st')
    assert reading.read_json_lines(path) == [{"step": 1}, {"step": 2}]
    for line in (b'{"st', b"[1]", b"[" * 100_000, b"9" * 5000):
        path.write_bytes(b'{"step": 1}\n' + line + b'\n{"step": 2}\n')
        with pytest.raises(InputError, match=r"x\.jsonl: line 2 is damaged") as error:
            reading.read_json_lines(path)
        a_line(error.value)


@given(st.text(max_size=300))
def test_what_a_message_shows_is_one_line(text):
    assert len(reading.short(text).splitlines()) <= 1
    assert "\x1b" not in reading.short(text)
    assert len(reading.short(text)) <= 4 * reading.LONGEST_REASON


def test_load_parameters_takes_what_its_numbers_hold():
    """1e300 would become infinite in float32."""
    sizes = {"input_shape": (6, 12, 12, 1), "feature_maps": 1, "num_classes": 2, "receptive_field": (2, 3, 3)}
    net = EmoP3D(**sizes, backend="reference", dtype="float32", pool=(2, 2, 2))
    before = {name: values.copy() for name, values in net.parameters.items()}
    for value, words in ((1e300, "holds 1e\\+300 at .* which is too large for float32"), (np.nan, "not finite")):
        wrong = {name: values.astype(float) for name, values in before.items()}
        wrong["FC_OUT/bias"][1] = value
        wrong["L1WS/weights"] += 1
        with pytest.raises(InputError, match=f"^FC_OUT/bias.*{words}"):
            net.load_parameters(wrong)
        assert all(np.array_equal(net.parameters[name], values) for name, values in before.items())


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.array([[0.4], [1]]), "label 0.4 of clip 0 is not a whole number"),
        (np.array([["0"], ["1"]]), "has dtype <U1; labels are whole numbers"),
        (np.array([[1 + 1j], [0]]), "has dtype complex128; labels are whole numbers"),
        (np.array([[np.nan], [0]]), "label nan of clip 0"),
    ],
)
def test_labels_of_medmnist_are_whole_numbers(tmp_path, labels, words):
    np.savez(tmp_path / "x.npz", train_images=np.zeros((2, *SHAPE[:-1]), np.uint8), train_labels=labels)
    with pytest.raises(InputError, match=words):
        load_medmnist(tmp_path / "x.npz", "train", SHAPE, 2)


def test_a_2d_set_of_medmnist_is_no_volume(tmp_path):
    np.savez(tmp_path / "x.npz", train_images=np.zeros((2, 28, 28, 3), np.uint8), train_labels=np.zeros((2, 1), int))
    with pytest.raises(InputError, match="a 2D set, in colour; take a 3D one"):
        load_medmnist(tmp_path / "x.npz", "train", (28, 28, 3, 1), 2)


def test_strokes_that_unpack_to_too_much(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("A/character01/0001_01.txt", "START\n" + "1,-1,0\n" * 1_000_000)
    with pytest.raises(InputError, match="would fill 7,000,006 bytes, more than 100 times its own"):
        strokes.read_strokes(tmp_path / "x.zip")
