"""Pen drawings: reading the archive, drawing the clips, dealing them out by drawer."""

import re
import zipfile
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from conftest import JIT

from emop3d_np.datasets import load_prepared, split, strokes
from emop3d_np.errors import InputError

SHAPE = (5, 12, 10, 1)
HOOK = "START\n10,-20,0\n10,-60,300\nBREAK\n10,-60,900\n70,-60,1500\nBREAK\n"
LETTERS = {
    f"top/{alphabet}/character{character}/{number:04}_{drawer:02}.txt": HOOK.replace("70", str(50 + 5 * drawer))
    for number, (alphabet, character) in enumerate([("Zeta", 1), ("Alpha", 2), ("Alpha", 10)])
    for drawer in (3, 1, 2)
}


@pytest.fixture
def archive(tmp_path):
    """Writes an archive of text files, by name, and returns its path."""

    def write(texts):
        path = tmp_path / "letters.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, text in texts.items():
                file.writestr(name, text)
        return path

    return write


def drawing(*points_of_strokes):
    return strokes.Drawing("Alpha", 1, 1, tuple(np.array(points, float) for points in points_of_strokes))


def test_archive_and_folder_read_alike_in_a_fixed_order(archive, tmp_path):
    others = {"top/.DS_Store": "?", "__MACOSX/top/Zeta/character01/._0000_01.txt": "?", "top/notes.md": "?"}
    path = archive(LETTERS | others)
    before = sorted(tmp_path.rglob("*"))
    found = strokes.read_strokes(path)
    assert sorted(tmp_path.rglob("*")) == before
    order = [(each.alphabet, each.character, each.drawer) for each in found]
    assert order == [(*letter, drawer) for letter in (("Alpha", 2), ("Alpha", 10), ("Zeta", 1)) for drawer in (1, 2, 3)]
    for each in found:
        assert [stroke.tolist() for stroke in each.strokes] == [
            [[10, -20, 0], [10, -60, 300]],
            [[10, -60, 900], [50 + 5 * each.drawer, -60, 1500]],
        ]
    with zipfile.ZipFile(path) as file:
        file.extractall(tmp_path / "unpacked")
    for each, again in zip(found, strokes.read_strokes(str(tmp_path / "unpacked")), strict=True):
        assert (each.alphabet, each.character, each.drawer) == (again.alphabet, again.character, again.drawer)
        assert all(map(np.array_equal, each.strokes, again.strokes))


def test_names_that_climb_out_of_the_archive_are_only_read(archive, tmp_path):
    path = archive({"../../Alpha/character01/0001_01.txt": HOOK})
    with pytest.raises(InputError, match="holds no drawing"):
        strokes.read_strokes(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "Alpha/character01/0001_01.txt",
            "START\n1,-2,3\n\n1,-2\nBREAK\n",
            "line 4: '1,-2' is not x,y,t, START or BREAK",
        ),
        ("Alpha/character01/0001_01.txt", "START\n1,nan,3\n", "line 2: '1,nan,3' is not"),
        ("Alpha/character01/0001_01.txt", "START\n1,-2,1e99\n", "line 2: '1,-2,1e99' is not"),
        ("Alpha/character01/0001_01.txt", b"START\n\xff\x00,1,2\n", "line 2: "),
        ("Alpha/character01/0001_01.txt", "", "'Alpha/character01/0001_01.txt' is empty, it holds no points"),
        ("Alpha/character01/0001_01.txt", "START\nBREAK\n", "holds no points; take it out"),
        ("character01/0001_01.txt", HOOK, "'character01/0001_01.txt' is not named ALPHABET/"),
        ("Alpha/character01/0001.txt", HOOK, "is not named ALPHABET/characterNN/XXXX_DD.txt; rename it"),
        ("Alpha/0001_01.txt", HOOK, "is not named ALPHABET/"),
        ("Alpha/character01/0001_01.text", HOOK, "holds no drawing; there should be files ALPHABET/"),
    ],
)
def test_mistakes_in_an_archive_are_named(archive, tmp_path, name, text, words):
    path = archive({name: text})
    with pytest.raises(InputError, match=one_line(path, words)):
        strokes.read_strokes(path)
    with zipfile.ZipFile(path) as file:
        file.extractall(tmp_path / "unpacked")
    with pytest.raises(InputError, match=one_line(tmp_path / "unpacked", words)):
        strokes.read_strokes(tmp_path / "unpacked")


