"""Paired tests: against loops, on cases with a known answer, and on noise."""

import doctest
from itertools import product

import numpy as np
import pytest
from scipy.stats import t

import asva_metrics.paired as paired
from asva_metrics import bootstrap_interval, holm, jackknife_interval, paired_difference, ratio_interval


def test_docstring_examples():
    assert doctest.testmod(paired).failed == 0


def test_an_interval_of_means_is_that_of_the_plain_bootstrap():
    values = np.random.default_rng(0).normal(size=60)
    ours = ratio_interval(values, generator=np.random.default_rng(1), num_samples=4000)
    plain = bootstrap_interval(list(values), generator=np.random.default_rng(2), num_samples=4000)
    assert ours.estimate == pytest.approx(plain.estimate)
    assert (ours.low, ours.high) == pytest.approx((plain.low, plain.high), abs=0.02)


def test_clips_of_one_video_are_drawn_together():
    values = np.repeat(np.random.default_rng(0).normal(size=20), 10)
    alone = ratio_interval(values, generator=np.random.default_rng(1))
    together = ratio_interval(values, groups=np.repeat(np.arange(20), 10), generator=np.random.default_rng(1))
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_a_difference_of_ratios_has_its_own_interval():
    rng = np.random.default_rng(0)
    chance = rng.random(80)
    rows = np.stack((chance + 0.1, np.ones(80), chance, np.ones(80)), axis=1)
    excess = ratio_interval(rows, generator=rng)
    assert (excess.estimate, excess.low, excess.high) == pytest.approx((0.1, 0.1, 0.1))


@pytest.mark.parametrize("columns", [1, 2])
def test_p_is_that_of_all_exchanges(columns):
    rng = np.random.default_rng(3)
    first, second = rng.random((2, 7, 2)) + 0.5
    first, second = (first[:, 0], second[:, 0]) if columns == 1 else (first, second)

    def gap(swap):
        swap = np.array(swap, bool).reshape((7,) + (1,) * (first.ndim - 1))
        a, b = np.where(swap, second, first), np.where(swap, first, second)
        if columns == 1:
            return a.mean() - b.mean()
        return a[:, 0].sum() / a[:, 1].sum() - b[:, 0].sum() / b[:, 1].sum()

    seen = gap([0] * 7)
    expected = np.mean([abs(gap(swap)) >= abs(seen) - 1e-12 for swap in product((0, 1), repeat=7)])
    assert paired_difference(first, second, generator=rng).p == pytest.approx(expected)


def test_noise_is_rarely_called_a_difference():
    rng = np.random.default_rng(5)
    p = [paired_difference(*rng.normal(size=(2, 20)), generator=rng, num_permutations=300).p for _ in range(200)]
    assert np.mean(np.array(p) < 0.05) < 0.1
    assert paired_difference(rng.normal(1, 0.1, 40), rng.normal(0, 0.1, 40), generator=rng).p < 1e-3


def test_one_video_says_nothing():
    result = paired_difference([1.0, 2.0], [0.0, 0.5], groups=["a", "a"], generator=np.random.default_rng(0))
    assert result.difference.estimate == 1.25 and np.isnan(result.difference.low) and result.p == 1.0
    assert np.isnan(ratio_interval([1.0], generator=np.random.default_rng(0)).low)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=40)
    left_out = (values.sum() - values) / 39
    interval, _ = jackknife_interval(values.mean(), left_out)
    expected = t.ppf(0.975, 39) * values.std(ddof=1) / np.sqrt(40)
    assert interval.high - interval.estimate == pytest.approx(expected)
    assert np.isnan(jackknife_interval(1.0, [1.0, 2.0])[0].low)


def test_holm_grows_with_the_number_of_tests():
    assert holm([0.02]).tolist() == [0.02]
    assert holm([0.5, 0.001, np.nan, 0.9])[[0, 1, 3]].tolist() == [1.0, 0.003, 1.0]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda rng: ratio_interval([], generator=rng), "`contributions`"),
        (lambda rng: ratio_interval([np.nan], generator=rng), "finite"),
        (lambda rng: ratio_interval([1.0, 2.0], generator=rng, level=95), "`level`"),
        (lambda rng: ratio_interval([1.0, 2.0], groups=["a"], generator=rng), "`groups`"),
        (lambda rng: paired_difference([1.0, 2.0], [1.0], generator=rng), "`second`"),
    ],
)
def test_bad_arguments_are_named(call, named):
    with pytest.raises(ValueError, match=named):
        call(np.random.default_rng(0))
