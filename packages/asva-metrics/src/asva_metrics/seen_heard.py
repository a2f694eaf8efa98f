"""Moments that can be heard in a sound and seen in frames, found without knowing what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.signal import find_peaks, peak_prominences

from asva_metrics.onsets import HOP, SAMPLE_RATE, onset_strength

QUIETEST = 1e-4
"""Largest amplitude (-80 dB) of a sound that counts as silent."""
NOISE = 4.0
"""How many times the usual height of a curve a peak must stand out from it."""


def heard_events(
    waveform: Any, sample_rate: int, *, prominence: float = 0.25, level: float = -35.0, min_gap: float = 0.1
) -> np.ndarray:
    """Times at which something begins to sound.

    A moment counts where the growth of the spectrum (`onset_strength`) peaks, the peak stands out by ``prominence`` of
    the clip's largest one and by four times the curve's median distance from its median, and the sound within 0.1 s
    comes within ``level`` of the clip's loudest. So hiss and the flutter of a quiet track give no events, while a soft
    knock in silence is one.

    Args:
        waveform: (s,) or (c, s) sound, array or tensor.
        sample_rate: Its rate in hertz.
        prominence: Share of the largest peak, 0 to 1.
        level: Decibels relative to the loudest 46 ms.
        min_gap: Least seconds between two events; of two nearer ones the stronger stays.

    Returns:
        Times in seconds, rising, to a fraction of the 23 ms between two values of the curve; none in silence.

    Raises:
        ValueError: If the sound is empty, not finite or of another shape, or an argument is out of its range.
    """
    _check_share(prominence, min_gap)
    curve = onset_strength(waveform, sample_rate)
    samples = np.asarray(waveform.detach().cpu() if hasattr(waveform, "detach") else waveform, dtype=np.float64)
    if np.abs(samples).max() < QUIETEST:
        return np.empty(0)
    times = _prominent(curve, SAMPLE_RATE / HOP, prominence, min_gap)
    loudness = _loudness(np.atleast_2d(samples).mean(axis=0), sample_rate)
    near = [loudness[max(0, int(t * 100) - 2) : int(t * 100) + 10].max(initial=-np.inf) for t in times]
    return times[np.asarray(near, dtype=np.float64) >= level]


def motion_change(frames: Any) -> np.ndarray:
    """How much the motion of the picture changes at each frame: speeding up, stopping dead, turning back.

    The mean over the picture of ``|flow(t, t+1) - flow(t-1, t)|`` in thousandths of its width: a bounce, a strike that
    stops and a jump from rest all peak here, where the amount of motion shows a plateau, an edge or nothing. The
    frames are measured at 128 pixels (the shorter side), so that it does not depend on the resolution.

    Args:
        frames: (t, h, w, 3) uint8 RGB, t of at least 2.

    Returns:
        (t,) float64; the first and the last frame have no change of motion and are 0.

    Raises:
        ValueError: If the frames are not a uint8 RGB video of two frames or more.
    """
    import cv2

    from asva_keyframe.flow import flow_pairs

    frames = np.asarray(frames)
    if frames.ndim == 4 and 0 not in frames.shape:
        scale = 128 / min(frames.shape[1:3])
        size = (round(frames.shape[2] * scale), round(frames.shape[1] * scale))
        frames = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
    changes, before = [0.0], None
    for flow in flow_pairs(frames, "dis", preset="fast"):
        if before is not None:
            changes.append(1000 / frames.shape[2] * float(np.hypot(*(flow - before)).mean()))
        before = flow
    return np.asarray([*changes, 0.0])


def seen_events(
    curve: ArrayLike, fps: float, *, prominence: float = 0.25, floor: float = 0.2, min_gap: float = 0.1
) -> np.ndarray:
    """Times at which the motion of a clip peaks or changes.

    Args:
        curve: (t,) from `motion_change`, or any other curve with one value per frame.
        fps: Frames per second.
        prominence: Share of the largest peak by which another must stand out, 0 to 1.
        floor: Height below which nothing counts as seen, in the curve's unit: what the noise of a still camera gives.
        min_gap: Least seconds between two events; of two nearer ones the stronger stays.

    Returns:
        Times in seconds, rising, to a fraction of a frame; none in a still picture.

    Raises:
        ValueError: If the curve is not finite with shape (t,), the rate not positive or an argument out of its range.
    """
    _check_share(prominence, min_gap)
    values = np.asarray(curve, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"`curve` must be finite with shape (t,), got {values.shape}.")
    if not 0 < fps < np.inf:
        raise ValueError(f"`fps` must be positive, got {fps}.")
    return _prominent(values, fps, prominence, min_gap, floor)


def _prominent(curve: np.ndarray, rate: float, share: float, min_gap: float, floor: float = 0.0) -> np.ndarray:
    """Times of the peaks that stand out, interpolated between samples by a parabola."""
    if len(curve) < 3 or np.ptp(curve) == 0:
        return np.empty(0)
    median = np.median(curve)
    noise = NOISE * np.median(np.abs(curve - median))
    # The ends count as peaks too if the curve falls from them: beyond them there is nothing.
    padded = np.pad(curve, 1, constant_values=min(curve.min(), 0))
    peaks, _ = find_peaks(padded, distance=max(1, round(min_gap * rate)))
    heights = peak_prominences(padded, peaks)[0]
    kept = peaks[(heights >= share * heights.max(initial=0)) & (heights >= noise) & (padded[peaks] >= floor)]
    low, top, high = padded[kept - 1], padded[kept], padded[kept + 1]
    bend = low - 2 * top + high
    return (kept - 1 + np.where(bend < 0, 0.5 * (low - high) / np.where(bend < 0, bend, 1), 0.0)) / rate


def _loudness(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Decibels below the loudest 46 ms, every 10 ms."""
    window = max(1, round(0.046 * sample_rate))
    power = np.convolve(samples**2, np.ones(window) / window, "same")[:: max(1, round(sample_rate / 100))]
    return 10 * np.log10(np.maximum(power, 1e-12) / max(power.max(), 1e-12))


def _check_share(prominence: float, min_gap: float) -> None:
    if not 0 <= prominence <= 1:
        raise ValueError(f"`prominence` must lie between 0 and 1, got {prominence}.")
    if not min_gap >= 0:
        raise ValueError(f"`min_gap` must be at least 0 seconds, got {min_gap}.")


def sound_envelope(waveform: Any, sample_rate: int, fps: float, num_frames: int) -> np.ndarray:
    """How much begins to sound at each frame: `onset_strength`, weighed around the time of each frame.

    Args:
        waveform: (s,) or (c, s) sound, array or tensor.
        sample_rate: Its rate in hertz.
        fps: Frames per second.
        num_frames: Frames wanted; beyond the end of the sound there is none.

    Returns:
        (num_frames,) float64 decibels.

    Raises:
        ValueError: If the sound is empty, not finite or of another shape, or the rate not positive.
    """
    if not 0 < fps < np.inf:
        raise ValueError(f"`fps` must be positive, got {fps}.")
    curve = np.asarray(onset_strength(waveform, sample_rate), dtype=np.float64)
    distance = np.arange(num_frames)[:, None] / fps - np.arange(len(curve)) * HOP / SAMPLE_RATE
    weights = np.maximum(0.0, 1.0 - np.abs(distance) / max(1 / fps, HOP / SAMPLE_RATE))
    return weights @ curve / np.maximum(weights.sum(axis=1), 1e-9)
