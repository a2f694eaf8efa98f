"""Optical flow and motion scores: known shifts, sizes, bad input."""

import cv2
import numpy as np
import pytest
import torch

from asva_keyframe import flow_pairs, motion_curve, motion_score, optical_flow

METHODS = [("dis", "fast"), ("dis", "medium"), ("farneback", "medium")]


def texture(h, w, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2.0)


def shifted(h, w, right, down, count=3):
    margin = 40
    big = texture(h + 2 * margin, w + 2 * margin)
    windows = [(margin - i * down, margin - i * right) for i in range(count)]
    return np.stack([big[y : y + h, x : x + w] for y, x in windows])


@pytest.mark.parametrize(("method", "preset"), METHODS)
@pytest.mark.parametrize("shift", [(3, 0), (0, -2), (-2, 4), (0, 0)])
def test_known_shift(method, preset, shift):
    flow = optical_flow(shifted(96, 128, *shift), method, preset=preset)
    assert flow.shape == (2, 2, 96, 128)
    assert flow.dtype == np.float32
    inner = np.median(flow[:, :, 16:-16, 16:-16], axis=(0, 2, 3))
    np.testing.assert_allclose(inner, shift, atol=0.25)


@pytest.mark.parametrize(("method", "preset"), METHODS)
def test_curve_follows_the_size_of_the_shift(method, preset):
    steps = [0, 1, 3, 0, 2]
    big = texture(80, 160)
    frames = np.stack([big[:, 40 - x : 120 - x] for x in np.cumsum([0, *steps])])
    curve = motion_curve(frames, method=method, preset=preset)
    assert curve.shape == (5,)
    np.testing.assert_allclose(curve, steps, atol=0.6)
    assert np.argsort(curve, kind="stable").tolist()[-3:] == [1, 4, 2]


@pytest.mark.parametrize("method", ["dis", "farneback"])
def test_repeats_itself(method):
    frames = shifted(64, 64, 2, 1)
    np.testing.assert_array_equal(optical_flow(frames, method), optical_flow(frames, method))


def test_pairs_are_the_flow_one_by_one():
    frames = shifted(48, 64, 1, 1, count=4)
    np.testing.assert_array_equal(np.stack(list(flow_pairs(frames))), optical_flow(frames))


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (11, 12), (31, 33), (120, 3)])
@pytest.mark.parametrize("method", ["dis", "farneback"])
def test_any_size(size, method):
    frames = np.stack([texture(*size, seed=s).reshape(*size, 3) for s in (0, 0)])
    flow = optical_flow(frames, method)
    assert flow.shape == (1, 2, *size)
    assert np.abs(np.median(flow)) < 0.1


def test_score_by_hand():
    flow = np.zeros((2, 2, 2, 4), np.float32)
    flow[0, 0] = -2.0
    flow[0, 1] = 1.0
    flow[1, 1, 0, 0] = 8.0
    assert motion_score(flow).tolist() == [3.0, 1.0]
    assert motion_score(flow, "sum").tolist() == [24.0, 8.0]
    assert motion_score(torch.from_numpy(flow), "sum").tolist() == [24.0, 8.0]


def test_bad_input():
    frames = shifted(32, 32, 1, 0)
    with pytest.raises(ValueError, match="`frames` must be uint8"):
        optical_flow(frames.astype(np.float32))
    with pytest.raises(ValueError, match="`frames` must be uint8"):
        motion_curve(frames[..., 0])
    with pytest.raises(ValueError, match="at least two frames"):
        motion_curve(frames[:1])
    with pytest.raises(ValueError, match="`preset` must be one of"):
        optical_flow(frames, preset="slow")
    with pytest.raises(ValueError, match="`method` must be one of"):
        optical_flow(frames, "lucas")
    with pytest.raises(ValueError, match="Nothing is downloaded"):
        optical_flow(frames, "raft")
    with pytest.raises(ValueError, match="`flow` must have shape"):
        motion_score(np.zeros((3, 4, 4)))
    with pytest.raises(ValueError, match="`reduction` must be"):
        motion_score(np.zeros((2, 4, 4)), "max")
