"""Clips in a folder of parts: the same as in one file, in little memory; whatever is wrong with a part is named."""

import gc
import hashlib
import json
import os
import shutil
import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sparse import prepared_sparse

import kernels
from emop3d_np import datasets
from emop3d_np.datasets import parts
from emop3d_np.datasets import split as split_into_folds
from emop3d_np.errors import InputError
from emop3d_np.files import require_apart
from emop3d_np.training import flags

pytestmark = pytest.mark.once

SHAPE = (2, 3, 4, 1)
REFERENCE = kernels.edition("reference")


def saved(folder, clips, bounds):
    """Write parts by NumPy alone, which end before the clips ``bounds`` and at the end, and their ``parts.json``."""
    folder.mkdir(parents=True)
    for number, own in enumerate(np.split(clips, bounds)):
        np.save(folder / f"part-{number:05}.npy", own)
    parts.index(folder)
    return folder


def some_clips(count=7, dtype="u1"):
    values = np.random.default_rng(count).integers(0, 200, (count, *SHAPE))
    return values.astype(dtype) / np.asarray(3, dtype) if np.dtype(dtype).kind == "f" else values.astype(dtype)


@pytest.fixture
def seven(tmp_path):
    """Seven clips in parts of three, none, and four, with labels."""
    np.save(tmp_path / "labels.npy", np.arange(7) % 2)
    return saved(tmp_path / "clips", some_clips(), [3, 3])


def opened(folder):
    return datasets.load_npy(folder, folder.parent / "labels.npy", SHAPE, 2, ("train_path", "train_labels_path"))


def batches(clips, indices):
    (x,) = (x.copy() for x, _ in clips.batches([indices], REFERENCE, np.float32))
    return x


@settings(max_examples=15)
@given(data=st.data(), dtype=st.sampled_from(["u1", "i2", ">i4", "f4", ">f8"]))
def test_parts_and_one_file_are_the_same_data(tmp_path_factory, data, dtype):
    """Batches, labels, the digests that a checkpoint keeps, and every byte; parts may be empty, and of any length."""
    folder = tmp_path_factory.mktemp("parts")
    count = data.draw(st.integers(1, 9))
    clips = some_clips(count, dtype)
    np.save(folder / "clips.npy", clips)
    np.save(folder / "labels.npy", np.arange(count) % 2)
    saved(folder / "clips", clips, sorted(data.draw(st.lists(st.integers(0, count), max_size=4))))
    sets = [datasets.load_npy(folder / name, folder / "labels.npy", SHAPE, 2) for name in ("clips.npy", "clips")]
    chosen = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=12)))
    one, several = (batches(clips, chosen) for clips in sets)
    assert np.array_equal(one, several)
    some = [datasets.describe(clips.take(chosen, "some"), clips) for clips in sets]
    assert some[0] == some[1]
    found = sets[1].clips
    assert (found.shape, found.dtype, found.ndim, found.size) == (clips.shape, clips.dtype, 5, clips.size)
    assert found.nbytes == clips.nbytes
    start = data.draw(st.integers(0, clips.nbytes))
    length = data.draw(st.integers(0, clips.nbytes - start))
    assert b"".join(found.read_bytes(start, length)) == clips.tobytes()[start : start + length]
    assert np.array_equal(np.stack(list(found)), clips)
    for row in (-1, count):
        with pytest.raises(IndexError):
            found[row]


def test_a_large_set_is_told_as_one_file_is(tmp_path, monkeypatch, seven):
    monkeypatch.setattr(datasets.identity, "WHOLE", 20)
    monkeypatch.setattr(datasets.identity, "BLOCKS", 9)
    monkeypatch.setattr(datasets.identity, "BLOCK", 31)  # which reach from one clip into another
    np.save(tmp_path / "one.npy", some_clips())
    one = datasets.load_npy(tmp_path / "one.npy", tmp_path / "labels.npy", SHAPE, 2)
    assert datasets.describe(opened(seven)) == datasets.describe(one)


@settings(max_examples=10)
@given(count=st.integers(1, 9), per_file=st.integers(1, 10))
def test_what_is_written_is_what_numpy_writes(tmp_path_factory, count, per_file):
    folder = tmp_path_factory.mktemp("parts")
    clips = some_clips(count, "f4")
    parts.write(folder / "ours", iter(clips), per_file)
    theirs = saved(folder / "theirs", clips, range(per_file, count, per_file))
    names = sorted(os.listdir(theirs))
    assert sorted(os.listdir(folder / "ours")) == names
    assert all((folder / "ours" / name).read_bytes() == (theirs / name).read_bytes() for name in names)


