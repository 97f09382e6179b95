"""Prepared folders and ``run.py --folds``: who is tested where, what is gathered, and every wrong input."""

import csv
import json
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import run
from emop3d_np import datasets
from emop3d_np.__main__ import main as command
from emop3d_np.errors import InputError
from emop3d_np.training import crossvalidation, flags, stopping

pytestmark = pytest.mark.once

SHAPE = (8, 14, 14, 1)
SIZES = {"depth_frames": 8, "height": 14, "width": 14, "num_classes": 3, "batch_size": 4}
CLASSES = ("calm", "glad", "sad")
COLUMNS = ("clip", "source", "first_frame", "subject", "label", "label_name", "video")


def index_of(people, label_count=3):
    """Rows of index.csv: everybody's video of every class, two clips a video."""
    rows = []
    for who in range(people):
        for label in range(label_count):
            for start in (0, 8):
                name = f"{who}/{CLASSES[label]}.avi"
                rows.append((len(rows), name, start, f"person {who}", label, CLASSES[label], name))
    return rows


def prepare(folder, rows, rng):
    """A task that can be learnt: a bright row tells the class."""
    folder.mkdir(exist_ok=True)
    labels = np.array([row[4] for row in rows])
    clips = rng.integers(0, 100, (len(rows), *SHAPE), np.uint8)
    for clip, label in zip(clips, labels, strict=True):
        clip[:, 4 * label : 4 * label + 3] += 120
    np.save(folder / "Training.npy", clips)
    np.save(folder / "labels.npy", labels)
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    write_index(folder, rows)


def write_index(folder, rows, columns=COLUMNS):
    with open(folder / "index.csv", "w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


@pytest.fixture
def task(tmp_path, rng):
    """Flags, by name, to cross-validate a prepared folder of 6 people in 3 folds."""
    prepare(tmp_path / "set", index_of(6), rng)
    more = {"learning_rate": 0.01, "max_steps": 4, "threads": 1, "folds": 3, "save_path": tmp_path / "runs"}
    return {"train_path": tmp_path / "set", **SIZES, **more}


def arguments(task):
    return [str(part) for name, value in task.items() for part in (f"--{name}", value)]


def failing(capsys, words, task):
    assert run.main(arguments(task)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("run.py: error: ")
    for part in [words] if isinstance(words, str) else words:
        assert part in error


clips_of_a_collection = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 12), st.integers(0, 3)), min_size=2, max_size=60
)


def clip_set(rows):
    subjects, sources, labels = np.array(rows).T
    index = {"subject": subjects, "source": sources, "video": sources, "first_frame": 0 * sources}
    return datasets.ClipSet("clips", np.zeros((len(rows), 1, 1, 1, 1)), labels, tuple("abcd"), index=index)


@given(clips_of_a_collection, st.integers(2, 6), st.sampled_from(["subjects", "clips"]), st.integers(0, 9))
def test_every_clip_is_tested_once_and_nobody_on_two_sides(rows, folds, protocol, seed):
    """Whatever the subjects, the sources they share, and the labels."""
    clips = clip_set(rows)
    settings = SimpleNamespace(folds=folds, fold_protocol=protocol, seed=seed)
    groups = datasets.linked_groups(clips.index["subject"], clips.index["source"])
    if folds > (len(rows) if protocol == "clips" else len(set(groups))):
        with pytest.raises(InputError, match=f"--folds {folds} is more than the"):
            datasets.split(clips, settings)
        return
    fold_of = datasets.split(clips, settings)
    tested = []
    for fold in range(folds):
        test, training = (clips.take(np.flatnonzero(mine), "") for mine in (fold_of == fold, fold_of != fold))
        assert len(test) >= 1
        assert sorted([*test.rows, *training.rows]) == list(range(len(rows)))
        tested.extend(test.rows)
        for what in ("subject", "source") if protocol == "subjects" else ():
            assert not set(test.index[what]) & set(training.index[what])
    assert sorted(tested) == list(range(len(rows)))
    assert np.array_equal(fold_of, datasets.split(clips, settings))


@given(clips_of_a_collection)
def test_groups_are_the_smallest_that_keep_subjects_and_sources_together(rows):
    """Against merging labels pair by pair until nothing changes."""
    subjects, sources = np.array(rows).T[:2]
    expected, before = np.arange(len(rows)), None
    while before is None or (expected != before).any():
        before = expected.copy()
        for names in (subjects, sources):
            expected = np.array([expected[names == name].min() for name in names])
    groups = datasets.linked_groups(subjects, sources)
    assert len(set(zip(groups, expected, strict=True))) == len(set(groups)) == len(set(expected))


