"""Curve correlation and the loudness baseline."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from asva_metrics import curve_correlation, loudness_envelope, pearson


def test_pearson_against_numpy():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 7, 48))
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(pearson(first, second), expected, atol=1e-12)
    assert pearson(first[0], 3 - 2 * first[0]) == pytest.approx(-1.0)


def test_constant_curves_are_left_out():
    rng = np.random.default_rng(0)
    first = rng.random((5, 48))
    second = first.copy()
    second[2] = 0.3
    result = curve_correlation(first, second, generator=rng)
    assert result.num_undefined == 1
    assert np.isnan(result.per_clip[2])
    assert result.mean.estimate == pytest.approx(1.0)
    assert result.mean.num_clips == 4
    nothing = curve_correlation(first, np.ones((5, 48)), generator=rng)
    assert nothing.num_undefined == 5
    assert np.isnan(nothing.mean.estimate)


def test_correlation_bad_input():
    with pytest.raises(ValueError, match="one shape"):
        pearson([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match=r"shape \(n, t\)"):
        curve_correlation([1, 2], [1, 3], generator=np.random.default_rng(0))


def test_loudness_against_a_loop():
    samples = np.random.default_rng(0).normal(size=(2, 1003))
    edges = [i * 1003 // 48 for i in range(49)]
    power = (samples**2).mean(0)
    expected = [np.sqrt(power[a:b].mean()) for a, b in pairwise(edges)]
    np.testing.assert_allclose(loudness_envelope(samples), expected, rtol=1e-10)
    np.testing.assert_allclose(loudness_envelope(torch.from_numpy(samples)), expected, rtol=1e-10)


def test_loudness_in_decibels():
    sound = np.concatenate([np.zeros(100), np.full(100, 0.1), np.full(100, 1.0)])
    np.testing.assert_allclose(loudness_envelope(sound, 3, decibels=True), [-60.0, -20.0, 0.0])


def test_loudness_bad_input():
    with pytest.raises(ValueError, match="at least 48 samples"):
        loudness_envelope(np.zeros(10))
    with pytest.raises(ValueError, match="finite"):
        loudness_envelope(np.full(100, np.nan))
