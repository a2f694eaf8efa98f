"""Event matching and scores: hand values, brute force, conventions."""

from itertools import permutations

import numpy as np
import pytest

from asva_metrics import chance_level, event_f1, event_scores, match_clips, match_events


def brute_force(predicted, true, tolerance):
    """Most pairs, then least distance, over all one-to-one matchings."""
    small, large = sorted([list(predicted), list(true)], key=len)
    best = (0, 0.0)
    for order in permutations(range(len(large)), len(small)):
        distances = [abs(a - large[i]) for a, i in zip(small, order, strict=True)]
        kept = [d for d in distances if d <= tolerance + 1e-9]
        best = max(best, (len(kept), -sum(kept)))
    return best


def test_against_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(300):
        predicted = np.round(rng.random(rng.integers(0, 6)), 2)
        true = np.round(rng.random(rng.integers(0, 6)), 2)
        match = match_events(predicted, true, 0.15)
        count, saving = brute_force(predicted, true, 0.15)
        assert match.tp == count
        assert -np.abs(match.errors).sum() == pytest.approx(saving)
        assert match.tp + match.fp == len(predicted)
        assert match.tp + match.fn == len(true)
        assert len(set(match.pairs[:, 0].tolist())) == len(set(match.pairs[:, 1].tolist())) == count
        np.testing.assert_allclose(match.errors, predicted[match.pairs[:, 0]] - true[match.pairs[:, 1]])


def test_greedy_matching_would_lose_a_pair():
    match = match_events([1.0, 1.09], [1.05, 0.96], 0.06)
    assert (match.tp, match.fp, match.fn) == (2, 0, 0)


def test_one_frame_off_is_inside_one_frame():
    frames = np.arange(100)
    assert match_events((frames + 1) / 24, frames / 24, 1 / 24).tp == 100
    assert match_events([11 / 24], [10 / 24], 1 / 24).tp == 1
    assert match_events([12 / 24], [10 / 24], 1 / 24).tp == 0


def test_labels_must_agree():
    match = match_events(
        [0.1, 0.5], [0.1, 0.5], 0.05, predicted_labels=["left", "left"], target_labels=["left", "right"]
    )
    assert (match.tp, match.fp, match.fn) == (1, 1, 1)
    assert match_events([], [], 0.1, predicted_labels=[], target_labels=[]).tp == 0


def test_scores_by_hand():
    matches = [match_events([0.10, 0.50], [0.13], 0.04), match_events([1.0], [1.01, 1.5, 1.7], 0.04)]
    scores = event_scores(matches)
    assert (scores.tp, scores.fp, scores.fn, scores.num_clips) == (2, 1, 2, 2)
    assert scores.precision == pytest.approx(2 / 3)
    assert scores.recall == pytest.approx(1 / 2)
    assert scores.f1 == pytest.approx(4 / 7)
    assert scores.mean_abs_error_ms == pytest.approx(20.0)
    assert scores.reason == ""
    assert event_f1([[0.10, 0.50], [1.0]], [[0.13], [1.01, 1.5, 1.7]], 0.04) == scores.f1


def test_conventions_without_events():
    nothing = event_scores([match_events([], [], 0.1)])
    assert np.isnan([nothing.precision, nothing.recall, nothing.f1, nothing.mean_abs_error_ms]).all()
    assert nothing.reason == "no predicted events and no true events"
    silent = event_scores([match_events([], [0.5], 0.1)])
    assert (silent.f1, silent.recall, silent.reason) == (0.0, 0.0, "no predicted events")
    assert np.isnan(silent.precision)
    false = event_scores([match_events([0.5], [], 0.1)])
    assert (false.f1, false.precision, false.reason) == (0.0, 0.0, "no true events")
    apart = event_scores([match_events([0.5], [0.9], 0.1)])
    assert (apart.f1, apart.reason) == (0.0, "no matched events")
    assert np.isnan(event_scores([]).f1)


def test_a_clip_without_events_adds_nothing():
    clips = [match_events([0.5], [0.5], 0.1)]
    assert event_scores([*clips, match_events([], [], 0.1)]).f1 == event_scores(clips).f1


def test_bad_input():
    with pytest.raises(ValueError, match="`predicted` must be a vector of finite times"):
        match_events([float("nan")], [0.1], 0.1)
    with pytest.raises(ValueError, match="`target` must be a vector"):
        match_events([0.1], [[0.1]], 0.1)
    with pytest.raises(ValueError, match="`tolerance` must be at least 0"):
        match_events([0.1], [0.1], -1)
    with pytest.raises(ValueError, match="must hold one label for each event"):
        match_events([0.1], [0.1], 0.1, predicted_labels=["left"])
    with pytest.raises(ValueError, match="as many clips"):
        match_clips([[0.1]], [], 0.1)


def test_chance_of_perfect_predictions_is_the_share_of_time_covered():
    rng = np.random.default_rng(0)
    true = [[t] for t in rng.random(40) * 2]
    chance = chance_level(true, true, 0.1, duration=2.0, num_shifts=200)
    # One event alone matches its shifted self if the shift is at most the tolerance either way (edges lose a little).
    assert chance.f1 == pytest.approx(0.1, abs=0.02)
    assert chance.scores.shape == (200,)


def test_chance_against_a_loop():
    rng = np.random.default_rng(1)
    true = [np.sort(rng.random(4) * 2) for _ in range(5)]
    predicted = [t + 0.01 for t in true]
    durations = [2.0, 2.0, 2.5, 3.0, 2.0]
    chance = chance_level(predicted, true, 0.05, duration=durations)
    expected = []
    for k in range(32):
        moved = [(t + (k + 0.5) / 32 * d) % d for t, d in zip(true, durations, strict=True)]
        expected.append(event_f1(predicted, moved, 0.05))
    np.testing.assert_allclose(chance.scores, expected)
    assert chance.f1 < event_f1(predicted, true, 0.05)


def test_chance_bad_input():
    with pytest.raises(ValueError, match="at least 32"):
        chance_level([[0.1]], [[0.1]], 0.1, duration=2.0, num_shifts=8)
    with pytest.raises(ValueError, match="`duration` must be positive"):
        chance_level([[0.1]], [[0.1]], 0.1, duration=0.0)
