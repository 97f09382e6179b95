"""What the damage has found, each kind once, with what must come out: the corpus that is kept, in words."""

import csv
import io
import json
import tracemalloc
from unittest import mock

import command_targets
import damage
import fuzz
import numpy as np
import pytest
import targets

from emop3d_np import reading
from emop3d_np.datasets import identity, strokes
from emop3d_np.datasets.arrays import open_array
from emop3d_np.errors import InputError
from emop3d_np.network import EmoP3D
from emop3d_np.optimizers import Momentum
from emop3d_np.report import checks, figure
from emop3d_np.report import runs as report_runs
from emop3d_np.training import checkpoint, crossvalidation, runs
from emop3d_np.video import layouts, prepare, weights

pytestmark = pytest.mark.once


def changed(name, folder, change):
    """The target called ``name`` whose file of JSON, or its last line, is what ``change`` makes of it."""
    target = fuzz.registry()[name](folder)
    *before, last = target.path.read_text().strip().split("\n") if ".jsonl" in name else [target.path.read_text()]
    value = json.loads(last)
    change(value)
    target.path.write_text("\n".join([*before, json.dumps(value)]) + "\n")
    return target


def setting(*way):
    """What puts the last of ``way`` to the place that the others lead to."""

    def change(value):
        for key in way[:-2]:
            value = value[key]
        value[way[-2]] = way[-1]

    return change


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("history.jsonl, drawn", setting("epoch", "1"), "epoch of line 3 is '1'"),
        ("history.jsonl, drawn", setting("val_loss", [1]), r"val_loss of line 3 is \[1\]"),
        ("tests.jsonl, drawn", setting("confusion", 0, 0, -1), "confusion is"),
        ("tests.jsonl, drawn", setting("confusion", [[1, 1]] * 3), "confusion is"),
        ("tests.jsonl, drawn", setting("class_names", 0, 3), "class_names is"),
        ("folds.json", setting("folds", 10**12), "folds is 1000000000000"),
        ("folds.json", setting("per_fold", 0, "clip_accuracy", "1"), "clip_accuracy is '1'"),
        ("folds.json", setting("recall", "no", 7), "recall is"),
        ("sweep.json", setting("folds", 10**12), "folds is 1000000000000"),
        ("sweep.json", setting("combinations", 0, "per_fold", None), "per_fold of learning_rate=0.1 is None"),
        ("sweep.json", setting("combinations", []), "combinations is"),
        ("data.json", setting("training", None), "training is None"),
        ("data.json", setting("training", "count", "4"), "training is"),
        ("data.json", setting("class_names", []), "class_names is"),
        ("settings.json", setting("learning_rate", -1), "--learning_rate is -1; it must be a number above 0"),
        ("settings.json", setting("learning_rate", float("nan")), "--learning_rate is nan"),
    ],
)
def test_what_no_program_of_ours_writes_is_named(tmp_path, name, change, words):
    with pytest.raises(InputError, match=words):
        changed(name, tmp_path, change).read()


@pytest.mark.parametrize("value", [-1, 0, 1e400, "0.1", None, True, [0.1]])
def test_a_rate_that_no_flag_takes_does_not_resume(tmp_path, value):
    """With checksums that are right: what stands in between is what the flag allows."""
    state = targets.a_state(tmp_path)
    state.settings = state.settings | {"learning_rate": value}
    checkpoint.save(tmp_path / "x.ckpt", state)
    with pytest.raises(InputError, match=r"x\.ckpt: --learning_rate is .*; it must be a number above 0"):
        targets.resumed(tmp_path / "x.ckpt")


@pytest.mark.parametrize("form", [0, 3, "x" * 5000, None, [2], 2.5])
def test_a_format_that_is_not_known_is_named_in_a_line(tmp_path, form):
    with mock.patch.object(checkpoint, "FORMAT", form):
        checkpoint.save(tmp_path / "x.ckpt", targets.a_state(tmp_path))
    with pytest.raises(InputError, match=r"has format .*; this version reads formats 1 and 2") as error:
        checkpoint.load(tmp_path / "x.ckpt")
    assert len(str(error.value)) < 1000


def test_each_array_of_a_checkpoint_has_a_checksum(tmp_path):
    """A bit of any one flips, and the archive's own checksum is put right: the array is named."""
    state = targets.a_state(tmp_path)
    checkpoint.save(tmp_path / "x.ckpt", state)
    with np.load(tmp_path / "x.ckpt") as archive:
        arrays = {name: archive[name] for name in archive.files}
    names = [name for name in arrays if not name.startswith("header")]
    assert len(names) == 2 * len(state.parameters)
    for name in names:
        other = arrays[name].copy()
        other.view(np.uint8).reshape(-1)[-1] ^= 1
        with open(tmp_path / "y.ckpt", "wb") as file:
            np.savez(file, **arrays | {name: other})
        with pytest.raises(InputError, match=f"{name} does not agree with its checksum"):
            checkpoint.load(tmp_path / "y.ckpt")