def test_writing_over_parts_and_beside_other_things(tmp_path, seven):
    parts.write(seven, some_clips(3), 2)
    assert sorted(os.listdir(seven)) == ["part-00000.npy", "part-00001.npy", "parts.json"]
    assert np.array_equal(np.stack(list(parts.PartedClips(seven))), some_clips(3))
    with pytest.raises(InputError, match=r"clip 1: has .* and dtype .u1, clip 0 has .*<f4"):
        parts.write(seven, [some_clips(1, "f4")[0], some_clips(1)[0]], 1)
    for clips, per_file, words in (([], 2, "no clips to write"), (some_clips(), 0, "clips_per_file is 0")):
        with pytest.raises(InputError, match=words):
            parts.write(seven, clips, per_file)
    assert np.array_equal(np.stack(list(parts.PartedClips(seven))), some_clips(3))  # which those before left alone
    (seven / "notes.txt").write_text("mine")
    for place in (seven, tmp_path, tmp_path / "labels.npy"):
        with pytest.raises(InputError, match="is no folder of parts"):
            parts.write(place, some_clips(), 2)
    assert sorted(os.listdir(tmp_path)) == ["clips", "labels.npy"]
    with pytest.raises(InputError, match="absent/x cannot be written"):
        parts.write(tmp_path / "absent" / "x", some_clips(), 2)


def prepared(folder, clips):
    """Fourteen clips of five people, in one file and in parts."""
    for form in ("one", "parts"):
        (folder / form).mkdir()
        np.save(folder / form / "labels.npy", np.arange(len(clips)) % 2)
        (folder / form / "classes.txt").write_text("calm\nglad\n")
        rows = [f"{n},v{n // 2}.mp4,{n % 2},{'éa '[n % 3]}{n // 3},{n % 2}" for n in range(len(clips))]
        (folder / form / "index.csv").write_text("\n".join(["clip,source,first_frame,subject,label", *rows, ""]))
    np.save(folder / "one" / "Training.npy", clips)
    parts.write(folder / "parts" / "Training", clips, 4)
    return folder / "one", folder / "parts"


def test_folds_and_index_of_a_prepared_folder(tmp_path):
    one, several = (datasets.load_prepared(folder, SHAPE, 2) for folder in prepared(tmp_path, some_clips(14)))
    how = flags.merge({"folds": 2})
    assert split_into_folds(one, how).tolist() == split_into_folds(several, how).tolist()
    assert {name: values.tolist() for name, values in one.index.items()} == {
        "source": [f"v{n // 2}.mp4" for n in range(14)],
        "video": [f"v{n // 2}.mp4" for n in range(14)],
        "first_frame": [str(n % 2) for n in range(14)],
        "subject": [f"{'éa '[n % 3]}{n // 3}".strip() for n in range(14)],
    }
    assert datasets.describe(one) == datasets.describe(several)
    assert np.array_equal(datasets.open_clips(tmp_path / "parts")[13], datasets.open_clips(tmp_path / "one")[13])
    np.save(tmp_path / "parts" / "Training.npy", some_clips(14))
    for read in (datasets.open_clips, lambda folder: datasets.load_prepared(folder, SHAPE, 2)):
        with pytest.raises(InputError, match=r"holds both Training\.npy and the folder Training; remove"):
            read(tmp_path / "parts")


def test_groups_have_the_digest_of_before(seven):
    """Checkpoints of older versions have it: of all groups as JSON."""
    texts = [f'é"{n % 3}' for n in range(9000)]
    index = {"subject": np.array(texts), "source": np.arange(9000), "video": np.array(texts, object)}
    text = json.dumps({"subject": texts, "source": [str(n) for n in range(9000)], "video": texts})
    clips = datasets.ClipSet("x", np.zeros((9000, 1, 1, 1, 1), "u1"), np.zeros(9000, int), ("a", "b"), index=index)
    assert datasets.describe(clips)["training"]["groups"] == hashlib.sha256(text.encode()).hexdigest()
    assert datasets.describe(opened(seven))["training"]["groups"] == hashlib.sha256(b"{}").hexdigest()


# --- What is wrong with parts.


