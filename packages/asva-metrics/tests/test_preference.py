"""Win rates and Bradley-Terry strengths: against a plain maximum, and recovered from votes with planted strengths."""

import numpy as np
import pytest
from scipy.optimize import minimize

from asva_metrics import bradley_terry, preference


def test_strengths_are_the_most_likely_ones():
    rng = np.random.default_rng(1)
    wins = rng.integers(1, 20, (4, 4)) * (1 - np.eye(4))

    def unlikely(free):
        s = np.append(free, -free.sum())
        return (wins * np.log1p(np.exp(s[None] - s[:, None]))).sum()

    best = minimize(unlikely, np.zeros(3), method="BFGS", options={"gtol": 1e-9}).x
    np.testing.assert_allclose(bradley_terry(wins), np.append(best, -best.sum()), atol=1e-6)
    np.testing.assert_allclose(bradley_terry(np.stack([wins, wins.T]))[1], bradley_terry(wins.T), atol=1e-12)


def votes(rng, strengths, clips=60, raters=8, each=60):
    """Votes on some of all pairs; clips favour systems differently, raters see differences more or less surely."""
    k, rows = len(strengths), []
    favour, sure = 0.5 * rng.standard_normal((clips, k)), np.exp(0.2 * rng.standard_normal(raters))
    for rater in range(raters):
        for _ in range(each):
            clip, (i, j) = rng.integers(clips), rng.choice(k, 2, replace=False)
            odds = sure[rater] * (strengths[i] - strengths[j] + favour[clip, i] - favour[clip, j])
            rows.append((i, j, float(rng.random() < 1 / (1 + np.exp(-odds))), clip, rater))
    return zip(*rows, strict=True)


def test_planted_strengths_are_recovered():
    """Of 240 intervals of 95 % at least 220 hold the truth; independent ones do so in 0.99 of all cases."""
    planted = np.array([0.8, 0.2, -0.2, -0.8])
    inside, errors = 0, []
    for seed in range(60):
        rng = np.random.default_rng([2, seed])
        found = preference(*votes(rng, planted), generator=rng, num_samples=200)
        inside += sum(one.low <= s <= one.high for one, s in zip(found.strengths, planted, strict=True))
        errors.append([one.estimate for one in found.strengths] - planted)
    assert inside >= 220
    assert np.abs(np.mean(errors, axis=0)).max() < 0.12  # clips and raters that differ draw the mean towards 0
    shuffled = preference(*votes(np.random.default_rng(3), np.zeros(4)), generator=np.random.default_rng(3))
    assert all(one.low < 0 < one.high for one in shuffled.strengths)


def test_a_system_that_never_lost_has_a_strength_and_ties_count_half():
    found = preference(
        list("aaaa"), list("bbbb"), [1, 1, 1, 1], range(4), list("1212"), generator=np.random.default_rng(0)
    )
    assert found.win_rates[0].estimate == 1 and np.isfinite(found.strengths[0].estimate)
    assert found.strengths[0].estimate == pytest.approx(np.log(4.1 / 0.1) / 2)
    tied = preference(list("ab"), list("ba"), [0.5, 0.5], [0, 1], [0, 0], generator=np.random.default_rng(0))
    assert tied.pairs["a", "b"].estimate == 0.5 and tied.wins.tolist() == [[0, 1], [1, 0]]


def test_systems_that_no_comparison_joins_have_no_common_scale():
    found = preference(list("ac"), list("bd"), [1, 0], [0, 1], [0, 0], generator=np.random.default_rng(0))
    assert "no chain" in found.reason and np.isnan(found.strengths[0].estimate)
    assert [x.estimate for x in found.win_rates] == [1, 0, 0, 1]


@pytest.mark.parametrize("won", [[0.3], [np.nan], [1, 0], []])
def test_votes_that_are_none_are_refused(won):
    with pytest.raises(ValueError, match="must be"):
        preference(["a"], ["b"], won, [0], [0], generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="two different systems"):
        preference(["a"], ["a"], [1], [0], [0], generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="win and lose"):
        bradley_terry([[0, 1], [0, 0]])
