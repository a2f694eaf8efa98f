"""A score from a judge of frames and sound: what it is given, and what it says where the judge is silent."""

import numpy as np
import pytest

from asva_curate import Excerpt, FitScore, Plan, measure


def excerpt(times, seconds=2.0, sound=2.0):
    frames = np.arange(len(times), dtype=np.uint8)[:, None, None, None] + np.zeros((1, 4, 4, 3), np.uint8)
    waveform = None if sound is None else np.zeros((1, round(sound * 100)), np.float32)
    known = {"path": "", "label": "", "start": 0.0, "seconds": seconds, "frames": frames, "times": np.array(times)}
    return Excerpt(**known, waveform=waveform, sample_rate=None if sound is None else 100)


def test_an_even_rate_is_passed_on_as_it_is():
    seen = []
    FitScore(lambda *clip: seen.append(clip) or 1.0)(excerpt(np.arange(20) / 10))
    ((frames, fps, waveform, rate),) = seen
    assert frames[:, 0, 0, 0].tolist() == list(range(20))
    assert (fps, waveform.shape, rate) == (pytest.approx(10), (1, 200), 100)


def test_a_varying_rate_is_put_on_a_grid():
    seen = []
    times = [*np.arange(10) / 10, *(1 + np.arange(5) / 5)]
    FitScore(lambda *clip: seen.append(clip) or 1.0)(excerpt(times))
    frames, fps = seen[0][:2]
    shown = frames[:, 0, 0, 0]
    places = np.arange(len(shown)) / fps
    late = places + 0.25 / fps - np.array(times)[shown]
    assert (late >= 0).all() and late.max() < 0.2 + 0.5 / fps


@pytest.mark.parametrize(
    "short", [excerpt([0.0]), excerpt([0, 0.5]), excerpt(np.arange(20) / 10, sound=0.5), excerpt([0, 1.5], sound=None)]
)
def test_where_there_is_too_little_nothing_is_asked(short):
    assert FitScore(lambda *clip: 1 / 0, neutral=-1.0)(short) == -1.0


def test_no_opinion_is_neutral():
    assert FitScore(lambda *clip: float("nan"))(excerpt(np.arange(20) / 10)) == 0.0


def test_it_is_a_curve_of_a_measured_file(media, tmp_path):
    path = media.write_media(tmp_path / "a.mp4", num_frames=72, seconds=3.0)
    score = FitScore(lambda frames, fps, waveform, rate: len(frames) + waveform.shape[-1] / 1e6)
    curve = measure(path, scores={"fit": score}, plan=Plan(excerpt_fps=30)).curves["fit"]
    assert curve.begins.tolist() == [0.0, 0.5, 1.0]
    assert curve.values == pytest.approx([48.032] * 3)
