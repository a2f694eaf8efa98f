"""Framing and antialiasing."""

import numpy as np
import pytest

from asva_data import MediaError, resize_crop


def column_picture(height, width):
    """Each column's red is its place across the width, from 0 to 240."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 0] = np.linspace(0, 240, width).astype(np.uint8)
    frame[..., 1] = np.linspace(0, 240, height).astype(np.uint8)[:, None]
    return frame


def test_inference_takes_the_middle_of_the_aspect():
    out = resize_crop(column_picture(100, 400), 50)
    assert out.shape == (50, 50, 3)
    assert abs(int(out[25, 0, 0]) - 240 * 150 / 400) < 4 and abs(int(out[25, -1, 0]) - 240 * 250 / 400) < 4
    assert out[0, 25, 1] < 4 and out[-1, 25, 1] > 236


def test_inference_never_pads():
    assert resize_crop(np.full((400, 100, 3), 255, np.uint8), (32, 51)).min() == 255


def test_training_pads_a_narrow_picture():
    out = resize_crop(np.full((100, 100, 3), 255, np.uint8), (32, 52), framing="training")
    assert out.shape == (32, 52, 3)
    assert out[:, 10:42].min() == 255 and out[:, :10].max() == 0 and out[:, 42:].max() == 0


def test_training_cuts_a_wide_picture():
    out = resize_crop(column_picture(64, 256), (32, 52), framing="training")
    assert (
        abs(int(out[16, 0, 0]) - 240 * (128 - 52) / 256) < 5 and abs(int(out[16, -1, 0]) - 240 * (128 + 52) / 256) < 5
    )


@pytest.mark.parametrize("shape", [(90, 160), (160, 90), (64, 64), (33, 35)])
def test_both_agree_on_squares(shape):
    frame = column_picture(*shape)
    difference = resize_crop(frame, 32).astype(int) - resize_crop(frame, 32, framing="training")
    assert np.abs(difference).max() <= 8  # the slope of one pixel of the result


def test_shrinking_does_not_alias():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    out = resize_crop(stripes, 32)[4:-4, 4:-4]
    assert np.abs(out.astype(int) - 127).max() < 8


def test_leading_axes_and_identity():
    frames = np.random.default_rng(0).integers(0, 255, (2, 3, 8, 12, 3), dtype=np.uint8)
    assert resize_crop(frames, (4, 6)).shape == (2, 3, 4, 6, 3)
    assert resize_crop(frames, (8, 12)) is frames


@pytest.mark.parametrize("shape", [(1, 1), (7, 5000), (5000, 7), (1, 3)])
@pytest.mark.parametrize("framing", ["inference", "training"])
def test_extreme_shapes(shape, framing):
    assert resize_crop(np.full((*shape, 3), 9, np.uint8), (64, 96), framing=framing).shape == (64, 96, 3)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"size": -1}, "`size`"),
        ({"size": (4,)}, "`size`"),
        ({"size": True}, "`size`"),
        ({"size": "64"}, "`size`"),
        ({"framing": "squash"}, "`framing`"),
        ({"frames": np.zeros((4, 4, 3))}, "`frames`"),
        ({"frames": np.zeros((4, 4), np.uint8)}, "`frames`"),
        ({"frames": np.zeros((0, 4, 4, 3), np.uint8)}, "`frames`"),
    ],
)
def test_arguments_are_checked(arguments, match):
    with pytest.raises(MediaError, match=match):
        resize_crop(**({"frames": np.zeros((4, 4, 3), np.uint8), "size": 8} | arguments))
