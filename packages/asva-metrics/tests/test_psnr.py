"""PSNR of whole frames and of moving pixels: hand values and loops."""

import numpy as np
import pytest
import torch

from asva_metrics import moving_psnr, psnr


def test_by_hand():
    black = np.zeros((2, 4, 4, 3), np.uint8)
    assert psnr(black, black) == float("inf")
    assert psnr(black, black + 255) == pytest.approx(0.0)
    assert psnr(black, black + 1) == pytest.approx(20 * np.log10(255))
    assert psnr(black / 1.0, np.full(black.shape, 0.01)) == pytest.approx(40.0)


def test_uint8_does_not_wrap():
    low, high = np.full((1, 2, 2, 3), 10, np.uint8), np.full((1, 2, 2, 3), 30, np.uint8)
    assert psnr(low, high) == psnr(high, low) == pytest.approx(20 * np.log10(255 / 20))


def naive(frames, reference, mask):
    errors = []
    for t, y, x in np.argwhere(mask):
        errors += [(float(a) - float(b)) ** 2 for a, b in zip(frames[t, y, x], reference[t, y, x], strict=True)]
    return 10 * np.log10(255**2 / np.mean(errors))


def test_moving_pixels_against_a_loop():
    rng = np.random.default_rng(0)
    frames, reference = rng.integers(0, 256, (2, 3, 5, 6, 3), dtype=np.uint8)
    mask = rng.random((3, 5, 6)) > 0.6
    assert moving_psnr(frames, reference, mask) == pytest.approx(naive(frames, reference, mask))
    changed = frames.copy()
    changed[~mask] = 0
    assert moving_psnr(changed, reference, mask) == moving_psnr(frames, reference, mask)
    assert moving_psnr(frames, reference, np.ones_like(mask)) == pytest.approx(psnr(frames, reference))


def test_batches_and_tensors():
    rng = np.random.default_rng(1)
    frames, reference = rng.random((2, 2, 4, 3, 5, 5, 3))
    mask = rng.random((2, 4, 3, 5, 5)) > 0.5
    result = moving_psnr(torch.from_numpy(frames), torch.from_numpy(reference), torch.from_numpy(mask))
    assert result.shape == (2, 4)
    for i in np.ndindex(2, 4):
        assert result[i] == pytest.approx(moving_psnr(frames[i], reference[i], mask[i]))
    assert psnr(frames, reference).shape == (2, 4)


def test_empty_mask_is_nan_and_equal_is_inf():
    frames = np.zeros((2, 1, 2, 2, 3), np.uint8)
    mask = np.zeros((2, 1, 2, 2), bool)
    mask[1] = True
    result = moving_psnr(frames, frames, mask)
    assert np.isnan(result[0])
    assert np.isinf(result[1])


def test_bad_input():
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="must have one shape"):
        psnr(frames, frames[:1])
    with pytest.raises(ValueError, match="`mask` must have shape"):
        moving_psnr(frames, frames, np.ones((2, 4, 3), bool))
    with pytest.raises(ValueError, match="`generated` must be numbers like"):
        psnr(frames / 255, frames)
