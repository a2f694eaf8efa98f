"""Shift profiles: planted shifts, a naive loop, what is undefined, errors at the door."""

import numpy as np
import pytest

from asva_metrics import pearson, profile_of_scores, shift_profile, shift_rank

FPS = 24.0


def bumps(shift=0.0, num_frames=48, moments=(0.3, 0.9, 1.5)):
    """A smooth curve with three bumps, moved later by `shift` seconds around the clip."""
    times, length = np.arange(num_frames) / FPS, num_frames / FPS
    far = np.abs((times[:, None] - np.asarray(moments) - shift + length / 2) % length - length / 2)
    return np.exp(-((far / 0.05) ** 2)) @ np.array([1.0, 0.6, 0.8])


@pytest.mark.parametrize("late", [-0.4, -0.05, 0.0, 0.11, 0.33])
def test_a_planted_shift_is_found_within_a_tenth_of_a_frame(late):
    profile = shift_profile(bumps(late), bumps(), FPS)
    assert profile.offset == pytest.approx(-late, abs=0.1 / FPS)
    assert profile.reason == "" and profile.scores[profile.scores.argmax()] > 0.9


def test_against_a_loop():
    rng = np.random.default_rng(0)
    motion, sound = rng.random(20), rng.random(20)
    around = shift_profile(sound, motion, 10.0, max_shift=0.5)
    cut = shift_profile(sound, motion, 10.0, max_shift=0.5, circular=False)
    np.testing.assert_allclose(around.shifts, np.arange(-5, 6) / 10)
    for place, k in enumerate(range(-5, 6)):
        assert around.scores[place] == pytest.approx(pearson(motion, np.roll(sound, k)))
        pairs = [(motion[i], sound[i - k]) for i in range(20) if 0 <= i - k < 20]
        assert cut.scores[place] == pytest.approx(pearson(*np.array(pairs).T))
    assert around.score == around.scores[5]
    assert around.excess == pytest.approx((around.scores[5] - around.scores.mean()) / around.scores.std())


def test_any_score_of_two_curves():
    profile = shift_profile(bumps(), bumps(), FPS, score=lambda s, m: -np.abs(m - s).sum())
    assert profile.offset == pytest.approx(0, abs=1e-6) and profile.score == 0


def test_scores_of_a_classifier():
    profile = profile_of_scores(np.arange(-2, 3) * 0.1, np.log([1.0, 1.0, 6.0, 1.0, 1.0]))
    assert profile.probability == pytest.approx(0.6) and profile.offset == pytest.approx(0)
    near = profile_of_scores(np.arange(-2, 3) * 0.1, np.log([1.0, 1.0, 1.0, 6.0, 1.0]), tolerance=0.1)
    assert near.probability == pytest.approx(0.8) and near.score == pytest.approx(np.log(6))
    assert near.excess == pytest.approx((1 - 0.6) / np.std([0, 0, 1, 1, 1])) and near.offset == pytest.approx(0.1)
    assert profile_of_scores([-0.1, 0.0, 0.1], [0.0, 1.0, 2.0]).offset == 0.1  # at the end there is no parabola


def test_rank_of_a_shift_against_a_loop():
    scores = np.random.default_rng(0).integers(0, 4, 20)
    for place in (0, 7):
        away = [min(abs(i - place), 20 - abs(i - place)) * 2.0 / 20 for i in range(20)]
        others = [float(score) for score, far in zip(scores, away, strict=True) if far >= 0.1]
        expected = np.mean([(other < scores[place]) + 0.5 * (other == scores[place]) for other in others])
        assert shift_rank(scores, 2.0, place=place) == pytest.approx(expected)
    assert np.isnan(shift_rank(np.ones(20), 2.0))


def test_what_is_undefined_is_nan_and_says_why():
    flat = shift_profile(bumps(), np.ones(48), FPS)
    assert np.isnan([flat.offset, flat.score, flat.excess, flat.probability]).all() and "undefined" in flat.reason
    equal = profile_of_scores([-0.1, 0.0, 0.1], [1.0, 1.0, 1.0])
    assert np.isnan(equal.offset) and equal.reason == "the score is the same at every shift"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shift_profile(np.zeros(8), np.zeros(9), FPS), "`sound` and `motion` must have one shape"),
        (lambda: shift_profile([0, np.nan, 1], [0, 1, 2], FPS), "must be finite"),
        (lambda: shift_profile(np.arange(8), np.arange(8), 0), "`fps` must be positive"),
        (lambda: shift_profile(np.arange(8), np.arange(8), FPS, max_shift=9.0), "`max_shift` must lie between"),
        (lambda: profile_of_scores([0.0, 0.1], [1, 2]), "k of 3 or more"),
        (lambda: profile_of_scores([0.0, 0.1, 0.3], [1, 2, 3]), "equal steps"),
        (lambda: profile_of_scores([0.1, 0.2, 0.3], [1, 2, 3]), "zero among them"),
        (lambda: profile_of_scores([-0.1, 0.0, 0.1], [1, 2, 3], tolerance=-1), "`tolerance` must be at least 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
