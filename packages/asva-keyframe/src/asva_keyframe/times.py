"""Keyframes at times that the user gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asva_keyframe.spread import spread_evenly


def keyframes_from_times(
    times: Sequence[float], num_frames: int = 48, fps: float = 24.0, *, num_keyframes: int | None = None
) -> np.ndarray:
    """Frames nearest to the given times.

    Frame 0 is always a keyframe, because the given picture is it: where the times do not name it, it is added.

    Args:
        times: Seconds from the start of the clip, ascending, each in [0, num_frames / fps).
        num_frames: Length of the clip.
        fps: Frames per second.
        num_keyframes: If given, frames are added where the spacing is widest until there are so many.

    Returns:
        (k,) int64 indices, sorted, each once, the first of them 0.

    Raises:
        ValueError: If a time is not a number, out of range or unsorted, two of them name one frame, or they are more
            than `num_keyframes`.

    Example:
        >>> keyframes_from_times([0.2, 0.9]).tolist()
        [0, 5, 22]
    """
    seconds = _check_times(times, num_frames / fps)
    indices = np.minimum(np.floor(seconds * fps + 0.5), num_frames - 1).astype(np.int64)
    repeated = np.flatnonzero(np.diff(indices) == 0)
    if len(repeated) > 0:
        first, second = seconds[repeated[0] : repeated[0] + 2]
        raise ValueError(
            f"`times` must name different frames, got {first:g} s and {second:g} s, both frame {indices[repeated[0]]} "
            f"at {fps:g} frames per second. Leave one out."
        )
    indices = np.union1d([0], indices).astype(np.int64)
    if num_keyframes is None:
        return indices
    if not len(indices) <= num_keyframes <= num_frames:
        raise ValueError(
            f"`times` must give at most {num_keyframes} keyframes with frame 0 among them, got {len(indices)}. "
            "Leave some out."
        )
    return spread_evenly(indices, num_frames, num_keyframes)


def _check_times(times: Sequence[float], duration: float) -> np.ndarray:
    seconds = np.asarray(times, dtype=np.float64)
    if seconds.ndim != 1 or seconds.size == 0:
        raise ValueError(f"`times` must be a list of at least one time in seconds, got shape {seconds.shape}.")
    wrong = seconds[~((seconds >= 0) & (seconds < duration))]
    if len(wrong) > 0:
        raise ValueError(f"`times` must lie between 0 and {duration:g} s (the clip's end), got {wrong[0]:g} s.")
    falling = np.flatnonzero(np.diff(seconds) < 0)
    if len(falling) > 0:
        first, second = seconds[falling[0] : falling[0] + 2]
        raise ValueError(f"`times` must be sorted, got {first:g} s before {second:g} s. Sort them.")
    return seconds
