"""Loudness of a sound at each video frame, the baseline that a motion localizer has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np

from asva_metrics.arrays import sound


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
    power = np.atleast_2d(sound(waveform, least=num_frames) ** 2).mean(axis=0)
    edges = np.arange(num_frames + 1) * len(power) // num_frames
    rms = np.sqrt(np.add.reduceat(power, edges[:-1]) / np.diff(edges))
    return np.maximum(20 * np.log10(np.maximum(rms, 1e-12)), floor) if decibels else rms
