"""Mel cepstral coefficients of speech, equal to python_speech_features' defaults, which SyncNet takes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.fft import dct

from asva_metrics.arrays import to_numpy

RATE, WINDOW, STEP, BINS = 16000, 400, 160, 512
NUM_MELS, NUM_COEFFICIENTS, LIFTER, PRE_EMPHASIS = 26, 13, 22, 0.97


def speech_mfcc(samples: Any) -> np.ndarray:
    """13 coefficients every 10 ms of sound at 16 kHz; the first one is the log energy.

    Args:
        samples: (s,) int16 sound, or float in [-1, 1], which is scaled to int16 first; array or tensor.

    Returns:
        (13, frames) float64, frames = 1 + ceil((s - 400) / 160); the end is filled with zeros.

    Raises:
        ValueError: If the sound is empty, not finite or of another shape.
    """
    values = to_numpy(samples, None)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"`samples` must be finite sound of shape (s,), got {values.shape}.")
    if values.dtype.kind == "f":
        values = np.round(values.clip(-1, 1) * 32767)
    sound = values.astype(np.float64)
    sound = np.append(sound[:1], sound[1:] - PRE_EMPHASIS * sound[:-1])
    count = 1 + max(0, -(-(len(sound) - WINDOW) // STEP))
    sound = np.pad(sound, (0, max(0, (count - 1) * STEP + WINDOW - len(sound))))
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::STEP][:count]
    power = np.abs(np.fft.rfft(frames, BINS, axis=1)) ** 2 / BINS
    floor = np.finfo(np.float64).eps
    energy, bands = power.sum(axis=1), power @ _filters().T
    energy, bands = (np.where(x == 0, floor, x) for x in (energy, bands))
    cepstrum = dct(np.log(bands), type=2, axis=1, norm="ortho")[:, :NUM_COEFFICIENTS]
    cepstrum *= 1 + LIFTER / 2 * np.sin(np.pi * np.arange(NUM_COEFFICIENTS) / LIFTER)
    cepstrum[:, 0] = np.log(energy)
    return cepstrum.T


@lru_cache(maxsize=1)
def _filters() -> np.ndarray:
    """(26, 257) triangles whose corners lie on bins, evenly on the mel scale from 0 Hz to half the rate."""
    mels = np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), NUM_MELS + 2)
    corners = np.floor((BINS + 1) * 700 * (10 ** (mels / 2595) - 1) / RATE)
    bins = np.arange(BINS // 2 + 1)
    left, middle, right = (corners[i : NUM_MELS + i, None] for i in range(3))
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    return np.where((bins >= left) & (bins < middle), rising, np.where((bins >= middle) & (bins < right), falling, 0))