def test_unknown_subjects_are_grouped_by_their_videos():
    groups = datasets.linked_groups(["", "", "", "ann", "ann"], ["a", "a", "b", "c", "d"])
    assert groups[0] == groups[1]
    assert groups[3] == groups[4]
    assert len(set(groups)) == 3


def test_a_set_taken_from_another_reads_its_clips(rng):
    pixels = rng.integers(0, 255, (9, *SHAPE)).astype(np.float32)
    whole = datasets.ClipSet("whole", pixels, np.arange(9) % 3, CLASSES)
    part = whole.take(np.array([7, 2, 5, 8]), "part").take(np.array([3, 0]), "part of it")
    net = SimpleNamespace(kernels=None, dtype=np.float32)
    ((x, labels),) = part.batches([np.array([0, 1])], net.kernels, net.dtype, normalized=False)
    assert np.array_equal(x, pixels[[8, 7]])
    assert labels.tolist() == [2, 1]
    pixels[7, 1, 2, 3, 0] = np.nan
    with pytest.raises(InputError, match=r"part of it: clip 7 holds nan at \(d, h, w, c\) = \(1, 2, 3, 0\)"):
        part.check_finite(iter)


def test_votes_of_a_video():
    """The majority answers; a tie goes to the larger sum of probabilities; folds and labels vote apart."""
    index = {"subject": np.array(list("aaabbcc")), "source": np.array(list("uuuvvww"))}
    index |= {"video": index["source"], "first_frame": np.zeros(7, int)}
    clips = datasets.ClipSet("clips", np.zeros((7, 1)), np.array([0, 0, 0, 1, 1, 0, 1]), ("no", "yes"), index=index)
    yes = np.array([0.9, 0.4, 0.4, 0.3, 0.9, 0.2, 0.6])
    result = crossvalidation.summarize(
        clips, np.array([0, 0, 0, 1, 1, 1, 1]), np.stack([1 - yes, yes], axis=1), "subjects"
    )
    assert [row["clips"] for row in result["per_fold"]] == [3, 4]
    assert [row["videos"] for row in result["per_fold"]] == [1, 3]
    assert [row["clip_accuracy"] for row in result["per_fold"]] == [2 / 3, 3 / 4]
    assert [row["video_accuracy"] for row in result["per_fold"]] == [1, 1]
    assert [row["clip_uar"] for row in result["per_fold"]] == [2 / 3, pytest.approx((1 + 2 / 3) / 2)]
    assert [row["video_uar"] for row in result["per_fold"]] == [1, 1]
    assert result["clip_uar"]["mean"] == pytest.approx((2 / 3 + 5 / 6) / 2)
    # All clips of the first fold are of one class; in the second, "yes" has 0.3, 0.9, 0.6 and "no" 0.2.
    assert [row["clip_auc"] for row in result["per_fold"]] == [None, 1]
    assert result["clip_auc"] is None
    assert "| 1 | 3 | 66.7 % | 66.7 % | 80.0 % | - | 100.0 % | 100.0 % | 1 |" in crossvalidation.as_markdown(result)
    assert result["confusion"] == [[3, 1], [1, 2]]
    assert result["recall"] == {"no": 3 / 4, "yes": 2 / 3}
    assert result["video_confusion"] == [[2, 0], [0, 2]]
    assert result["leaks"] == {"subject": 0, "source": 0}
    assert result["warning"] is None


def test_interval_of_the_mean():
    """Student's t table: 2.262 for 9 degrees of freedom, two-sided 95 %."""
    values = np.arange(10) / 10
    found = crossvalidation.mean_interval(values)
    half = 2.262157 * np.sqrt(np.sum((values - 0.45) ** 2) / 9) / np.sqrt(10)
    assert found["mean"] == pytest.approx(0.45)
    assert found["interval"] == pytest.approx([0.45 - half, 0.45 + half], rel=1e-6)
    assert crossvalidation.mean_interval([0.5, 0.5])["interval"] == [0.5, 0.5]


