"""Lengths to the frame and windows without gaps, for every method and rate."""

from fractions import Fraction

import numpy as np
import pytest

from asva_interp import count_frames, make_clip_plan
from asva_pipelines import METHODS

RATES = (6, 12, 24, 25, 29.97)
# (frames at once, frames per second) of each method's released or bundled size; the rest are as AVSyncD.
SIZES = {"keyvid": (48, 24), "audio-window": (12, 6), "dynamicrafter": (16, 8), "mtv": (49, 24)}
DURATIONS = np.unique(np.round(np.geomspace(0.3, 30, 300), 3))


def mtv_windows(frames):
    from asva_dit import plan_windows

    return plan_windows(frames).windows


def plan(method, duration, fps, **more):
    size, native = SIZES.get(method, (12, 6))
    more |= {"cover": mtv_windows} if method == "mtv" else {"overlaps": (1, size // 3)}
    return make_clip_plan(duration, fps, native_fps=native, window_size=size, **more)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_length_to_the_frame(method, fps):
    exact = Fraction(30000, 1001) if fps == 29.97 else Fraction(fps)
    assert len(DURATIONS) == 300
    for duration in DURATIONS:
        made = plan(method, float(duration), fps)
        assert abs(made.num_frames - duration * exact) <= 0.5, "the nearest whole number of frames"
        assert made.duration == made.num_frames / exact, "sound and picture end together"
        keeps = [window.keep for window in made.windows]
        assert [0, *[end for _, end in keeps]] == [*[begin for begin, _ in keeps], made.native_frames]
        for window in made.windows:
            assert window.start <= window.keep[0] < window.keep[1] <= window.start + made.window_size
        for before, after in zip(made.windows[:-1], made.windows[1:], strict=True):
            assert before.start < after.start < before.start + made.window_size, "a window starts from one before it"


@pytest.mark.parametrize("resampling", ["nearest", "blend"])
@pytest.mark.parametrize("fps", [*RATES, 60, 0.5])
def test_pictures_stay_at_their_times(fps, resampling):
    for duration in (0.3, 1.0, 2.71, 5.0):
        made = plan("keyvid", duration, fps, resampling=resampling)
        ramp = (np.full((1, 1, 1), index, np.float64) for index in range(made.native_frames))
        shown = np.array([frame.item() for frame in made.resample(ramp)])
        times = np.arange(made.num_frames) / float(made.fps)
        assert len(shown) == made.num_frames
        assert np.abs(shown / 24 - times).max() <= 0.5 / 24 + 1e-9
        assert (np.diff(shown) >= 0).all()


def test_own_rate_changes_nothing():
    made = plan("keyvid", 3.0, 24)
    frames = [np.full((2, 2, 3), index, np.uint8) for index in range(72)]
    assert all(shown is frame for shown, frame in zip(made.resample(frames), frames, strict=True))


def test_windows_start_where_it_is_calm():
    unrest = np.ones(200)
    unrest[[40, 75, 110]] = 0
    starts = [window.start for window in plan("keyvid", 6.0, 24, unrest=unrest).windows]
    assert starts == [0, 40, 75, 110]
    assert [window.start for window in plan("keyvid", 6.0, 24).windows] == [0, 47, 94, 141]


def test_something_new_begins_with_a_window():
    made = plan("keyvid", 6.0, 24, borders=(30, 100, 500))
    assert {30, 100} <= {window.keep[0] for window in made.windows}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0.0, 24), "`duration` must be a positive"),
        ((-1.0, 24), "`duration` must be a positive"),
        ((float("nan"), 24), "`duration` must be a positive"),
        ((1e9, 24), "at most 10000000 frames"),
    ],
)
def test_lengths_that_cannot_be(arguments, words):
    with pytest.raises(ValueError, match=words):
        count_frames(*arguments)


def test_plans_that_cannot_be():
    with pytest.raises(ValueError, match="`overlaps` must rise"):
        make_clip_plan(1.0, 24, native_fps=24, window_size=12, overlaps=(0, 4))
    with pytest.raises(ValueError, match="`overlaps` must rise"):
        make_clip_plan(1.0, 24, native_fps=24, window_size=12, overlaps=(1, 12))
    with pytest.raises(ValueError, match="`resampling` must be one of nearest, blend, got faster"):
        make_clip_plan(1.0, 24, native_fps=24, window_size=12, resampling="faster")
