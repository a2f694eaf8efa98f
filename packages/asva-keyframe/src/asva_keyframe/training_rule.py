"""Frames of a training clip: the selection rules of the original's datasets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from asva_keyframe.draws import Draws, OfficialDraws, as_draws
from asva_keyframe.keypoints import Keypoints, check_curve, find_keypoints
from asva_keyframe.spread import inner_points

CONDITION_FPS = 24
"""Frame rate in which the networks count frame indices."""


@dataclass(frozen=True)
class TrainingFrames:
    """Frames to read from a recording and what the network is told about them.

    Attributes:
        frame_indices: (k,) int64 frames of the recording, counted in its own frame rate. May repeat a frame.
        condition_indices: (k,) int64 the same frames from the window's start, counted at 24 frames per second.
        frame_strides: (k,) float64 distances in `condition_indices`.
        fps: The frame rate given to the network as a condition.
    """

    frame_indices: np.ndarray
    condition_indices: np.ndarray
    frame_strides: np.ndarray
    fps: int


def training_frames(
    curve: ArrayLike,
    num_keyframes: int = 12,
    *,
    fps: float = 24.0,
    start: int = 0,
    duration: float = 2.0,
    generator: np.random.Generator | OfficialDraws | int | None = None,
) -> TrainingFrames:
    """Keyframes of one training window, as the original's dataset picks them.

    Peaks stay in drawing order, so "between neighbours" means between randomly paired peaks; a pair without a valley
    gives its midpoint. Missing frames are shared out by interval length and placed at rounded-down positions, which may
    name a frame twice in a crowded interval: the result is what the original trains on. `select_keyframes` with
    ``rule="training"`` gives the same frames with repetitions replaced.

    Args:
        curve: (t,) motion scores of the whole recording in its own frame rate.
        num_keyframes: How many frames.
        fps: Frame rate of the recording.
        start: First frame of the window.
        duration: Length of the window in seconds.
        generator: Source of randomness; None is seed 0.

    Returns:
        Frames and conditions.

    Raises:
        ValueError: If the curve is not finite or the window does not lie in it.
    """
    values = check_curve(curve)
    num_frames = window_length(len(values), fps=fps, start=start, duration=duration)
    keypoints = find_keypoints(values, taps=5).window(start, num_frames)
    spacing = round(fps * duration / num_keyframes)
    chosen = training_keyframes(keypoints, num_frames, num_keyframes, spacing, as_draws(generator))
    condition = np.round(chosen * CONDITION_FPS / fps).astype(np.int64)
    strides = np.diff(condition).astype(np.float64)
    strides = np.concatenate([strides[:1], strides])
    return TrainingFrames(chosen + start, condition, strides, _mean_fps(fps, strides))


def uniform_training_frames(
    num_frames: int = 12, *, fps: float = 24.0, start: int = 0, duration: float = 2.0, stride: int = 1
) -> TrainingFrames:
    """Neighbouring frames from the window's start, the original's alternative to keyframes.

    The generator's dataset takes stride 1; the interpolator's draws 1 or 2.

    Args:
        num_frames: How many frames.
        fps: Frame rate of the recording.
        start: First frame of the window.
        duration: Length of the window in seconds; a stride that would leave it is shortened.
        stride: Frames from one to the next.

    Returns:
        Frames and conditions.
    """
    length = round(fps * duration)
    step = stride if stride * num_frames < length else length / num_frames
    chosen = (np.arange(num_frames) * step).astype(np.int64)
    condition = (chosen * CONDITION_FPS / fps).astype(np.int64)
    strides = np.diff(condition).astype(np.float64)
    strides = np.insert(strides, -1, strides[-1])
    return TrainingFrames(chosen + start, condition, strides, _mean_fps(fps, strides[1:]))


def keyframe_mask(condition_indices: np.ndarray, keyframe_indices: np.ndarray) -> np.ndarray:
    """Which frames of an interpolator's training clip count as known keyframes.

    Args:
        condition_indices: (k,) the clip's frames (`TrainingFrames.condition_indices`).
        keyframe_indices: Keyframes drawn for the same window, counted likewise.

    Returns:
        (k,) bool; with fewer than two keyframes in the clip its first and last frame are known.
    """
    mask = np.isin(condition_indices, keyframe_indices)
    if mask.sum() <= 1:
        mask[[0, -1]] = True
    return mask


def window_length(curve_length: int, *, fps: float, start: int, duration: float | None) -> int:
    """Frames in a window of the curve; the curve of n frames may hold n or n - 1 values.

    Raises:
        ValueError: If the window does not lie inside.
    """
    if not fps > 0:
        raise ValueError(f"`fps` must be positive, got {fps}.")
    length = curve_length - start if duration is None else round(duration * fps)
    if start < 0 or length < 1 or start + length > curve_length + 1:
        raise ValueError(
            f"`start` and `duration` must name frames inside the curve of {curve_length} values, "
            f"got frames {start} to {start + length}."
        )
    return length


def training_keyframes(
    keypoints: Keypoints, num_frames: int, num_keyframes: int, spacing: int, draws: Draws
) -> np.ndarray:
    """The rule itself on one window's keypoints; see `training_frames`."""
    anchors = _anchors(keypoints, num_frames, num_keyframes, spacing, draws)
    missing = num_keyframes - len(anchors)
    if missing > 0:
        anchors = sorted(anchors + _padding(anchors, missing))
    return np.asarray(anchors[:num_keyframes], dtype=np.int64)


def _anchors(keypoints: Keypoints, num_frames: int, num_keyframes: int, spacing: int, draws: Draws) -> list[int]:
    peaks, valleys = keypoints.peaks, keypoints.valleys
    if len(peaks) == 0 or peaks.tolist() == [0]:
        return sorted({0, num_frames - spacing})
    drawn = draws.choose(peaks, min(num_keyframes // 2, len(peaks))).tolist()
    pairs = drawn if 0 in drawn else [0, *drawn]
    lows = []
    for first, second in pairwise(pairs):
        between = valleys[(valleys > first) & (valleys < second)]
        lows.append(draws.choose_one(between) if len(between) > 0 else (first + second) // 2)
    return sorted({*pairs, *lows, *valleys[-1:].tolist()})


def _padding(anchors: list[int], missing: int) -> list[int]:
    lengths = np.diff(anchors)
    shares = [missing * int(length) / int(lengths.sum()) for length in lengths]
    counts = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: counts[i] - shares[i])
    for i in by_remainder[: missing - sum(counts)]:
        counts[i] += 1
    return [p for i, count in enumerate(counts) for p in inner_points(anchors[i], anchors[i + 1], count)]


def _mean_fps(fps: float, strides: np.ndarray) -> int:
    return int(np.float32(np.mean([int(fps / max(stride, 1)) for stride in strides], dtype=np.float32)))
