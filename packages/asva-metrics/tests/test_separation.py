"""AUC of true against wrong sound: loops, ties, intervals, undefined clips."""

import numpy as np
import pytest

from asva_metrics import auc, separation


def test_auc_against_loops():
    rng = np.random.default_rng(0)
    true, wrong = rng.integers(0, 6, 20), rng.integers(0, 5, 15)
    pairs = [(t > w) + 0.5 * (t == w) for t in true for w in wrong]
    assert auc(true, wrong) == pytest.approx(np.mean(pairs))
    assert auc([1.0], [0.0]) == 1.0
    assert np.isnan(auc([], [1.0]))


def test_a_score_that_knows_nothing_is_at_chance():
    rng = np.random.default_rng(0)
    result = separation(rng.normal(size=60), rng.normal(size=(60, 3)), generator=rng, num_samples=300)
    assert result.auc.low < 0.5 < result.auc.high
    clear = separation(rng.normal(3, 1, 60), rng.normal(size=60), generator=rng, num_samples=300)
    assert clear.auc.low > 0.9
    assert clear.excess == pytest.approx(clear.true - clear.chance) and clear.excess > 2


def test_undefined_clips_are_left_out_whole():
    rng = np.random.default_rng(0)
    result = separation([1.0, np.nan, 2.0], [[0.0, 0.5], [0.0, 0.0], [np.nan, 0.0]], generator=rng, num_samples=50)
    assert (result.num_undefined, result.auc.num_clips, result.auc.estimate) == (2, 1, 1.0)
    nothing = separation([np.nan], [0.0], generator=rng)
    assert np.isnan([nothing.auc.estimate, nothing.true, nothing.excess]).all()


def test_bad_input():
    with pytest.raises(ValueError, match="`wrong` must hold the"):
        separation([1.0, 2.0], [1.0], generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="must be defined scores"):
        auc([np.nan], [1.0])