def change_index(folder, **values):
    described = json.loads((folder / "parts.json").read_text())
    (folder / "parts.json").write_text(json.dumps(described | values))


def change_entry(folder, number, **values):
    listed = json.loads((folder / "parts.json").read_text())["parts"]
    listed[number] |= values
    change_index(folder, parts=listed)


def replace_part(number, clips):
    return lambda folder: np.save(folder / f"part-{number:05}.npy", clips)


def swap(folder):
    parts.write(folder, some_clips(6), 3)
    (folder / "part-00000.npy").rename(folder / "x")
    (folder / "part-00001.npy").rename(folder / "part-00000.npy")
    (folder / "x").rename(folder / "part-00001.npy")


def same_size(**how):
    """Bytes in the place of the first part, and as many, in another form."""

    def change(folder):
        size = (folder / "part-00000.npy").stat().st_size
        with open(folder / "part-00000.npy", "wb") as file:
            np.save(file, np.zeros(**how))
            file.write(b" " * (size - file.tell()))

    return change


def put(make):
    """``make(path)`` in the place of the last part."""

    def change(folder):
        (folder / "part-00002.npy").unlink()
        make(folder / "part-00002.npy")

    return change


AT_THE_START = {
    "missing": (lambda f: (f / "part-00002.npy").unlink(), r"part-00002\.npy: there is no such file; parts.json lists"),
    "another shape": (replace_part(2, np.zeros((4, 2, 3, 5, 1), "u1")), r"part-00002\.npy: has .* bytes, parts.json"),
    "more clips": (
        replace_part(2, some_clips(5)),
        r"part-00002\.npy: has .* bytes, parts.json says .*datasets\.parts\.index",
    ),
    "cut short": (lambda f: os.truncate(f / "part-00000.npy", 140), r"part-00000\.npy: has 140 bytes, parts.json says"),
    "too many": (replace_part(3, some_clips(1)), r"part-00003\.npy: is not listed in parts.json; after a change"),
    "a pipe": (put(os.mkfifo), r"part-00002\.npy: is no file, but a folder, a pipe"),
    "a folder": (put(os.mkdir), r"part-00002\.npy: is no file, but a folder, a pipe"),
    "a dead link": (put(lambda path: path.symlink_to("gone.npy")), r"part-00002\.npy: there is no such file"),
    "no index": (lambda f: (f / "parts.json").unlink(), r"parts\.json: there is no such file; once all parts are"),
    "no JSON": (lambda f: (f / "parts.json").write_text("{"), r"parts\.json: is damaged"),
    "a later format": (lambda f: change_index(f, format=2), "format is 2, which cannot be; this version reads 1"),
    "objects": (lambda f: change_index(f, dtype="|O8"), r"dtype is '\|O8', which cannot be"),
    "no dtype": (lambda f: change_index(f, dtype="<f1"), "dtype is '<f1', which cannot be"),
    "a side of 0": (lambda f: change_index(f, clip_shape=[2, 0, 4, 1]), r"clip_shape is \[2, 0, 4, 1\], which cannot"),
    "no parts": (lambda f: change_index(f, parts=[]), r"parts is \[\], which cannot be"),
    "a negative count": (lambda f: change_entry(f, 0, clips=-3), r"part-00000\.npy is \{'clips': -3, .*cannot be"),
    "a count beyond the size": (lambda f: change_entry(f, 0, clips=10**9), r"part-00000\.npy is .*cannot be"),
    "text for a count": (lambda f: change_entry(f, 0, clips="3"), r"part-00000\.npy is .*cannot be"),
    "no digest": (lambda f: change_entry(f, 0, ends=None), r"part-00000\.npy is .*cannot be"),
}

AT_FIRST_USE = {
    "swapped": (swap, r"part-00000\.npy: is not the part that parts.json lists: its bytes differ"),
    "a wrong count": (lambda f: change_entry(f, 0, clips=2), r"part-00000\.npy: holds 3 clips, parts.json says 2"),
    "a wrong dtype": (lambda f: change_index(f, dtype="|i1"), r"has .* and dtype \|u1, parts.json has"),
    "a wrong shape": (lambda f: change_index(f, clip_shape=[2, 3, 2, 2]), r"part-00000\.npy: has \(d, h, w, c\) = "),
    "one value": (replace_part(0, np.full((3, *SHAPE), 7, "u1")), "its bytes differ"),
    "big-endian": (same_size(shape=(3, *SHAPE), dtype=">i1"), "dtype"),
    "not an array": (lambda f: (f / "part-00000.npy").write_bytes(b"#" * 200), "is no .npy file"),
}  # fmt: skip


