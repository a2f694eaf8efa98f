"""Windows over clips of any length."""

import pytest
import torch

from asva_dit import plan_windows

LENGTHS = range(1, 1440)  # below a minute at 24 frames a second


def test_no_length_loses_or_gains_a_frame():
    for length in LENGTHS:
        plan = plan_windows(length)
        assert (plan.kept_frames, plan.lost_frames) == (length, 0)
        frames = torch.arange(plan.padded_frames)
        assert torch.equal(plan.join([frames[start:stop] for start, stop in plan.windows]), torch.arange(length))
        assert plan.padded_frames - length < 49
        assert len(plan.windows) == 1 or plan.windows[-2][1] < length  # no window that is not needed


def test_the_published_planner_loses_the_end_of_638_lengths():
    lost = [plan_windows(length, planner="official").lost_frames for length in LENGTHS]
    assert sum(frames > 0 for frames in lost) == 638
    assert [plan_windows(24 * s, planner="official").lost_frames for s in (4, 10, 20)] == [3, 15, 35]


@pytest.mark.parametrize(("window", "overlap"), [(9, 1), (13, 5), (5, 0), (49, 45)])
def test_other_windows_cover_every_frame(window, overlap):
    for length in range(1, 200):
        plan = plan_windows(length, window, overlap)
        frames = torch.arange(plan.padded_frames)
        assert torch.equal(plan.join([frames[start:stop] for start, stop in plan.windows]), torch.arange(length))
        assert all(stop - start == window for start, stop in plan.windows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_frames": 0}, "`num_frames` must be at least 1"),
        ({"num_frames": 10, "window": 48}, r"`window` must be 4k \+ 1"),
        ({"num_frames": 10, "overlap": 4}, r"`overlap` must be 0 or 4k \+ 1"),
        ({"num_frames": 10, "overlap": 49}, "`overlap` must be 0 or"),
        ({"num_frames": 10, "planner": "best"}, "`planner` must be one of"),
        ({"num_frames": 10, "window": 9, "planner": "official"}, "`planner` must be 'exact' for other windows"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        plan_windows(**arguments)


def test_a_missing_segment_is_an_error():
    with pytest.raises(ValueError, match=r"`segments` must hold windows of \[49, 49\] frames, got \[49\]"):
        plan_windows(60).join([torch.zeros(49, 3)])
