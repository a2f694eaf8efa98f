"""Face tracks: where a crop lies, how a box is steadied, what is refused."""

import numpy as np
import pytest

from asva_metrics import face_crops, find_face_boxes


def picture(h=120, w=160):
    rows, columns = np.mgrid[:h, :w]
    return np.stack([rows, columns, np.full((h, w), 40)], axis=-1).astype(np.uint8)


def test_a_crop_reaches_below_the_face():
    """Of a box with half side 10 around (80, 50): rows 40 to 68, columns 66 to 94."""
    crop = face_crops([picture()] * 3, [[70, 40, 90, 60]] * 3)
    assert crop.shape == (3, 3, 224, 224) and crop.dtype == np.uint8
    rows, columns = crop[1, 0, :, 0], crop[1, 1, 0]
    assert (rows.min(), rows.max()) == (40, 67) and (columns.min(), columns.max()) == (66, 93)


def test_beyond_the_picture_is_grey():
    crop = face_crops([picture()], [[-10, -10, 10, 10]])[0]
    assert (crop[:, :50, :50] == 110).all() and (crop[2, 120:, 120:] == 40).all()


def test_one_wild_box_and_a_gap_do_not_move_the_crop():
    boxes = np.tile([70.0, 40, 90, 60], (15, 1))
    still = face_crops([picture()] * 15, boxes)
    boxes[4] += 30
    boxes[8] = np.nan
    np.testing.assert_array_equal(face_crops([picture()] * 15, boxes), still)


def test_zeros_beyond_the_ends_take_a_later_box():
    shrinking = np.array([[80 - r, 50 - r, 80 + r, 50 + r] for r in range(24, 9, -1)], dtype=float)
    frames = [picture()] * 15
    held, official = (face_crops(frames, shrinking, edges=edges) for edges in ("held", "official"))
    np.testing.assert_array_equal(held[7], official[7])
    np.testing.assert_array_equal(official[0], held[6])  # the seventh of 13 values, six of them zeros
    assert (held[0] != official[0]).any()


def test_the_largest_sure_face_is_taken():
    found = iter([[[0, 0, 9, 9, 0.99], [0, 0, 20, 20, 0.9], [0, 0, 50, 50, 0.3]], []])
    boxes = find_face_boxes([picture()] * 2, lambda frame: next(found))
    assert boxes[0].tolist() == [0, 0, 20, 20] and np.isnan(boxes[1]).all()


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[np.nan] * 4], "must hold a face in at least one frame, got none"),
        ([[10, 10, 5, 20]], "right beyond left and bottom beyond top"),
        ([[1, 2, 3]], r"`boxes` must have shape \(t, 4\), got \(1, 3\)"),
        ([[0, 0, 9, 9]] * 2, r"`frames` must have shape \(2, h, w, 3\) of uint8, one per box"),
    ],
)
def test_bad_boxes(boxes, message):
    with pytest.raises(ValueError, match=message):
        face_crops([picture()], boxes)


def test_bad_choices(tmp_path):
    with pytest.raises(ValueError, match="`edges` must be one of held, official"):
        face_crops([picture()], [[0, 0, 9, 9]], edges="wrapped")
    with pytest.raises(ValueError, match=r"must be a face detection model, got .* which does not exist"):
        find_face_boxes([picture()], tmp_path / "yunet.onnx")