def test_folds_from_start_to_picture(task, capsys, tmp_path):
    """One fold by itself, the rest in one go, a repetition that has nothing to do; then what is gathered."""
    assert run.main(arguments(task | {"fold": 2})) == 0
    assert "not finished yet: fold-01, fold-03" in capsys.readouterr().out
    folder = tmp_path / "runs" / "folds-3-subjects"
    assert not (folder / "folds.json").exists()
    second = (folder / "fold-02" / "answers.csv").stat().st_mtime_ns
    assert run.main(arguments(task)) == 0
    out = capsys.readouterr().out
    assert out.count("finished already") == 1
    assert (folder / "fold-02" / "answers.csv").stat().st_mtime_ns == second
    assert "| truth" in out

    answers = [row for k in (1, 2, 3) for row in csv.DictReader(open_text(folder / f"fold-0{k}" / "answers.csv"))]
    rows = index_of(6)
    assert sorted(int(row["clip"]) for row in answers) == list(range(len(rows)))
    for row in answers:
        _, source, first_frame, subject, _, label_name, video = rows[int(row["clip"])]
        found = [row[name] for name in ("source", "first_frame", "subject", "label", "video")]
        assert found == [source, str(first_frame), subject, label_name, video]
        shares = [float(row[f"p_{name}"]) for name in CLASSES]
        assert sum(shares) == pytest.approx(1)
        assert row["answer"] == CLASSES[np.argmax(shares)]

    result = json.loads((folder / "folds.json").read_text())
    right = np.mean([row["answer"] == row["label"] for row in answers])
    assert np.trace(result["confusion"]) / result["clips"] == right > 0.5
    assert (result["clips"], result["videos"]) == (36, 18)
    assert result["leaks"] == {"subject": 0, "source": 0}
    linear = result["linear_baseline"]
    assert len(linear["per_fold"]) == 3
    assert linear["accuracy"]["mean"] > 0.9  # a bright row tells the class
    assert "The same folds by ridge regression" in out
    # The last test of a fold's own run, in another order of batches, says the same.
    for row in result["per_fold"]:
        last = (folder / f"fold-0{row['fold']}" / "tests.jsonl").read_text().splitlines()[-1]
        assert json.loads(last)["accuracy"] == row["clip_accuracy"]
        for figure in ("uar", "f1", "auc"):
            assert json.loads(last)[figure] == pytest.approx(row[f"clip_{figure}"])
        assert json.loads(last)["class_names"] == list(CLASSES)
    assert (folder / "folds.md").read_text() in out

    before = (folder / "folds.json").read_bytes()
    shutil.rmtree(folder / "fold-01")
    assert run.main(arguments(task)) == 0
    assert (folder / "folds.json").read_bytes() == before  # the same seed, the same answers

    capsys.readouterr()
    failing(capsys, ["fold-01", "trained with --learning_rate 0.01, now it is 0.1"], task | {"learning_rate": 0.1})
    np.save(task["train_path"] / "labels.npy", np.array([row[4] for row in rows])[::-1])
    write_index(task["train_path"], [(*row[:4], 2 - row[4], "", row[6]) for row in rows])
    failing(capsys, ["answers.csv", "the data have changed since"], task)

    pytest.importorskip("matplotlib", reason="pictures need the extra 'plots'")
    assert command(["report", str(folder), str(tmp_path / "folds.png")]) == 0
    assert (tmp_path / "folds.png").read_bytes()[:4] == b"\x89PNG"


def open_text(path):
    return path.read_text().splitlines()


def test_folds_of_clips_say_what_they_leak(task, capsys):
    assert run.main(arguments(task | {"fold_protocol": "clips", "folds": 2, "max_steps": 0.5})) == 0
    folder = task["save_path"] / "folds-2-clips"
    result = json.loads((folder / "folds.json").read_text())
    assert result["leaks"]["subject"] == 1
    assert 0 < result["leaks"]["source"] < 1
    assert "100.0 % of the clips were tested by a network trained on the same person" in result["warning"]
    assert result["warning"] in (folder / "folds.md").read_text()
    assert result["warning"] in capsys.readouterr().out


@pytest.mark.parametrize("more", [{}, {"recipe": "strong", "feature_maps": 2, "average": 0.9}], ids=["plain", "recipe"])
def test_an_interrupted_fold_goes_on(task, monkeypatch, capsys, more):
    """Ctrl-C in the middle of a fold; the same command ends with the same answers as without it."""
    task |= {"fold": 1, "evaluate_every": 100} | more
    assert run.main(arguments(task)) == 0
    answers = task["save_path"] / "folds-3-subjects" / "fold-01" / "answers.csv"
    expected = answers.read_bytes()
    shutil.rmtree(task["save_path"])
    original = stopping.require_finite

    def press_ctrl_c(*args):
        original(*args)
        if args[4] == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(stopping, "require_finite", press_ctrl_c)
    assert run.main(arguments(task)) == 130
    assert "the same command goes on" in capsys.readouterr().out
    assert not answers.exists()
    monkeypatch.setattr(stopping, "require_finite", original)
    assert run.main(arguments(task)) == 0
    assert "at step 3" in capsys.readouterr().out
    assert answers.read_bytes() == expected


