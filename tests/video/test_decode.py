"""Frames come out of every container and codec as they are meant to be seen; what is strange about a file is said."""

import os
import socket
import sys
import threading
from fractions import Fraction

import numpy as np
import pytest
from videos import FACE, SIZE, astronaut, blank, moving_face, needs_faces, turn, write, write_sound

from emop3d_np.errors import InputError
from emop3d_np.video import decode
from emop3d_np.video.decode import Frame, Video
from emop3d_np.video.pictures import UPRIGHT, tags_of
from emop3d_np.video.resample import crop
from emop3d_np.video.track import MARGIN, FaceTracker

pytestmark = [needs_faces, pytest.mark.once]

CODECS = {
    "divx.avi": {"codec": "mpeg4", "tag": "DIVX"},
    "xvid.avi": {"codec": "mpeg4", "tag": "XVID"},
    "mpeg1.mpg": {"codec": "mpeg1video"},
    "sorenson.flv": {"codec": "flv"},
    "h264.mp4": {"codec": "libx264"},
    "mpeg4.mp4": {"codec": "mpeg4"},
}


def frames_of(*given, **more):
    with Video(*given, **more) as video:
        return list(video), video


@pytest.mark.parametrize("name", CODECS)
def test_codecs(tmp_path, name):
    written = moving_face(21)
    path = write(tmp_path / name, written, **CODECS[name])
    frames, video = frames_of(path)
    assert [frame.index for frame in frames] == list(range(21))
    assert np.allclose([frame.time for frame in frames], np.arange(21) / 25, atol=2e-3)
    assert video.rate == pytest.approx(25)
    assert video.notes == []
    for frame, picture in zip(frames, written, strict=True):
        assert (frame.height, frame.width) == SIZE
        assert np.abs(frame.colour().astype(int) - picture).mean() < 8
        luma = picture @ [0.299, 0.587, 0.114]
        assert frame.grey().shape == SIZE
        assert np.abs(frame.grey() - luma).mean() < 8
    assert frames[0].colour(2).shape == (72, 88, 3)


@pytest.mark.parametrize(("aspect", "shown"), [((12, 11), (144, 192)), ((10, 11), (158, 176)), ((1, 1), SIZE)])
def test_pixels_that_are_not_square(tmp_path, aspect, shown):
    """A face squeezed into such pixels comes out of its own shape."""
    wide = moving_face(3, shown)
    squeezed = np.array([crop(frame, (0, 0, shown[1], shown[0]), SIZE) for frame in wide]).round().astype(np.uint8)
    path = write(tmp_path / "x.mp4", squeezed, "libx264", aspect=aspect)
    frames, _ = frames_of(path)
    for frame, picture in zip(frames, wide, strict=True):
        assert (frame.height, frame.width) == shown
        assert frame.grey().shape == shown
        assert np.abs(frame.colour().astype(int) - picture).mean() < 8


ONE = 0x10000
QUARTERS = {
    0: (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30),
    1: (0, -ONE, 0, ONE, 0, 0, 0, SIZE[1] * ONE, 1 << 30),
    2: (-ONE, 0, 0, 0, -ONE, 0, SIZE[1] * ONE, SIZE[0] * ONE, 1 << 30),
    3: (0, ONE, 0, -ONE, 0, 0, SIZE[0] * ONE, 0, 1 << 30),
}
"""Display matrices that turn the picture by so many quarters counter-clockwise."""


@pytest.mark.parametrize("quarters", QUARTERS)
def test_rotated_files(tmp_path, quarters):
    written = moving_face(2)
    path = write(tmp_path / "x.mp4", written, "libx264")
    turn(path, QUARTERS[quarters])
    for frame, picture in zip(frames_of(path)[0], written, strict=True):
        upright = np.rot90(picture, quarters)
        assert (frame.height, frame.width) == upright.shape[:2]
        assert np.abs(frame.colour().astype(int) - upright).mean() < 8
        assert frame.grey().shape == upright.shape[:2]


