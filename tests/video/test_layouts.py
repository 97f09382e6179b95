"""Every layout: labels and subjects come out exactly, and what does not fit is named."""

import pytest

from emop3d_np.errors import InputError
from emop3d_np.video.layouts import LAYOUTS, RAVDESS_EMOTIONS, SIX_EMOTIONS, Recording, list_recordings

pytestmark = pytest.mark.once


@pytest.fixture
def collection(tmp_path):
    """Makes files (empty: a layout looks at names alone) and lists them."""

    def make(layout, *paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        return list_recordings(tmp_path, layout)

    return make


def short(listing):
    return [(each.source, each.label, each.subject) for each in listing.recordings]


def test_enterface05(collection):
    codes = ["an", "di", "fe", "ha", "sa", "su"]
    paths = [
        f"enterface database/subject {subject}/{emotion}/sentence {sentence}/s{subject}_{code}_{sentence}.avi"
        for subject in (*range(1, 6), *range(7, 45))
        for emotion, code in zip(SIX_EMOTIONS, codes, strict=True)
        for sentence in range(1, 6)
    ]
    # Subject 6 has no folders of sentences; names elsewhere are mistyped.
    paths += [f"enterface database/subject 6/{e}/s6_{c}_1.avi" for e, c in zip(SIX_EMOTIONS, codes, strict=True)]
    paths += ["enterface database/subject 6/s6_sa_2.avi", "enterface database/subject 3/fear/sentence 1/s_3_ha.avi"]
    strange = ["enterface database/subject 9/strange.avi", "enterface database/anger/s9_an_1.avi"]
    listing = collection("enterface05", *paths, *strange, "enterface database/subject 1/Thumbs.db", ".hidden.avi")
    assert listing.classes == SIX_EMOTIONS
    assert len(listing.recordings) == len(paths)
    assert {each.subject for each in listing.recordings} == {str(number) for number in range(1, 45)}
    found = {each.source: (each.label, each.subject) for each in listing.recordings}
    assert found["enterface database/subject 44/surprise/sentence 5/s44_su_5.avi"] == ("surprise", "44")
    assert found["enterface database/subject 6/happiness/s6_ha_1.avi"] == ("happiness", "6")
    assert found["enterface database/subject 6/s6_sa_2.avi"] == ("sadness", "6")
    assert found["enterface database/subject 3/fear/sentence 1/s_3_ha.avi"] == ("fear", "3")
    reasons = dict(listing.skipped)
    assert reasons[strange[0]].startswith("has no label")
    assert reasons[strange[1]].startswith("has no subject")
    assert len(reasons) == 2


def test_a_subjects_own_folder_will_do(tmp_path):
    path = tmp_path / "subject 12" / "fear" / "sentence 1" / "s12_fe_1.avi"
    path.parent.mkdir(parents=True)
    path.touch()
    (found,) = list_recordings(tmp_path / "subject 12", "enterface05").recordings
    assert (found.label, found.subject) == ("fear", "12")


def test_cremad(collection):
    listing = collection(
        "cremad", "1001_DFA_ANG_XX.flv", "VideoFlash/1091_WSI_NEU_HI.flv", "again/1001_DFA_ANG_XX.flv", "1001_x.flv"
    )
    assert listing.classes == ("anger", "disgust", "fear", "happiness", "neutral", "sadness")
    assert short(listing) == [
        ("1001_DFA_ANG_XX.flv", "anger", "1001"),
        ("VideoFlash/1091_WSI_NEU_HI.flv", "neutral", "1091"),
    ]
    assert dict(listing.skipped) == {
        "again/1001_DFA_ANG_XX.flv": "has the name of 1001_DFA_ANG_XX.flv, which was taken",
        "1001_x.flv": "has no label: 1001_DFA_ANG_XX.flv",
    }


def test_ravdess(collection):
    listing = collection(
        "ravdess",
        "Actor_12/01-01-03-02-01-01-12.mp4",
        "Actor_12/02-01-03-02-01-01-12.mp4",
        "Actor_12/02-01-08-01-01-01-12.mp4",
        "Actor_03/01-02-01-01-01-01-03.mp4",
        "Actor_03/01-02-01-01-01-01-03.wav",
        "Actor_03/01-02-09-01-01-01-03.mp4",
    )
    assert listing.classes == RAVDESS_EMOTIONS
    assert sorted(short(listing)) == [
        ("Actor_03/01-02-01-01-01-01-03.mp4", "neutral", "03"),
        ("Actor_12/01-01-03-02-01-01-12.mp4", "happy", "12"),
        ("Actor_12/02-01-08-01-01-01-12.mp4", "surprised", "12"),
    ]
    assert dict(listing.skipped) == {
        "Actor_12/02-01-03-02-01-01-12.mp4": "shows the same as Actor_12/01-01-03-02-01-01-12.mp4, which was taken",
        "Actor_03/01-02-09-01-01-01-03.mp4": "has no label: 01-01-03-02-01-01-12.mp4",
    }


def test_folders(collection):
    listing = collection(
        "folders",
        "joy/anna/2.mp4",
        "joy/anna/10.mp4",
        "joy/anna/deeper/x.mov",
        "anger/bert/take 1/frame_10.png",
        "anger/bert/take 1/frame_9.png",
        "anger/carl/1.jpg",
        "anger/no subject.mp4",
        "no label.mp4",
        "joy/anna/notes.txt",
    )
    assert listing.classes == ("anger", "joy")
    assert short(listing) == [
        ("anger/bert/take 1", "anger", "bert"),
        ("anger/carl", "anger", "carl"),
        ("joy/anna/2.mp4", "joy", "anna"),
        ("joy/anna/10.mp4", "joy", "anna"),
        ("joy/anna/deeper/x.mov", "joy", "anna"),
    ]
    assert dict(listing.skipped) == {
        "anger/no subject.mp4": "has no subject: label/subject/file",
        "no label.mp4": "has no label: label/subject/file",
    }


def test_links_are_followed_once(tmp_path, collection):
    """A subject's folder by a link, a loop, and a folder that stands there anyway."""
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    (elsewhere / "take").mkdir(parents=True)
    (elsewhere / "take/x.mp4").touch()
    (tmp_path / "joy/bert").mkdir(parents=True)
    (tmp_path / "joy/anna").symlink_to(elsewhere)
    (tmp_path / "joy/bert/up").symlink_to(tmp_path)
    (tmp_path / "anger").mkdir()
    (tmp_path / "anger/bert").symlink_to(tmp_path / "joy/bert")
    (elsewhere / "take/round").symlink_to(tmp_path / "joy")
    listing = collection("folders", "joy/bert/y.mp4")
    assert short(listing) == [("joy/anna/take/x.mp4", "joy", "anna"), ("joy/bert/y.mp4", "joy", "bert")]
    assert dict(listing.skipped) == {
        "joy/bert/up": "is the folder . once more",
        "anger/bert": "is the folder joy/bert once more",
        "joy/anna/take/round": "is the folder joy once more",
    }


def test_endings(collection):
    """Files that may be videos are tried; whatever else there is is said."""
    taken = ["x.gif", "x.3g2", "x.h264", "x.MKV", "without"]
    beside = ["notes.txt", "x.wav", "x.csv", "frame.npy", ".hidden.xyz", "Thumbs.db"]
    listing = collection("folders", *(f"A/s/{name}" for name in [*taken, *beside, "x.mp4.part", "x²/²"]))
    assert {each.source for each in listing.recordings} == {f"A/s/{name}" for name in [*taken, "x²/²"]}
    assert listing.skipped == [("A/s/x.mp4.part", "its ending .part names no video")]


@pytest.mark.parametrize("layout", ["csv", "ict-youtube", None])
def test_csv(tmp_path, layout):
    path = tmp_path / "list.csv"
    path.write_text(
        "path, label, subject, start, end\n"
        "a.mp4,joy,anna,,\n"
        "a.mp4,fear,anna,1.5,3\n"
        "b/c.mp4,joy,bert,2,\n"
        '"d, e.mp4",joy,,,\n'
        "f.mp4,,bert,,\n"
        "a.mp4,joy,anna,,\n"
        "g.mp4,joy,bert,3,2\n"
        "h.mp4,joy,bert,early,2\n",
        encoding="utf-8-sig",
    )
    listing = list_recordings(path, layout)
    assert listing.root == tmp_path
    assert listing.classes == ("fear", "joy")
    assert listing.recordings == [
        Recording("a.mp4", "joy", "anna"),
        Recording("a.mp4", "fear", "anna", 1.5, 3.0),
        Recording("b/c.mp4", "joy", "bert", 2.0),
    ]
    assert [each.name for each in listing.recordings] == ["a.mp4", "a.mp4#1.5-3", "b/c.mp4#2-"]
    assert listing.skipped == [
        ("d, e.mp4", "has no subject (line 5 of list.csv)"),
        ("f.mp4", "has no label (line 6 of list.csv)"),
        ("a.mp4", "stands in line 2 of list.csv too (line 7 of list.csv)"),
        ("g.mp4", "ends at 2 s, before it starts at 3 s (line 8 of list.csv)"),
        ("h.mp4", "start 'early', end '2' are no seconds (line 9 of list.csv)"),
    ]


def test_sources_that_do_not_fit(tmp_path):
    def failing(words, source, layout=None):
        with pytest.raises(InputError, match=words):
            list_recordings(source, layout)

    failing("there is no such folder or file", tmp_path / "absent")
    failing("holds no recording in layout folders", tmp_path)
    failing("--layout is 'affwild'; it must be one of folders, enterface05", tmp_path, "affwild")
    failing("layout csv needs a CSV file", tmp_path, "csv")
    (tmp_path / "list.csv").write_text("file,label\n")
    failing("layout cremad needs a folder", tmp_path / "list.csv", "cremad")
    failing("has no column path; its first line must be path,label,subject", tmp_path / "list.csv")
    (tmp_path / "list.csv").write_bytes(b"")
    failing("has no column path", tmp_path / "list.csv")
    (tmp_path / "list.csv").write_bytes(b"path,label,subject\n\xff\xfe,a,b\n")
    failing("no text in UTF-8", tmp_path / "list.csv")
    (tmp_path / "holiday.mp4").touch()
    for layout in set(LAYOUTS) - {"csv", "ict-youtube"}:
        failing("holds no recording.*holiday.mp4: has no", tmp_path, layout)