def test_drawn_faces_know_who_is_seen():
    settings = flags.merge({"folds": 10, "fold": 3})
    training, test = datasets.load_sets(settings)
    assert len(training) == 864
    assert len(test) == 96
    assert len(set(test.index["subject"])) == 8
    assert not set(test.index["subject"]) & set(training.index["subject"])
    assert np.bincount(test.labels).tolist() == [16] * 6
    test.draw(test.rows[:1])
    assert test.clips[test.rows[0]].any()


def test_wrong_folds(task, capsys, tmp_path):
    failing(capsys, "--fold is 4, --folds 3; folds are 1 ... 3", task | {"fold": 4})
    failing(capsys, "--fold 2 needs --folds", task | {"folds": None, "fold": 2})
    failing(capsys, "--folds is '1'; it must be a whole number of at least 2", task | {"folds": 1})
    failing(capsys, "--folds 7 is more than the 6 groups of subjects and videos", task | {"folds": 7})
    failing(capsys, "leave out --val_path", task | {"val_path": task["train_path"]})
    failing(capsys, "goes on when its command is repeated", task | {"resume": tmp_path})
    files = {"train_path": tmp_path / "set/Training.npy", "train_labels_path": tmp_path / "set/labels.npy"}
    failing(capsys, ["who is seen", "is not known", "--fold_protocol clips"], task | files)
    assert not (tmp_path / "runs").exists()


def test_one_person_by_several_spellings(task, capsys):
    """Composed and decomposed letters and blanks are seen through, and said; capitals are only said."""
    names = ["Jos\u00e9", "Jose\u0301", "s1 ", "s1", "S1", "anna"]
    rows = [(*row[:3], names[int(row[1].split("/")[0])], *row[4:]) for row in index_of(6)]
    write_index(task["train_path"], rows)
    clips = datasets.load_prepared(task["train_path"], SHAPE, 3)
    assert set(clips.index["subject"].tolist()) == {"Jos\u00e9", "s1", "S1", "anna"}
    assert sorted(capsys.readouterr().err.splitlines()) == [
        "note: subjects 'Jose\\u0301', 'Jos\\xe9' are taken for one person",
        "note: subjects 'S1', 's1' differ in capitals alone, and are taken for different people",
        "note: subjects 's1', 's1 ' are taken for one person",
    ]
    datasets.load_prepared(task["train_path"], SHAPE, 3)
    assert capsys.readouterr().err == ""
    for seed in range(5):
        settings = SimpleNamespace(folds=4, fold_protocol="subjects", seed=seed)
        fold_of = datasets.split(clips, settings)
        for pair in (names[:2], names[2:4]):
            assert len({fold for fold, row in zip(fold_of, rows, strict=True) if row[3] in pair}) == 1


def test_wrong_prepared_folders(task, capsys):
    folder = task["train_path"]
    failing(capsys, "names 3 classes, --num_classes is 4; set it to 3", task | {"num_classes": 4})
    failing(capsys, "--train_labels_path x.npy: leave it out", task | {"train_labels_path": "x.npy"})
    rows = index_of(6)
    write_index(folder, rows[:-1])
    failing(capsys, ["index.csv: has 35 rows, there are 36 clips"], task)
    write_index(folder, [rows[1], rows[0], *rows[2:]])
    failing(capsys, "row 1 is of clip 1 with label 0; by its place and labels.npy it must be clip 0", task)
    write_index(folder, rows, ("clip", "file", *COLUMNS[2:]))
    failing(capsys, "index.csv: has no column source", task)
    (folder / "classes.txt").write_text("a\nb\na\n")
    failing(capsys, "classes.txt: names a class twice", task)
    (folder / "classes.txt").unlink()
    failing(capsys, ["classes.txt: there is no such file", "a prepared folder holds"], task)


def test_validation_by_a_prepared_folder(task, capsys, tmp_path, rng):
    """Names of classes are shown in the test's table; two folders must agree on them."""
    prepare(tmp_path / "val", index_of(2), rng)
    del task["folds"]
    task |= {"val_path": tmp_path / "val", "max_steps": 0.5}
    assert run.main(arguments(task)) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name} " in out for name in CLASSES)
    (tmp_path / "val" / "classes.txt").write_text("glad\ncalm\nsad\n")
    failing(capsys, ["its classes are glad, calm, sad", "must be the same"], task)
