"""Keyframe selection: what holds for every curve, naive references, bad input."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from asva_keyframe import OfficialDraws, find_keypoints, select_keyframes, spread_evenly, uniform_keyframes

RULES = ["inference", "training", "even", "uniform"]


def curves():
    rng = np.random.default_rng(0)
    for length in (12, 13, 17, 24, 48, 60, 100, 201):
        yield np.zeros(length)
        yield np.linspace(0, 1, length)
        yield rng.random(length)
        yield rng.random(length) * 1e-3
        yield np.abs(np.sin(np.arange(length) * 0.7)) * 5
        yield np.eye(length)[1]
        yield np.eye(length)[length // 2]
        yield np.eye(length)[-2] * 1e9
        yield np.convolve(rng.random(length) > 0.9, np.ones(3), "same")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("num_keyframes", [1, 2, 3, 11, 12])
def test_always_so_many_sorted_unique_and_zero(rule, num_keyframes):
    for curve in curves():
        for seed in range(3):
            for generator in (seed, OfficialDraws.from_seed(seed)):
                chosen = select_keyframes(curve, num_keyframes, rule=rule, generator=generator)
                assert chosen.dtype == np.int64
                assert len(chosen) == num_keyframes
                assert chosen[0] == 0
                assert chosen[-1] < len(curve)
                assert (np.diff(chosen) > 0).all()


@pytest.mark.parametrize("rule", RULES)
def test_every_frame_when_there_are_just_enough(rule):
    for seed in range(5):
        curve = np.random.default_rng(seed).random(20)
        assert select_keyframes(curve, 20, rule=rule, generator=seed).tolist() == list(range(20))


@pytest.mark.parametrize("rule", ["inference", "training", "even"])
def test_uniform_without_peaks(rule):
    assert select_keyframes(np.zeros(48), 12, rule=rule).tolist() == list(range(0, 48, 4))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("make", [np.random.default_rng, lambda s: torch.Generator().manual_seed(s), lambda s: s])
def test_same_seed_same_frames(rule, make):
    curve = np.random.default_rng(1).random(96)
    first = select_keyframes(curve, rule=rule, generator=make(3))
    assert first.tolist() == select_keyframes(curve, rule=rule, generator=make(3)).tolist()


def test_global_generators_are_left_alone():
    curve = np.random.default_rng(1).random(96)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    select_keyframes(curve, rule="training")
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_even_rule_keeps_peaks_and_lowest_valleys():
    curve = np.zeros(48)
    curve[[10, 30]] = 1.0
    curve[20] = -1.0
    chosen = select_keyframes(curve, 12, rule="even")
    assert {0, 10, 20, 30} <= set(chosen.tolist())
    assert np.diff([*chosen, 48]).max() <= 5


def test_even_rule_takes_at_most_half_less_one_peaks():
    curve = np.zeros(96)
    peaks = np.arange(5, 95, 10)
    curve[peaks] = 1.0
    chosen = select_keyframes(curve, 12, rule="even", generator=4)
    drawn = set(chosen.tolist()) & set(peaks.tolist())
    assert len(drawn) >= 5


def naive_spread(anchors, num_frames, num_keyframes):
    counts = {i: 1 for i in range(len(anchors))}
    edges = [*anchors, num_frames]
    while sum(counts.values()) < num_keyframes:
        widest = max(counts, key=lambda i: ((edges[i + 1] - edges[i]) / (counts[i] + 1), -i))
        counts[widest] += 1
    return [a + j * (b - a) // counts[i] for i, (a, b) in enumerate(pairwise(edges)) for j in range(counts[i])]


def test_spread_against_naive():
    rng = np.random.default_rng(2)
    for _ in range(200):
        num_frames = int(rng.integers(2, 80))
        anchors = np.unique([0, *rng.integers(0, num_frames, rng.integers(0, 6))])
        wanted = int(rng.integers(len(anchors), num_frames + 1))
        assert spread_evenly(anchors, num_frames, wanted).tolist() == naive_spread(anchors.tolist(), num_frames, wanted)


def test_window_of_a_longer_curve():
    curve = np.random.default_rng(5).random(240)
    keypoints = find_keypoints(curve).window(60, 48)
    chosen = select_keyframes(curve, rule="even", fps=24, start=60, duration=2.0)
    anchors = set(keypoints.peaks.tolist()) | set(keypoints.valleys.tolist()) | {0}
    assert chosen[-1] < 48
    assert len(anchors & set(chosen.tolist())) >= 6


def test_smoothing_is_a_centred_box():
    curve = np.random.default_rng(6).random(31)
    smooth = np.array([curve[max(i - 2, 0) : i + 3].sum() / 5 for i in range(31)])
    expected = find_keypoints(smooth)
    found = find_keypoints(curve, taps=5)
    assert found.peaks.tolist() == expected.peaks.tolist()
    assert found.valleys.tolist() == expected.valleys.tolist()


def test_bad_input():
    curve = np.random.default_rng(0).random(48)
    with pytest.raises(ValueError, match="`curve` must be finite, got nan at index 3"):
        select_keyframes([0, 1, 2, float("nan"), 4])
    with pytest.raises(ValueError, match="`curve` must be a non-empty vector"):
        select_keyframes([])
    with pytest.raises(ValueError, match="`curve` must be a non-empty vector"):
        select_keyframes(np.zeros((2, 48)))
    with pytest.raises(ValueError, match="`num_keyframes` must lie between 1 and the number of frames"):
        select_keyframes(curve, 49)
    with pytest.raises(ValueError, match="`num_keyframes` must lie between 1"):
        uniform_keyframes(48, 0)
    with pytest.raises(ValueError, match="`rule` must be one of"):
        select_keyframes(curve, rule="best")
    with pytest.raises(ValueError, match="`start` and `duration` must name frames inside"):
        select_keyframes(curve, start=10, duration=2.0)
    with pytest.raises(ValueError, match="`fps` must be positive"):
        select_keyframes(curve, fps=0)
    with pytest.raises(ValueError, match="`generator` must be"):
        select_keyframes(curve, generator="seed")