MIRRORED = {
    "columns": (-ONE, 0, 0, 0, ONE, 0, SIZE[1] * ONE, 0, 1 << 30),
    "rows": (ONE, 0, 0, 0, -ONE, 0, 0, SIZE[0] * ONE, 1 << 30),
    "swapped": (0, ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
    "both and swapped": (0, -ONE, 0, -ONE, 0, 0, SIZE[0] * ONE, SIZE[1] * ONE, 1 << 30),
}


@pytest.mark.parametrize("way", MIRRORED)
def test_mirrored_files(tmp_path, way):
    """By what the matrix says of each pixel: (x, y) comes to (a x + c y + tx, b x + d y + ty)."""
    (picture,) = moving_face(1)
    path = write(tmp_path / "x.mp4", np.array([picture]), "libx264")
    turn(path, MIRRORED[way])
    (a, b, _, c, d, _, tx, ty, _), (rows, columns) = np.array(MIRRORED[way]) / ONE, SIZE
    y, x = np.mgrid[:rows, :columns] + 0.5
    to = np.array([b * x + d * y + ty, a * x + c * y + tx]).astype(int)
    upright = np.zeros((*(np.ptp(each) + 1 for each in to), 3))
    upright[tuple(to)] = picture
    (frame,) = frames_of(path)[0]
    assert (frame.height, frame.width) == upright.shape[:2]
    assert np.abs(frame.colour() - upright).mean() < 8
    assert frame.grey().shape == upright.shape[:2]


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("number", range(1, 9))
def test_pictures_of_eight_orientations(tmp_path, ending, number):
    """As Pillow turns them."""
    image, exif_of = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageOps").exif_transpose
    exif = image.Exif()
    exif[274] = number
    image.fromarray(moving_face(1)[0]).save(tmp_path / f"x.{ending}", exif=exif, quality=95)
    with image.open(tmp_path / f"x.{ending}") as stored:
        upright = np.asarray(exif_of(stored).convert("RGB")).astype(int)
    (frame,) = frames_of(tmp_path)[0]
    assert (frame.height, frame.width) == upright.shape[:2]
    assert np.abs(frame.colour() - upright).mean() < 4


def test_tags_of_damaged_pictures():
    """Whatever stands there, it ends, and says no more than it has."""
    rng = np.random.default_rng(0)
    for head in (b"II*\0\x08\0\0\0", b"MM\0*", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b""):
        for length in (0, 1, 7, 300):
            assert len(tags_of(head + rng.bytes(length))) <= length


def test_pictures_that_cannot_be_read_are_passed_over(tmp_path):
    image = pytest.importorskip("PIL.Image")
    written = moving_face(4)
    for number, picture in enumerate(written):
        image.fromarray(picture).save(tmp_path / f"frame_{number}.png")
    image.fromarray(written[0]).save(tmp_path / "frame_7.tif", compression="jpeg")
    (tmp_path / "frame_2.png").write_bytes(b"")
    (tmp_path / "frame_9.png").write_bytes(b"no picture")
    frames, video = frames_of(tmp_path)
    assert all(np.array_equal(frame.colour(), written[k]) for frame, k in zip(frames, (0, 1, 3), strict=True))
    assert video.notes == [f"3 of 6 pictures passed over: {tmp_path / 'frame_2.png'}: is empty, 0 bytes"]
    for name in ("frame_0.png", "frame_1.png", "frame_2.png", "frame_3.png", "frame_9.png"):
        (tmp_path / name).unlink()
    with pytest.raises(InputError, match=r"frame_7\.tif: is a TIFF that holds a JPEG"):
        frames_of(tmp_path)


def test_jumps_of_time_stamps(tmp_path):
    """Ahead by an hour: nothing is shown for the time between. Back: time goes on. Up to ten seconds a frame stays."""
    times = [0, 0.04, 0.08, 3600, 3600.04]
    frames, video = frames_of(write(tmp_path / "x.mkv", moving_face(5), "libx264", times=times), rate=25)
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert np.allclose([frame.time for frame in frames], times)
    assert video.notes[0] == "time stamps jump from 0.1 to 3600.0 s: nothing is shown for the time between"
    frames, video = frames_of(write(tmp_path / "y.mkv", moving_face(3), "libx264", times=[0, 9.96, 10]), rate=25)
    assert [frame.index for frame in frames] == [0] * 249 + [1, 2]
    assert not [note for note in video.notes if "jump" in note]


def test_time_stamps_that_go_back(monkeypatch):
    video = Video.__new__(Video)
    video.notes = []
    times = [0, 0.5, -100, -99.5, -50, -80]
    frames = list(video._evened([Frame(index, time, 1, 1, None, UPRIGHT) for index, time in enumerate(times)], 2))
    assert [frame.index for frame in frames] == list(range(6))
    assert np.allclose(np.diff([frame.time for frame in frames]), [0.5, 0.5, 0.5, 49.5, 0.5])
    assert len(video.notes) == 1
    assert "(3 times)" in video.notes[0]


@pytest.mark.parametrize(("aspect", "size"), [((100, 1), (144, 17600)), ((1, 100), (14400, 176))])
def test_frames_that_nobody_recorded(tmp_path, aspect, size):
    path = write(tmp_path / "x.mp4", blank(2), "libx264", aspect=aspect)
    with pytest.raises(InputError, match=rf"its frames are {size[1]} x {size[0]} pixels .* sides of 10 to 1"):
        frames_of(path)


def test_frames_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(decode, "MOST_PIXELS", 32 * 32 - 1)
    path = write(tmp_path / "x.mp4", np.zeros((2, 32, 32, 3), np.uint8), "libx264")
    with pytest.raises(InputError, match=r"x\.mp4: its frames are 32 x 32 pixels"):
        Video(path)


def test_half_a_matroska_file(tmp_path):
    whole = write(tmp_path / "whole.mkv", moving_face(60), "libx264").read_bytes()
    assert frames_of(tmp_path / "whole.mkv")[1].notes == []
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])
    frames, video = frames_of(tmp_path / "half.mkv")
    assert 10 < len(frames) < 50
    assert any("cut short" in note and "of the 2.4 s that it announces" in note for note in video.notes)


