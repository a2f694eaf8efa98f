"""Keyframes at given times."""

import numpy as np
import pytest

from asva_keyframe import keyframes_from_times


def test_every_frame_time_names_its_frame():
    for fps in (6, 24, 25, 29.97, 30):
        times = np.arange(48) / fps
        assert keyframes_from_times(times, 48, fps).tolist() == list(range(48))


def test_first_frame_is_added():
    assert keyframes_from_times([0.5, 1.0], 48, 24).tolist() == [0, 12, 24]
    assert keyframes_from_times([0.0, 1.0], 48, 24).tolist() == [0, 24]


def test_last_moment_is_the_last_frame():
    assert keyframes_from_times([1.9999], 48, 24).tolist() == [0, 47]


def test_filled_to_a_number():
    chosen = keyframes_from_times([0.2, 0.9], 48, 24, num_keyframes=12)
    assert {0, 5, 22} <= set(chosen.tolist())
    assert len(set(chosen.tolist())) == 12


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0.9, 0.2], "`times` must be sorted, got 0.9 s before 0.2 s"),
        ([0.2, 2.0], "`times` must lie between 0 and 2 s .* got 2 s"),
        ([-0.1, 0.2], "`times` must lie between 0 and 2 s .* got -0.1 s"),
        ([0.2, float("nan")], "`times` must lie between .* got nan s"),
        ([0.5, 0.5], "`times` must name different frames"),
        ([0.5, 0.51], "`times` must name different frames"),
        ([], "`times` must be a list of at least one time"),
    ],
)
def test_bad_times(times, message):
    with pytest.raises(ValueError, match=message):
        keyframes_from_times(times, 48, 24)


def test_too_many_times():
    with pytest.raises(ValueError, match="at most 3 keyframes"):
        keyframes_from_times([0.1, 0.5, 0.9], 48, 24, num_keyframes=3)
