"""Loudness of a sound at each video frame, the baseline that a motion localizer has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np


def loudness_envelope(
    waveform: Any, num_frames: int = 48, *, decibels: bool = False, floor: float = -60.0
) -> np.ndarray:
    """Root mean square of the sound during each of `num_frames` equal stretches.

    Args:
        waveform: (s,) or (c, s) sound of the clip, array or tensor, at least one sample per frame.
        num_frames: Values wanted.
        decibels: Return decibels below full scale instead.
        floor: Least value in decibels.

    Returns:
        (num_frames,) float64, at least 0 (or `floor`).

    Raises:
        ValueError: If the sound is shorter than `num_frames` samples or not finite.

    Example:
        >>> loudness_envelope([0.0, 0.0, 0.5, -0.5], 2).tolist()
        [0.0, 0.5]
    """
    samples = np.asarray(waveform.detach().cpu() if hasattr(waveform, "detach") else waveform, dtype=np.float64)
    if samples.ndim not in (1, 2) or samples.shape[-1] < num_frames:
        raise ValueError(f"`waveform` must have at least {num_frames} samples as (s,) or (c, s), got {samples.shape}.")
    if not np.isfinite(samples).all():
        raise ValueError("`waveform` must be finite, got NaN or infinity.")
    power = np.atleast_2d(samples**2).mean(axis=0)
    edges = np.arange(num_frames + 1) * len(power) // num_frames
    rms = np.sqrt(np.add.reduceat(power, edges[:-1]) / np.diff(edges))
    return np.maximum(20 * np.log10(np.maximum(rms, 1e-12)), floor) if decibels else rms