@pytest.mark.parametrize("what", [*AT_THE_START, *AT_FIRST_USE])
def test_parts_that_are_wrong(seven, what):
    """Each is one line that begins with the flag and the part; in parts.json sizes say so, at the start already."""
    change, words = (AT_THE_START | AT_FIRST_USE)[what]
    change(seven)
    use = (lambda clips: clips[0]) if what in AT_FIRST_USE else lambda _: None
    with pytest.raises(InputError, match=words) as error:
        use(parts.PartedClips(seven, "train_path"))
    assert str(error.value).startswith(f"train_path {seven}/")
    assert "\n" not in str(error.value)


INDEXED = {
    "a number left out": (lambda f: (f / "part-00001.npy").unlink(), r"part-00001\.npy: there is no such file"),
    "no part": (lambda f: parts.remove(f) or f.mkdir(), r"part-00000\.npy: there is no such file"),
    "no folder": (parts.remove, "there is no such folder"),
    "another shape": (replace_part(2, np.zeros((4, 2, 3, 5, 1), "u1")), r"00002\.npy: has .*, part-00000\.npy has"),
    "another dtype": (replace_part(2, some_clips(4, "f4")), r"part-00002\.npy: has .* dtype <f4, part-00000\.npy has"),
    "another byte order": (replace_part(2, some_clips(4, ">i2")), r"dtype >i2"),
    "four axes": (replace_part(0, some_clips()[0]), r"part-00000\.npy: has shape \(2, 3, 4, 1\); clips have 5 axes"),
    "Fortran's order": (replace_part(0, np.asfortranarray(some_clips(3))), "stored in Fortran's order, .* save"),
    "objects": (lambda f: np.save(f / "part-00000.npy", np.array([{}])), r"Python objects \(pickle\)"),
    "complex": (replace_part(0, np.zeros((3, *SHAPE), "c8")), "must hold integers or floats"),
    "long floats": (replace_part(0, np.zeros((3, *SHAPE), "f16")), "floats of up to 64 bits are read"),
    "cut short": (lambda f: os.truncate(f / "part-00000.npy", 140), "is damaged or cut short: its header says"),
    "only empty parts": (lambda f: [replace_part(n, some_clips()[:0])(f) for n in range(3)], "hold no clips"),
    "a pipe": (put(os.mkfifo), r"part-00002\.npy: is no file, but a folder, a pipe"),
}  # fmt: skip


@pytest.mark.parametrize("what", INDEXED)
def test_parts_that_cannot_be_indexed(seven, what):
    change, words = INDEXED[what]
    change(seven)
    with pytest.raises(InputError, match=words) as error:
        parts.index(seven)
    assert str(error.value).startswith(f"{seven}")
    assert "\n" not in str(error.value)