def one_line(path, words):
    return f"^{re.escape(str(path))}: [^\n]*{re.escape(words)}[^\n]*$"


def test_no_archive_and_damaged_archives(archive, tmp_path):
    with pytest.raises(InputError, match=one_line(tmp_path / "none.zip", "there is no such file; give")):
        strokes.read_strokes(tmp_path / "none.zip")
    path = archive(LETTERS)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=one_line(path, "is no zip archive, or a damaged one")):
            strokes.read_strokes(path)
    first_text = 30 + len(next(iter(LETTERS)))  # behind the first file's header
    path.write_bytes(whole[:first_text] + bytes([whole[first_text] ^ 0x10]) + whole[first_text + 1 :])
    with pytest.raises(InputError, match=one_line(path, "damaged one")):
        strokes.read_strokes(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("Alpha/character01/0001_01.txt", HOOK)
    path.write_bytes(path.read_bytes().replace(b"10,-20", b"11,-20"))
    with pytest.raises(InputError, match=one_line(path, "Bad CRC-32 for file")):
        strokes.read_strokes(path)


def test_a_letter_grows_and_its_ink_fades():
    hook = drawing([[10, -20, 0], [10, -90, 1]], [[10, -90, 2], [80, -90, 9]])
    clip = strokes.draw_strokes([hook], (4, 105, 105, 2))[0]
    assert clip.dtype == np.uint8
    assert clip.shape == (4, 105, 105, 2)
    assert np.array_equal(clip[..., 0], clip[..., 1])
    clip = clip[..., 0].astype(int)
    assert (np.maximum.accumulate(clip) * strokes.FAINTEST <= clip + 1).all()
    assert (np.diff((clip > 10).sum(axis=(1, 2))) > 0).all()
    assert clip[0].sum() < clip[3].sum()
    # One pixel a unit, the middle at (52, 52): down along column 17, then right along row 87, a quarter in each frame.
    down, right = clip[:, 18:86, 17], clip[:, 87, 18:86]
    assert (down[0, :34] == 255).all()
    assert not down[0, 46:].any()
    assert (down[1, 35:] == 255).all()
    assert not right[1, 10:].any()
    assert (right[2, :34] == 255).all()
    assert (right[3, 35:] == 255).all()
    faded = [255 * max(0.5 ** (age / 4 / strokes.HALF_LIFE), strokes.FAINTEST) for age in range(4)]
    assert np.abs(down[:, 0] - faded).max() <= 0.5
    # Across the stroke and beyond its end, ink fades out smoothly to the pen's radius.
    distance = np.arange(13) / (105 * strokes.PEN_RADIUS)
    for ink in (clip[0, 30, 17:30], clip[0, 17:4:-1, 17]):
        assert np.abs(ink / 255 - np.maximum(1 - distance**2, 0) ** 2).max() < 1 / 255


def test_place_on_paper_and_haste_do_not_matter():
    path = np.array([[10, -20, 0], [10, -60, 300], [40, -70, 350], [45, -30, 360]])
    moved = path * [1, 1, 0] + [32, -8, 0]
    clips = strokes.draw_strokes([drawing(path), drawing(moved)], SHAPE)
    assert clips.any(axis=(1, 2, 3, 4)).all()
    assert np.abs(clips[0].astype(int) - clips[1]).max() <= 1


def test_dots_are_drawn():
    alone = strokes.draw_strokes([drawing([[5, -5, 0]])], (3, 9, 9, 1))[0, ..., 0]
    assert alone[0, 4, 4] == 255
    assert (alone[:, 4, 4] >= strokes.FAINTEST * 255).all()
    last = strokes.draw_strokes([drawing([[0, -90, 0], [0, 0, 1]], [[100, 0, 9]])], (4, 21, 21, 1))[0, ..., 0]
    assert not last[:3, :, 15:].any()
    assert last[3, 1:3, 19:].max() > 200
    assert strokes.draw_strokes([drawing([[5, -5, 0]])], (1, 8, 8, 1)).max() > 100  # between four pixels


@pytest.mark.parametrize("shape", [(1, 8, 8, 1), (7, 8, 30, 3), (16, 23, 11, 2)])
def test_any_size_of_clip(shape):
    hook = drawing([[10, -20, 0], [10, -60, 300]], [[10, -60, 900], [70, -60, 1500]])
    assert strokes.draw_strokes([], shape).shape == (0, *shape)
    clips = strokes.draw_strokes([hook], shape)
    assert clips.shape == (1, *shape)
    assert clips[0].any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("shape", [(16, 100, 100), (0, 8, 8, 1), (16, 7, 100, 1), (16, 100, 100, 0), (16, 9.5, 9, 1)])
def test_impossible_sizes_are_refused(shape, tmp_path):
    words = r"^shape is [^\n]*; drawings need whole numbers \(d, h, w, c\) of at least \(1, 8, 8, 1\)$"
    with pytest.raises(InputError, match=words):
        strokes.draw_strokes([], shape)
    with pytest.raises(InputError, match=words):
        strokes.prepare_strokes(tmp_path, tmp_path / "out", shape=shape)


@pytest.mark.skipif(not JIT, reason="without compilation there is one thread")
@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="this machine has one core")
def test_same_bits_on_any_number_of_threads(rng):
    drawings = [drawing(np.cumsum(rng.normal(0, 6, (60, 3)), axis=0)) for _ in range(40)]
    before = numba.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 2, 1):
            numba.set_num_threads(threads)
            found.append(strokes.draw_strokes(drawings, (16, 50, 50, 1)))
    finally:
        numba.set_num_threads(before)
    assert all(np.array_equal(clips, found[0]) for clips in found)