@pytest.mark.parametrize("name", ["10:30:00.mp4", "-x.mp4", b"caf\xe9.mp4", "http:x.mp4"])
def test_names_of_files(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(name)
    os.replace(write(tmp_path / "x.mp4", moving_face(2), "libx264"), name)
    assert len(frames_of(name)[0]) == 2


@pytest.mark.parametrize("source", ["nothing://here/x.mp4", "http://127.0.0.1:9/x.mp4"])
def test_addresses_that_cannot_be_opened(source):
    with pytest.raises(InputError, match=f"{source}: cannot be opened as a video: (Protocol|Connection)"):
        Video(source)


def test_an_address_that_stalls(monkeypatch):
    """Someone listens there, and says nothing."""
    monkeypatch.setattr(decode, "STALLED", 0.3)
    words = "cannot be opened as a video"
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(InputError, match=words):
        Video(f"http://127.0.0.1:{server.getsockname()[1]}/x.mp4")


def test_a_pipe_is_read_once(tmp_path):
    path = write(tmp_path / "x.mpg", moving_face(5), "mpeg1video")
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(path.read_bytes()))
    writer.start()
    assert len(frames_of(tmp_path / "pipe")[0]) == 5
    writer.join()


def test_variable_rates(tmp_path):
    times = [0, 0.04, 0.08, 0.2, 0.24, 0.28, 0.48, 0.52]
    path = write(tmp_path / "x.mp4", moving_face(8), "libx264", times=times)
    frames, video = frames_of(path)
    assert np.allclose([frame.time for frame in frames], times, atol=1e-3)
    (note,) = video.notes
    assert "frames last from 40 to 200 ms" in note
    frames, video = frames_of(path, rate=25)
    assert [frame.index for frame in frames] == [0, 1, 2, 2, 2, 3, 4, 5, 5, 5, 5, 5, 6, 7]
    assert np.allclose([frame.time for frame in frames], np.arange(14) / 25)
    assert video.notes == []
    assert [frame.index for frame in frames_of(path, rate=5)[0]] == [0, 3, 5]


def test_a_constant_rate_is_taken_as_it_is(tmp_path):
    path = write(tmp_path / "x.flv", moving_face(40), "flv", rate=Fraction(30000, 1001))
    assert [frame.index for frame in frames_of(path, rate=29.97)[0]] == list(range(40))
    frames, video = frames_of(path)
    assert (len(frames), video.notes) == (40, [])


def test_parts(tmp_path):
    path = write(tmp_path / "x.mp4", moving_face(30), "libx264")
    assert [frame.index for frame in frames_of(path, start=0.4, end=0.8)[0]] == list(range(10, 20))
    assert [frame.index for frame in frames_of(path, start=1.0)[0]] == list(range(25, 30))
    assert frames_of(path, start=5)[0] == []


def test_folders_of_pictures(tmp_path):
    from skimage.io import imsave

    written = moving_face(11)
    for number, picture in enumerate(written):
        imsave(tmp_path / f"frame_{number}.png", picture)
    (tmp_path / "notes.txt").touch()
    frames, video = frames_of(tmp_path)
    assert video.rate == 25
    assert [frame.index for frame in frames] == list(range(11))
    assert all(np.array_equal(frame.colour(), picture) for frame, picture in zip(frames, written, strict=True))