def test_what_does_not_fit_the_flags(seven):
    labels = seven.parent / "labels.npy"
    with pytest.raises(InputError, match=r"clips have \(d, h, w, c\) = \(2, 3, 4, 1\), the flags say \(2, 3, 4, 3\)"):
        datasets.load_npy(seven, labels, (2, 3, 4, 3), 2)
    np.save(labels, np.zeros(6, int))
    with pytest.raises(InputError, match=r"has shape \(6,\); 7 clips need \(7,\)"):
        opened(seven)
    given = {"depth_frames": 2, "height": 3, "width": 4, "num_classes": 2, "train_path": str(seven)}
    with pytest.raises(InputError, match="--train_labels_path is missing"):
        datasets.load_all(flags.merge(given))
    with pytest.raises(InputError, match=r"a folder of parts needs an \.npy with their labels; give both"):
        datasets.open_set(seven, None, flags.merge(given), "clips", "test")
    for name in ("part-00001.npy", "parts.json"):
        for folder, path in (
            (seven, seven / name),
            (seven.parent / "prepared", seven.parent / "prepared/Training" / name),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(seven / name, path) if path.parent != seven else None
            with pytest.raises(InputError, match="would be overwritten"):
                require_apart({"--json": path}, [folder])


def test_a_value_that_is_not_finite_is_named(seven):
    clips = some_clips(7, "f4")
    clips[5, 1, 2, 3, 0] = np.nan
    parts.write(seven, clips, 2)
    assert np.isfinite(batches(opened(seven), np.arange(5))).all()
    words = r"clip 5 holds nan at \(d, h, w, c\) = \(1, 2, 3, 0\)"
    with pytest.raises(InputError, match=words):
        batches(opened(seven), np.arange(7))
    with pytest.raises(InputError, match=words):
        opened(seven).check_finite(iter)


def test_links_to_parts_are_followed(seven):
    """Parts may lie on several disks."""
    (seven / "part-00002.npy").rename(seven.parent / "elsewhere.npy")
    (seven / "part-00002.npy").symlink_to(seven.parent / "elsewhere.npy")
    assert np.array_equal(np.stack(list(parts.PartedClips(seven))), some_clips())


# --- What happens while they are read.


CHANGES = {
    "written to": lambda path: os.utime(path, ns=(1, 1)),
    "shorter": lambda path: os.truncate(path, 130),
    "replaced": lambda path: np.save(path.parent / "x.npy", some_clips(4)) or os.replace(path.parent / "x.npy", path),
    "removed": lambda path: path.unlink(),
    "a pipe": lambda path: path.unlink() or os.mkfifo(path),
}


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("what", CHANGES)
def test_a_part_that_changes_later(seven, what, used):
    """What was written to is refused.  Of a part that was replaced or removed, clips are read while it is open."""
    clips = parts.PartedClips(seven)
    if used:
        clips[6]
    CHANGES[what](seven / "part-00002.npy")
    if used and what in ("replaced", "removed", "a pipe"):
        assert np.array_equal(clips[5], some_clips()[5])
        return
    words = (
        "no such file any more" if what == "removed" else "has been written to, or replaced, since the set was opened"
    )
    with pytest.raises(InputError, match=words):
        clips[5]
    assert np.array_equal(clips[1], some_clips()[1])


def test_clips_are_read_whole(seven, monkeypatch):
    """Systems may give fewer bytes than are asked for; what ends too early is no clip."""
    clips = parts.PartedClips(seven)
    original = os.pread
    monkeypatch.setattr(os, "pread", lambda file, count, start: original(file, min(count, 7), start))
    assert np.array_equal(np.stack(list(clips)), some_clips())
    given = iter([b"12345", b""])
    monkeypatch.setattr(os, "pread", lambda *_: next(given))
    with pytest.raises(InputError, match=r"part-00000\.npy: cannot be read: it ended after 5 bytes of a clip of 24"):
        clips[0]


@pytest.mark.parametrize("has_pread", [True, False])
def test_few_parts_are_open_at_a_time(tmp_path, monkeypatch, has_pread):
    """Threads may share a set; its files are closed with it."""
    if not has_pread:
        monkeypatch.delattr(os, "pread")
    monkeypatch.setattr(parts, "OPEN", 3)
    values = some_clips(40)
    parts.write(tmp_path / "clips", values, 2)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    clips = parts.PartedClips(tmp_path / "clips")
    wrong = []

    def read(seed, clips):
        for row in np.random.default_rng(seed).integers(0, 40, 150):
            if not np.array_equal(clips[row], values[row]):
                wrong.append(row)

    threads = [threading.Thread(target=read, args=(seed, clips)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(os.listdir("/proc/self/fd")) == before + 3
    del clips, threads
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_batch_opens_each_part_once(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "OPEN", 1)
    parts.write(tmp_path / "clips", some_clips(40), 10)
    np.save(tmp_path / "labels.npy", np.zeros(40, int))
    clips = opened(tmp_path / "clips")
    opens = []
    original = os.open
    monkeypatch.setattr(os, "open", lambda path, *more: opens.append(path) or original(path, *more))
    batches(clips, np.random.default_rng(0).permutation(40))
    assert len([path for path in opens if "part-" in str(path)]) == 4


def test_a_large_set_takes_little_memory(tmp_path):
    """20,000 clips of 3 GB together: what grows is a few numbers per clip."""
    folder = prepared_sparse(tmp_path / "set", 20_000, 500, (16, 100, 100, 1))
    tracemalloc.start()
    clips = datasets.load_prepared(folder, (16, 100, 100, 1), 3)
    fold_of = split_into_folds(clips, flags.merge({"folds": 10}))
    datasets.describe(clips.take(np.flatnonzero(fold_of), "most"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.bincount(fold_of).tolist() == [2000] * 10
    assert peak < 400 * len(clips)