def test_prepared_folders(archive, tmp_path, capfd):
    """All drawings in one folder, or the drawers held out in one of their own; read back by who trains on them."""
    source, drawings = archive(LETTERS), strokes.read_strokes(archive(LETTERS))
    out = tmp_path / "new" / "set"
    classes, counts = strokes.prepare_strokes(source, str(out), (2, np.int64(3)), SHAPE)
    assert "drawing" in capfd.readouterr().err
    assert classes == ["Alpha", "Zeta"]
    assert counts == {str(out / "train"): 3, str(out / "val"): 6}
    _, whole = strokes.prepare_strokes(source, tmp_path / "whole", None, SHAPE, progress=False)
    assert whole == {str(tmp_path / "whole"): 9}
    for folder, drawers in ((out / "train", (1,)), (out / "val", (2, 3)), (tmp_path / "whole", (1, 2, 3))):
        chosen = [each for each in drawings if each.drawer in drawers]
        clips = load_prepared(folder, SHAPE, 2)
        assert np.array_equal(clips.clips, strokes.draw_strokes(chosen, SHAPE))
        assert clips.class_names == ("Alpha", "Zeta")
        assert clips.labels.tolist() == [int(each.alphabet == "Zeta") for each in chosen]
        assert clips.index["subject"].tolist() == [str(each.drawer) for each in chosen]
        assert len(set(clips.index["source"])) == len(chosen)
    assert sorted(path.name for path in out.parent.iterdir()) == ["set"]


def test_folds_of_a_prepared_folder_share_no_drawer(archive, tmp_path):
    """Ten folds of twenty drawers, as ``run.py --folds 10`` deals them: two drawers each, every drawer tested once."""
    letters = {
        f"top/{alphabet}/character01/0001_{drawer:02}.txt": HOOK
        for alphabet in ("Alpha", "Zeta")
        for drawer in range(1, 21)
    }
    strokes.prepare_strokes(archive(letters), tmp_path / "set", None, SHAPE, progress=False)
    clips = load_prepared(tmp_path / "set", SHAPE, 2)
    fold_of = split(clips, SimpleNamespace(folds=10, fold_protocol="subjects", seed=0))
    tested = [set(clips.index["subject"][fold_of == fold]) for fold in range(10)]
    assert [len(drawers) for drawers in tested] == [2] * 10
    assert set.union(*tested) == {str(drawer) for drawer in range(1, 21)}
    assert np.bincount(fold_of).tolist() == [4] * 10


