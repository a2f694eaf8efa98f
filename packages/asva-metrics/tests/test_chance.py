"""Chance level of any score of sound: a loop, swapped sounds, undefined scores, errors at the door."""

import numpy as np
import pytest

from asva_metrics import sound_chance


def overlap(own):
    return lambda sound: float((np.atleast_2d(sound) * own).sum())


def test_against_a_loop():
    rng = np.random.default_rng(0)
    own, others = rng.random((2, 640)), [rng.random((2, 640)), rng.random((2, 200)), rng.random((2, 900))]
    result = sound_chance(overlap(own), own, others=others, num_shifts=40)
    expected = [(np.roll(own, round((k + 0.5) / 40 * 640), axis=-1) * own).sum() for k in range(40)]
    np.testing.assert_allclose(result.shifted_scores, expected)
    swapped = [(others[0] * own).sum(), (np.tile(others[1], 4)[:, :640] * own).sum(), (others[2][:, :640] * own).sum()]
    np.testing.assert_allclose(result.swapped_scores, swapped)
    assert result.score == pytest.approx((own**2).sum())
    assert (result.shifted, result.swapped) == (pytest.approx(np.mean(expected)), pytest.approx(np.mean(swapped)))
    assert result.excess == result.score - result.shifted > 0


def test_undefined_scores_are_left_out():
    own = np.arange(64.0)
    some = sound_chance(lambda sound: float("nan") if sound[0] < 32 else 1.0, own)
    assert np.isnan(some.score) and np.isnan(some.excess) and some.shifted == 1.0
    none = sound_chance(lambda sound: float("nan"), own)
    assert np.isnan([none.shifted, none.swapped]).all() and none.swapped_scores.shape == (0,)


def test_bad_input():
    score = overlap(np.ones(64))
    with pytest.raises(ValueError, match="`num_shifts` must be at least 32"):
        sound_chance(score, np.ones(64), num_shifts=4)
    with pytest.raises(ValueError, match="`waveform` must hold at least 32 samples"):
        sound_chance(score, np.ones(8))
    with pytest.raises(ValueError, match="`others` must have the channels"):
        sound_chance(score, np.ones(64), others=[np.ones((2, 64))])
    with pytest.raises(ValueError, match="not be empty"):
        sound_chance(score, np.ones(64), others=[np.ones(0)])