def test_damaged_files(tmp_path):
    whole = write(tmp_path / "whole.avi", moving_face(60)).read_bytes()
    cases = {
        "zero.avi": (b"", "is empty, 0 bytes"),
        "text.avi": (b"this is a text, and no video\n" * 99, "cannot be opened as a video"),
        "noise.mp4": (np.random.default_rng(0).bytes(5000), "cannot be opened as a video"),
        "moov.mp4": (write(tmp_path / "x.mp4", moving_face(20), "libx264").read_bytes()[:-900], "or is cut short"),
        "header.avi": (whole[:3000], "cannot be opened as a video"),
    }
    for name, (content, words) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=words) as error:
            frames_of(tmp_path / name)
        assert str(tmp_path / name) in str(error.value)
    with pytest.raises(InputError, match="holds no video, only sound"):
        frames_of(write_sound(tmp_path / "sound.avi"))
    with pytest.raises(InputError, match="there is no such file"):
        frames_of(tmp_path / "absent.avi")
    with pytest.raises(InputError, match="the folder holds no pictures"):
        frames_of(tmp_path)

    (tmp_path / "half.avi").write_bytes(whole[: len(whole) // 2])
    frames, video = frames_of(tmp_path / "half.avi")
    assert 20 < len(frames) < 40
    assert any(note == f"cut short: {len(frames)} of the 60 frames that it announces" for note in video.notes)
    spoilt = bytearray(whole)
    spoilt[len(whole) // 3 : len(whole) // 2] = bytes(len(whole) // 2 - len(whole) // 3)
    (tmp_path / "spoilt.avi").write_bytes(spoilt)
    frames, video = frames_of(tmp_path / "spoilt.avi")
    assert frames
    assert video.notes


def test_a_title_that_is_no_utf8(tmp_path):
    path = write(tmp_path / "title.avi", moving_face(3), title="Zoe")
    path.write_bytes(path.read_bytes().replace(b"Zoe\0", b"Zo\xeb\0"))
    assert b"Zo\xeb\0" in path.read_bytes()
    assert len(frames_of(path)[0]) == 3


def test_missing_pyav_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'emop3d-np\[video\]'"):
        Video(tmp_path / "x.mp4")


def tracked(tmp_path, pictures, **options):
    tracker = FaceTracker(**options)
    with Video(write(tmp_path / "x.mp4", pictures, "libx264")) as video:
        return [tracker(frame) for frame in video], tracker


def test_the_cut_out_follows_the_face(tmp_path):
    count = 24
    seen, tracker = tracked(tmp_path, moving_face(count), size=50)
    assert (tracker.frames, tracker.lost, tracker.run) == (count, 0, 0)
    x, y, width, height = FACE
    side = height / (1 - MARGIN) / 2
    for number, (sighting, swing) in enumerate(zip(seen, np.abs(np.arange(count) % 16 - 8), strict=True)):
        assert (sighting.frame, sighting.run, sighting.found) == (number, 0, True)
        middle = (x + width / 2 - 80 - 2 * swing) / 2, (y + height / 2 - 10) / 2
        left, top, found_side = sighting.box
        assert abs(found_side - side) < 5
        assert abs(left + found_side / 2 - middle[0]) < 4
        assert abs(top + found_side / 2 - middle[1]) < 4
        assert sighting.pixels.shape == (50, 50)
        assert sighting.pixels.dtype == np.uint8
    assert MARGIN == 44 / 182


def test_lost_frames(tmp_path):
    face = moving_face(12)
    seen, tracker = tracked(tmp_path, np.concatenate([blank(3), face, blank(4), face, blank(9), face]), patience=4)
    assert [sighting is None for sighting in seen] == [True] * 3 + [False] * 32 + [True] * 5 + [False] * 12
    found = [sighting.found for sighting in seen if sighting]
    assert found == [True] * 12 + [False] * 4 + [True] * 12 + [False] * 4 + [True] * 12
    assert [s.run for s in seen if s] == [0] * 32 + [1] * 12
    assert (tracker.frames, tracker.lost) == (52, 16)


def test_largest_and_central(tmp_path):
    face = crop(astronaut(), (120, 20, 330, 230), (100, 100))
    small, large = crop(face, (0, 0, 100, 100), (60, 60)), face
    picture = np.full((3, 160, 300, 3), 90, np.uint8)
    picture[:, 50:110, 120:180] = small
    picture[:, 30:130, 195:295] = large
    seen, _ = tracked(tmp_path, picture)
    assert all(195 < s.box[0] + s.box[2] / 2 < 295 for s in seen)
    seen, _ = tracked(tmp_path, picture, prefer="central")
    assert all(120 < s.box[0] + s.box[2] / 2 < 180 for s in seen)
