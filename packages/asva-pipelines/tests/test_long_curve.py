"""Motion over a whole sound: heard, bent, written, read, and shared out as keyframes."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch

from asva_audio import Track
from asva_interp import make_clip_plan
from asva_keyframe import heard_curve, loudness_curve, unrest
from asva_keyframe.curve_files import CurveFile, fit_curve, read_curve_file, write_curve_csv
from asva_keyframe.shape import shape_curve
from asva_pipelines import kept_keyframes, window_keyframes


class LoudnessAsMotion(torch.nn.Linear):
    """A localizer whose curve is the level of each frame's piece of sound."""

    def __init__(self):
        super().__init__(1, 1)

    def predict(self, mel):
        return mel.unflatten(1, (48, -1)).abs().mean(-1)


def knocking(seconds, times, rate=1200):
    samples = np.zeros((1, round(seconds * rate)), np.float32)
    for time in times:
        samples[0, round(time * rate) : round(time * rate) + rate // 24] = 1.0
    return Track(samples, rate)


def hear(track, count):
    return heard_curve(
        LoudnessAsMotion(), lambda waveform, rate: waveform, track, count,
        window_size=48, fps=Fraction(24), sample_rate=track.sample_rate,
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 47, 48, 49, 95, 96, 97, 240])
def test_pieces_give_one_curve(count):
    track = knocking(10, np.arange(0, 10, 0.5))
    curve = hear(track, count)
    expected = np.zeros(count)
    expected[::12] = 1.0
    assert curve.shape == (count,) and curve.dtype == np.float32
    np.testing.assert_allclose(curve, expected, atol=1e-6)


def test_silence_follows_the_sound():
    assert hear(knocking(1, [0.5]), 96)[24:].max() == 0


def test_loudness_is_relative():
    levels = loudness_curve(knocking(2, [0.5, 1.5]), 48, Fraction(24))
    assert np.flatnonzero(levels > 0.5).tolist() == [12, 36] and levels.max() == 1
    assert loudness_curve(knocking(1, []), 24, Fraction(24)).max() == 0


def test_rest_is_where_nothing_moves_around():
    curve = np.zeros(60)
    curve[30], curve[50] = 1.0, 0.1
    bad = unrest(curve, 24)
    assert set(np.flatnonzero(bad)) == set(range(26, 34)), "not the murmur of a tenth"
    assert unrest(np.zeros(5), 24).max() == 0


def test_every_window_gets_its_share():
    curve = np.zeros(200)
    curve[[20, 60, 100, 140]] = 1.0
    plan = make_clip_plan(6.0, 24, native_fps=24, window_size=48, overlaps=(1, 32), unrest=unrest(curve, 24))
    chosen = window_keyframes(curve, plan, 12, rule="even")
    assert all(len(indices) == 12 and indices[0] == 0 for indices in chosen)
    kept = kept_keyframes(plan, chosen)
    assert (np.diff(kept) > 0).all() and {0, 20, 60, 100, 140} <= set(kept)


def test_given_keyframes_and_too_many():
    plan = make_clip_plan(6.0, 24, native_fps=24, window_size=48)
    kept = kept_keyframes(plan, window_keyframes(None, plan, 12, given=[5, 60, 130]))
    assert {0, 5, 60, 130} <= set(kept)
    with pytest.raises(ValueError, match=r"at most 3 between 0.00 and 2.00 s, got 4"):
        window_keyframes(None, plan, 4, given=[5, 10, 15, 20])


def test_bending_a_curve():
    curve = [0.1, 1.0, 0.0, 0.0, 0.5]
    np.testing.assert_allclose(shape_curve(curve, 24, gain=2.0), [0.2, 2.0, 0.0, 0.0, 1.0], rtol=1e-6)
    np.testing.assert_allclose(shape_curve(curve, 24, threshold=0.2), [0.0, 1.0, 0.0, 0.0, 0.5], rtol=1e-6)
    slow = shape_curve(curve, 24, attack=1 / 24, release=2 / 24)
    level, expected = 0.0, []
    for value in curve:
        keep = np.exp(-1) if value > level else np.exp(-0.5)
        level = value + keep * (level - value)
        expected.append(level)
    np.testing.assert_allclose(slow, expected, rtol=1e-6)
    for name in ("gain", "threshold", "attack", "release"):
        with pytest.raises(ValueError, match=f"`{name}` must be at least 0"):
            shape_curve(curve, 24, **{name: -1.0})
    with pytest.raises(ValueError, match="`curve` must be finite"):
        shape_curve([0.0, np.nan], 24)


def test_files_go_out_and_come_back(tmp_path):
    curve = np.random.default_rng(0).random(31)
    write_curve_csv(tmp_path / "a.csv", curve, [0, 7, 30], 29.97)
    found = read_curve_file(tmp_path / "a.csv")
    assert found.fps == pytest.approx(29.97, rel=1e-4)
    np.testing.assert_allclose(found.curve, curve, atol=1e-6)
    np.testing.assert_allclose(found.keyframes, np.array([0, 7, 30]) / 29.97, atol=1e-6)
    (tmp_path / "a.json").write_text(json.dumps([0.5, 1.0]), encoding="utf-8")
    assert read_curve_file(tmp_path / "a.json").keyframes.tolist() == [0.5, 1.0]
    (tmp_path / "b.csv").write_text("second\n0.5\n1.25\n", encoding="utf-8")
    assert read_curve_file(tmp_path / "b.csv").keyframes.tolist() == [0.5, 1.25]


def test_a_curve_at_another_rate_stays_at_its_times(tmp_path):
    found = CurveFile(fps=12.0, curve=np.arange(24) / 12)
    fitted = fit_curve(found, tmp_path, Fraction(24), Fraction(2))
    np.testing.assert_allclose(fitted[:47], np.arange(47) / 24, atol=1e-6)
    with pytest.raises(ValueError, match=r"as long as the video, 3.00 s, got 2.00 s"):
        fit_curve(found, tmp_path, Fraction(24), Fraction(3))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.txt", "", "must end in .json or .csv"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", "3", "an object or a list"),
        ("a.json", "{}", "`motion_curve`, `keyframes` or both"),
        ("a.json", '{"motion_curve": [1]}', "per second"),
        ("a.json", '{"motion_curve": [1, NaN], "fps": 24}', "got nan as value 1 of motion"),
        ("a.json", '{"motion_curve": ["x"], "fps": 24}', "must hold numbers"),
        ("a.json", '{"motion_curve": [], "fps": 24}', "at least one number"),
        ("a.csv", "0,1\n1,2\n", "columns second, motion, keyframe"),
        ("a.csv", "", "columns second"),
        ("a.csv", "second,motion\n0,1\n1,2\n1.5,2\n", "at equal distances"),
        ("a.csv", "second,motion\n0\n1\n", "must hold numbers"),
    ],
)
def test_files_that_cannot_be(tmp_path, name, text, words):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        read_curve_file(tmp_path / name)
