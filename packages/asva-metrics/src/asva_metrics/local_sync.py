"""Local sync: how well any part of the picture changes in time with the sound, against the same sound shifted."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from asva_metrics.arrays import check_positive
from asva_metrics.audio_events import GROWTH_RATE, LEAD, sound_growth
from asva_metrics.shift_profile import ShiftProfile, profile_of_scores
from asva_metrics.video_events import local_changes

RATE = 50
"""Values per second at which picture and sound meet."""
BLUR_SECONDS = TOLERANCE = 0.04
LEAST_CHANGE = 4 / 255
"""Share of full scale by which some cell must change from frame to frame; below, a still picture's codec flickers."""
BEST_SHARE = 0.1
"""Share of the cells that speaks for the picture: what makes a sound is small."""


def local_sync(waveform: Any, sample_rate: int, frames: Any, fps: float) -> ShiftProfile:
    """Shift profile of a clip; its ``excess`` is the score of synchronization.

    For each cell of the picture, the correlation of its change (`local_changes`) with the growth of the sound
    (`sound_growth`) at each circular shift, both blurred by 40 ms; the mean over the best tenth of the cells at each
    shift. The sound may be off by 40 ms. Constants were chosen on half of a set of real clips, see the benchmarks. No
    weights, no training.

    Args:
        waveform: (s,) or (c, s) sound, array or tensor; what is longer than the picture is left out.
        sample_rate: Its rate in hertz.
        frames: (t, h, w, 3) uint8 RGB of at least one second.
        fps: Frames per second.

    Returns:
        The profile, scores in [-1, 1]; nan figures, with the reason, for a silent sound or a still picture.

    Raises:
        ValueError: As `local_changes` and `sound_growth`, or if the rate is not positive or the clip too short.
    """
    return local_sync_profile(sound_growth(waveform, sample_rate), local_changes(frames), fps)


def local_sync_profile(growth: np.ndarray, changes: np.ndarray, fps: float) -> ShiftProfile:
    """`local_sync` of `sound_growth` (n,) and `local_changes` (t - 1, cells), which may be measured once and stored."""
    check_positive(fps, "fps")
    seconds = min((len(changes) + 1) / fps, len(growth) / GROWTH_RATE)
    if seconds < 1:
        raise ValueError(f"`frames` and `waveform` must share at least 1 s, got {seconds:g} s.")
    times = np.arange(int(seconds * RATE)) / RATE
    middles = (np.arange(len(changes)) + 0.5) / fps
    changes = np.asarray(changes, np.float64)
    changes = changes * (not stands_still(changes))
    motion = _about_zero(np.stack([np.interp(times, middles, cell) for cell in changes.T]))
    # Growth is averaged over each step, so that none of it falls between two values.
    total = np.concatenate(([0.0], np.cumsum(growth)))
    edges = np.append(times, times[-1] + 1 / RATE) - 0.5 / RATE - LEAD
    onset = np.diff(np.interp(edges * GROWTH_RATE, np.arange(len(total)), total))
    scores = _correlations(_about_zero(onset), motion)
    best = np.sort(scores, axis=0)[-max(1, int(BEST_SHARE * len(scores))) :].mean(axis=0)
    shifts = (np.arange(len(best)) + len(best) // 2) % len(best) - len(best) // 2
    order = np.argsort(shifts)
    return profile_of_scores(shifts[order] / RATE, best[order], tolerance=TOLERANCE)


def stands_still(changes: np.ndarray) -> bool:
    """Whether `local_changes` (t - 1, cells) show no more than the flicker of a still picture's codec."""
    return bool(np.square(changes, dtype=np.float64).max() < LEAST_CHANGE)


def _about_zero(curves: np.ndarray) -> np.ndarray:
    """Blurred curves with mean 0 and length 1; a constant one stays 0."""
    curves = gaussian_filter1d(curves, BLUR_SECONDS * RATE, axis=-1, mode="wrap")
    curves = curves - curves.mean(axis=-1, keepdims=True)
    return curves / np.maximum(np.linalg.norm(curves, axis=-1, keepdims=True), 1e-6)


def _correlations(sound: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """(n,) and (cells, n) -> (cells, n): value k with the sound moved k steps later, circularly."""
    product = np.fft.rfft(motion) * np.conj(np.fft.rfft(sound))
    return np.fft.irfft(product, n=motion.shape[-1])
