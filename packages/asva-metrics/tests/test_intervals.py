"""Bootstrap intervals: coverage, statistics of clips, edge cases."""

import numpy as np
import pytest

from asva_metrics import bootstrap_interval, event_scores, match_events


def test_covers_the_mean_about_as_often_as_it_says():
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        interval = bootstrap_interval(rng.normal(3.0, 1.0, 40), generator=rng, num_samples=300)
        hits += interval.low <= 3.0 <= interval.high
    assert 0.88 <= hits / 200 <= 0.99


def test_close_to_the_normal_interval():
    values = np.random.default_rng(0).normal(size=400)
    interval = bootstrap_interval(values, generator=np.random.default_rng(1), num_samples=2000)
    half = 1.96 * values.std(ddof=1) / 20
    np.testing.assert_allclose([interval.low, interval.high], [values.mean() - half, values.mean() + half], atol=0.01)
    assert interval.estimate == pytest.approx(values.mean())


def test_statistic_of_matches():
    matches = [match_events([0.1], [0.1], 0.05)] * 9 + [match_events([0.1], [0.9], 0.05)]
    interval = bootstrap_interval(matches, lambda m: event_scores(m).f1, generator=np.random.default_rng(0))
    assert interval.estimate == pytest.approx(0.9)
    assert interval.low < 0.9 < interval.high <= 1.0
    assert interval.num_clips == 10


def test_undefined_resamples_are_counted():
    matches = [match_events([], [], 0.05), match_events([0.1], [0.1], 0.05)]
    interval = bootstrap_interval(matches, lambda m: event_scores(m).f1, generator=np.random.default_rng(0))
    assert 150 < interval.num_undefined < 350
    assert (interval.estimate, interval.low, interval.high) == (1.0, 1.0, 1.0)


def test_same_generator_same_interval():
    values = np.random.default_rng(0).random(20)
    first, second = (bootstrap_interval(values, generator=np.random.default_rng(5)) for _ in range(2))
    assert first == second


def test_bad_input():
    with pytest.raises(ValueError, match="at least one clip"):
        bootstrap_interval([], generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="`level` must lie between"):
        bootstrap_interval([1.0], generator=np.random.default_rng(0), level=95)