def test_clips_are_written_a_few_at_a_time(archive, tmp_path, monkeypatch, capfd):
    source = archive(LETTERS)
    strokes.prepare_strokes(source, tmp_path / "at_once", (1,), SHAPE, progress=False)
    monkeypatch.setattr(strokes, "CLIPS_AT_A_TIME", 4)
    strokes.prepare_strokes(source, tmp_path / "in_parts", (1,), SHAPE, progress=False)
    assert capfd.readouterr().err == ""
    for path in (tmp_path / "at_once").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "in_parts" / path.relative_to(tmp_path / "at_once")).read_bytes()


@pytest.mark.parametrize(
    ("held_out", "words"),
    [
        ((2, 4, 0), "held_out names 4, 0; the drawers of "),
        (("1",), "held_out names 1; the drawers of "),
        ((), "held_out names nobody, which leaves none to validate on; the drawers of "),
        ((1, 2, 3, 3), "held_out names everybody, which leaves none to train on; the drawers of "),
    ],
)
def test_drawers_that_cannot_be_held_out(archive, tmp_path, held_out, words):
    source = archive(LETTERS)
    with pytest.raises(InputError, match=f"^{words}{re.escape(str(source))} are 1, 2, 3$"):
        strokes.prepare_strokes(source, tmp_path / "out", held_out, SHAPE)
    assert list(tmp_path.iterdir()) == [source]


def test_places_that_cannot_be_written(archive, tmp_path):
    source = archive(LETTERS)
    with pytest.raises(InputError, match=one_line(tmp_path, "exists already; name a new folder, or remove it first")):
        strokes.prepare_strokes(source, tmp_path, (1,), SHAPE)
    below = tmp_path / "below" / "pens"
    with pytest.raises(InputError, match=one_line(below, f"lies in {tmp_path}, and would be read with it")):
        strokes.prepare_strokes(tmp_path, below, (1,), SHAPE)
    with pytest.raises(InputError, match=one_line(source, "exists already")):
        strokes.prepare_strokes(source, source, (1,), SHAPE)
    with pytest.raises(InputError, match=one_line(source / "out", "cannot be written: Not a directory")):
        strokes.prepare_strokes(source, source / "out", (1,), SHAPE)
    (tmp_path / "empty").mkdir()
    strokes.prepare_strokes(source, tmp_path / "empty", (1,), SHAPE, progress=False)
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == ["train", "val"]


@pytest.mark.parametrize(
    ("stop", "seen"), [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left on device"), InputError)]
)
def test_an_interrupted_run_leaves_nothing(archive, tmp_path, monkeypatch, stop, seen):
    source = archive(LETTERS)
    draw, calls = strokes.draw_strokes, []

    def draw_once(*arguments):
        calls.append(arguments)
        if len(calls) > 1:
            raise stop
        return draw(*arguments)

    monkeypatch.setattr(strokes, "draw_strokes", draw_once)
    with pytest.raises(
        seen, match="^$" if seen is KeyboardInterrupt else "cannot be written: No space left on device$"
    ):
        strokes.prepare_strokes(source, tmp_path / "out", (1,), SHAPE, progress=False)
    assert list(tmp_path.iterdir()) == [source]


def test_real_archive(shared_data):
    found = strokes.read_strokes(shared_data("omniglot/strokes_background_small1.zip"))
    assert len(found) == 2720
    assert len({(each.alphabet, each.character) for each in found}) == 136
    assert len({each.alphabet for each in found}) == 5
    assert {each.drawer for each in found} == set(range(1, 21))
    clips = strokes.draw_strokes(found[::100], SHAPE)
    ink = clips.sum(axis=(2, 3, 4))
    assert (ink[:, 0] < ink[:, -1]).all()