def test_a_length_of_a_header_takes_no_memory(tmp_path):
    """Four gigabytes of header, says a file of 80 bytes; and a table of one line takes no gigabyte either."""
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\2\0\xff\xff\xff\xff" + b"{'descr': '<f4'" + b" " * 64)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="its header says that it has 4,294,967,295 bytes itself"):
            open_array(tmp_path / "x.npy", "x.npy")
        assert list(reading.table_rows(tmp_path / "x.csv")) == [["a", "b"], ["1", "2"]]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 << 20


def test_a_file_is_read_to_its_limit(tmp_path):
    with mock.patch.object(reading, "BLOCK", 4):
        for size in (0, 1, 3, 4, 5, 8, 10):
            (tmp_path / "x").write_bytes(b"0123456789"[:size])
            assert reading.read_bytes(tmp_path / "x", most=10) == b"0123456789"[:size]
        for most in (0, 3, 4, 7, 8, 9):
            with pytest.raises(InputError, match=f"is larger than {most} bytes"):
                reading.read_bytes(tmp_path / "x", most=most)


def test_a_text_with_a_byte_0_is_none(tmp_path):
    """NumPy drops it from the end of a name: two people would be one."""
    target = targets.TARGETS["prepared/index.csv"](tmp_path)
    target.path.write_text(target.path.read_text().replace("ben", "ann\0"))
    with pytest.raises(InputError, match=r"it is no text, byte \d+ is 0"):
        target.read()


def test_newer_and_older_headers_of_npy_are_read(tmp_path):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    for version in ((1, 0), (2, 0), (3, 0)):
        with open(tmp_path / "x.npy", "wb") as file:
            np.lib.format.write_array(file, values, version)
        assert np.array_equal(open_array(tmp_path / "x.npy", "x"), values)


# --- Faces that were kept.


def kept(folder, change):
    """What is used again of faces whose description ``change`` has changed; with its checksum put right or not."""
    target = changed("faces/*.json", folder, change)
    return target.read()


def with_checksum(change):
    def both(value):
        del value["checksum"]
        change(value)
        value["checksum"] = prepare._checksum(value)

    return both


def as_before(change):
    """Of the form that had no checksum."""

    def both(value):
        del value["checksum"]
        value["identity"][0] = 2
        change(value)

    return both


@pytest.mark.parametrize("form", [lambda change: change, with_checksum, as_before])
@pytest.mark.parametrize(
    "change",
    [
        setting("runs", [[0, 10**12]]), setting("runs", None), setting("frames", 17), setting("frames", "18"),
        setting("lost", -2), setting("lost", 3), setting("notes", 3), setting("notes", [3]), setting("digest", "x"),
        setting("identity", None), setting("identity", 1, "subject", "ben"),
    ],
)  # fmt: skip
def test_faces_whose_description_was_changed_are_cut_out_anew(tmp_path, form, change):
    assert kept(tmp_path, form(change)) == "cut out anew"


def test_faces_of_the_form_without_checksum_are_used_again(tmp_path):
    def nothing(value):
        pass

    (tmp_path / "a").mkdir()
    assert kept(tmp_path, as_before(nothing))["frames"] == 18
    (tmp_path / "b").mkdir()
    assert kept(tmp_path / "b", setting("identity", 0, 2)) == "cut out anew"  # that form has none, and here is one
    assert kept(tmp_path / "a", with_checksum(nothing))["runs"] == [[0, 8], [8, 8]]


def test_clips_have_a_largest_side(tmp_path):
    (tmp_path / "v" / "A" / "b").mkdir(parents=True)
    (tmp_path / "v" / "A" / "b" / "x.mp4").touch()
    for size in (4097, 10**30, 0):
        with pytest.raises(InputError, match=f"--size is {size}; clips have at most 4096 rows and columns"):
            prepare.prepare(tmp_path / "v", tmp_path / "out", faces=prepare.FaceSettings(size=size))
    assert not (tmp_path / "out").exists()


# --- Collections.


@pytest.mark.parametrize("time", ["nan", "inf", "-1", "1e300", "1e400"])
def test_times_of_a_table_are_seconds(tmp_path, time):
    (tmp_path / "x.csv").write_text(
        f"path,label,subject,start,end\na.mp4,no,ann,{time},\nb.mp4,no,ann,,{time}\nc,no,d,0,1"
    )
    listing = layouts.list_recordings(tmp_path / "x.csv")
    assert [each.source for each in listing.recordings] == ["c"]
    assert all("are no seconds" in why or "ends at" in why for _, why in listing.skipped)


def test_a_table_that_never_ends(tmp_path):
    (tmp_path / "x.csv").symlink_to("/dev/zero")
    with pytest.raises(InputError, match="is no file but a pipe, a socket or a device"):
        layouts.list_recordings(tmp_path / "x.csv", "csv")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([("A/character01/1_01.txt", targets.STROKE)] * 2, "it holds two files of one name"),
        ([(f"A/character{'1' * 5000}/1_01.txt", targets.STROKE)], "is not named ALPHABET"),
        ([("A/character01/1_01.txt", b"1,2\n")], "line 1: '1,2' is not x,y,t"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_strokes(tmp_path, members, words):
    (tmp_path / "x.zip").write_bytes(damage.zipped(members))
    with pytest.raises(InputError, match=words) as error:
        strokes.read_strokes(tmp_path / "x.zip")
    assert len(str(error.value)) < 1000


def test_a_member_that_says_it_is_larger_than_its_archive(tmp_path):
    """In the directory, of bytes that are packed: Python takes memory for so many before it reads them."""
    for name in ("archive of strokes", "MedMNIST"):
        (tmp_path / name).mkdir()
        target = fuzz.registry()[name](tmp_path / name)
        content = bytearray(target.path.read_bytes())
        at = content.index(b"PK\1\2") + 20
        content[at : at + 4] = b"\xff\xff\xff\xfe"
        target.path.write_bytes(content)
        with pytest.raises(InputError, match="has 4,278,190,079 bytes in it, more than its own"):
            target.read()


def test_a_line_whose_step_is_no_number_is_dropped(tmp_path):
    target = targets.TARGETS["history.jsonl"](tmp_path)
    lines = [
        '{"step": 1}',
        '{"step": "1"}',
        '{"step": null}',
        '{"step": NaN}',
        '{"step": 1' + "0" * 400 + "}",
        "{",
        "[1]",
    ]
    target.path.write_text("\n".join(lines))
    assert target.read() == ['{"step": 1}', ""]


def test_a_digit_of_the_answers_that_changed_is_found(tmp_path):
    """It would be another probability, and still one; of an older version there is no digest to tell."""
    target = targets.TARGETS["answers.csv"](tmp_path)
    text = target.path.read_text()
    changed = text.replace(text.rstrip()[-1], "1" if text.rstrip()[-1] != "1" else "2")
    crossvalidation.write_answers(target.path.parent, text)
    target.check(target.read())
    target.path.write_text(changed)
    with pytest.raises(InputError, match=r"answers.csv is not as it was written.*delete it to test again"):
        target.read()
    target.path.write_text(text)
    (target.path.parent / crossvalidation.DIGEST).write_text("")
    with pytest.raises(InputError, match="is not as it was written"):
        target.read()


# --- What is drawn.


def test_a_dollar_sign_is_one(tmp_path):
    """To matplotlib, what stands between two is a formula, and may be none; what others draw keeps its formulas."""
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plots'")
    run = targets.a_run(tmp_path / "run")
    (run / "history.jsonl").write_text(targets.as_lines(targets.HISTORY))
    (run / "tests.jsonl").write_text(targets.as_lines([targets.TEST | {"class_names": ["$5 to $10", r"$\x$"]}]))
    report_runs.draw_run(run, tmp_path / "x.svg")
    assert figure.pyplot().rcParams["text.parse_math"] is True


def test_many_classes_are_drawn_without_numbers():
    """A million of them would take minutes."""
    for count, texts in ((50, 2500), (51, 0)):
        ax = mock.Mock()
        names = [str(number) for number in range(count)]
        report_runs.draw_confusion(ax, {"confusion": np.eye(count, dtype=int), "class_names": names}, "title")
        assert ax.text.call_count == texts


def test_what_is_written_is_drawn(tmp_path):
    """The schema takes every result that the programs write, with nothing known and with numbers beyond 1."""
    for name in ("folds.json", "sweep.json", "history.jsonl, drawn", "tests.jsonl, drawn"):
        (tmp_path / name).mkdir()
        assert targets.TARGETS[name](tmp_path / name).read() > 0
    checks.require_history([{"step": 1, "epoch": 0.5, "train_loss": None, "train_accuracy": 1}], "x")
    described = identity.describe(targets.a_clip_set(), targets.a_clip_set())
    identity.require_form(described, "x", 2)
    identity.require_form({}, "a checkpoint of an older version")


# --- Weights of the face detector.


@pytest.mark.parametrize("network", ["pnet", "rnet", "onet"])
def test_a_bit_of_the_weights_that_flipped_is_named(tmp_path, network):
    try:
        content = bytearray(weights.model_path(network).read_bytes())
    except InputError:
        pytest.skip("the weights come with the extra 'faces'")
    for at in (0, 100, len(content) // 2, len(content) - 1):
        content[at] ^= 1
        (tmp_path / "x.onnx").write_bytes(content)
        content[at] ^= 1
        with (
            mock.patch.object(weights, "model_path", return_value=tmp_path / "x.onnx"),
            pytest.raises(InputError, match=r"x\.onnx: is damaged or was changed.*pip install --force-reinstall mtcnn"),
        ):
            weights.load(network)


def test_cells_may_hold_what_they_like(tmp_path):
    """Commas, quotes and line breaks in the cells of a table are read as they were written."""
    text = io.StringIO()
    cells = ['a"b', "a,b", "a\nb", " ", "é", ""]
    csv.writer(text, lineterminator="\n").writerows([list("abcdef"), cells])
    (tmp_path / "x.csv").write_text(text.getvalue())
    assert list(reading.table_rows(tmp_path / "x.csv")) == [list("abcdef"), cells]


def test_names_with_commas_are_told_apart(tmp_path):
    made = targets.record.Record(**{**vars(targets.MADE), "class_names": ("a, b", "c")})
    with pytest.raises(InputError, match="the classes were a, b, c when it was written"):
        targets.record.require_fit(made, ("a", "b, c"), made.shape, "x")
    with pytest.raises(
        InputError, match=r"the classes were a, b, c .* and are a, x{100,}.*\.\.\.: the folder"
    ) as error:
        targets.record.require_fit(made, ("a", "x" * 5000), made.shape, "x")
    assert len(str(error.value)) < 1000


def test_numbers_are_those_that_a_float_holds():
    for value in (0, -1, 1.5, 1e308, 10**308):
        assert reading.is_number(value)
        float(value)
    for value in (10**309, -(10**400), float("nan"), float("inf"), True, "1", None, [1]):
        assert not reading.is_number(value)


@pytest.mark.parametrize("dtype", ["1,,2", "float16", "(", "f4,f4", "x" * 300, None, 3, object()])
def test_a_dtype_that_is_none(dtype):
    with pytest.raises(InputError, match="it must be float32 or float64"):
        EmoP3D(dtype=dtype, backend="reference")


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_folds_are_counted_before_they_are_listed(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)  # where the target's files are made
    target = command_targets.TARGETS[f"flags of {command}"](tmp_path)
    target.path.write_text(f"{target.path.read_text()}\n--folds\n100000000000")
    with pytest.raises(InputError, match="--folds 100000000000 is more than the 2 groups of subjects and videos"):
        target.read()


def test_names_that_never_end(tmp_path):
    target = targets.TARGETS["prepared/classes.txt"](tmp_path)
    target.path.unlink()
    target.path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"classes\.txt: is no file but a pipe, a socket or a device"):
        target.read()


def test_damaged_settings_do_not_bring_another_checkpoint(tmp_path):
    """The run's own has another name; one of the usual name lies beside it."""
    run = targets.a_run(tmp_path / "run")
    (run / "own.ckpt").write_bytes((run / "3dpyranet.ckpt").read_bytes())
    settings = json.loads((run / "settings.json").read_text())
    (run / "settings.json").write_text(json.dumps(settings | {"checkpoint_name": "own.ckpt"}))
    assert runs.best_checkpoint(run) == run / "own.ckpt"
    (run / "settings.json").write_text("{")
    with pytest.raises(InputError, match=r"settings\.json: is damaged.*; give the checkpoint itself"):
        runs.best_checkpoint(run)
    (run / "settings.json").unlink()
    assert runs.best_checkpoint(run) == run / "3dpyranet.ckpt"


@pytest.mark.parametrize(
    ("value", "right"), [(np.nan, False), (1e300, False), (-1e39, False), (np.inf, True), (3, True)]
)
def test_slots_of_an_optimiser_are_what_its_numbers_hold(value, right):
    """Of a checkpoint without checksums; what is refused has changed nothing."""
    parameters = {"a": np.zeros(3, np.float32)}
    optimizer = Momentum(0.1)
    before = optimizer.slots
    slots = {"momentum": {"a": np.array([1, value, 2], np.float64)}}
    if right:
        optimizer.load_slots(slots, 4, parameters)
        assert optimizer.slots["momentum"]["a"].tolist() == [1, value, 2]
    else:
        with pytest.raises(InputError, match=r"the saved optimiser's momentum of a holds .*, no float32 number"):
            optimizer.load_slots(slots, 4, parameters)
        assert optimizer.slots is before
        assert optimizer.step == 0
