"""Onsets of a sound: where its mel spectrum grows, equal to librosa's defaults, which AV-Align takes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from asva_metrics.arrays import sound

SAMPLE_RATE = 22050
"""Hertz that librosa resamples to as it comes, and that the published onsets were found at."""
WINDOW, HOP, NUM_MELS = 2048, 512, 128
SMALLEST_POWER, DYNAMIC_RANGE = 1e-10, 80.0
DELTA = 0.07
"""How far a peak must stand above the local mean of the envelope, whose range is 0 to 1."""


def onset_strength(waveform: Any, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Mean growth of the mel bands in decibels, one value every 512 samples (``librosa.onset.onset_strength``).

    Args:
        waveform: (s,) or (c, s) sound, array or tensor; channels are averaged.
        sample_rate: Its rate in hertz; other rates than 22050 are resampled first, with ``asva_audio.resample``
            (librosa takes soxr, which differs in the last bits).

    Returns:
        (1 + s' // 512,) float32 decibels, s' samples at 22050 Hz.

    Raises:
        ValueError: If the sound is empty, not finite or of another shape.
    """
    samples = _mono(waveform, sample_rate)
    levels = _decibels(_mel_filters() @ _power(samples))
    growth = np.maximum(levels[:, 1:] - levels[:, :-1], 0).mean(axis=0)
    # One value is lost to the difference, and a window reaches half its length ahead.
    return np.pad(growth, (1 + WINDOW // (2 * HOP), 0))[: levels.shape[1]]


def onset_frames(envelope: Any) -> np.ndarray:
    """Peaks of an onset envelope (``librosa.onset.onset_detect`` as it comes, at 22050 Hz).

    A peak is the largest value from one before to itself, lies 0.07 of the range above the mean from four before to
    four after, and is at least two values after the last peak.

    Args:
        envelope: (n,) see `onset_strength`.

    Returns:
        Positions, int64; none in a constant envelope.
    """
    values = np.asarray(envelope)
    values = values - values.min(initial=np.inf)
    top = values.max(initial=0.0)
    if len(values) == 0 or top == 0 or not np.isfinite(top):
        return np.empty(0, dtype=np.int64)
    values = values / (top + np.finfo(values.dtype).tiny)
    found, position = [], 0
    while position < len(values):
        near = values[max(0, position - 1) : position + 1]
        around = values[max(0, position - 4) : position + 5]
        if values[position] == near.max() and values[position] >= around.mean() + DELTA:
            found.append(position)
            position += 1
        position += 1
    return np.asarray(found, dtype=np.int64)


def onset_times(waveform: Any, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Seconds of the onsets of a sound, the audio peaks of AV-Align; see `onset_strength` and `onset_frames`."""
    return onset_frames(onset_strength(waveform, sample_rate)) * HOP / SAMPLE_RATE


def _mono(waveform: Any, sample_rate: int) -> np.ndarray:
    values = sound(waveform, dtype=np.float32)
    values = values.mean(axis=0) if values.ndim == 2 else values
    if sample_rate == SAMPLE_RATE:
        return values
    import torch

    from asva_audio import resample

    return resample(torch.from_numpy(values), sample_rate, SAMPLE_RATE).numpy()


def _power(samples: np.ndarray) -> np.ndarray:
    """(bins, frames) power of Hann windows centred on every 512th sample, silence beyond the ends.

    Windowed and transformed in float64, cast to float32, as librosa does: the envelope is equal to the last bit or two.
    """
    padded = np.pad(samples, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    return np.abs(np.fft.rfft(frames * window, axis=1).astype(np.complex64)).T ** 2


def _decibels(power: np.ndarray) -> np.ndarray:
    levels = 10 * np.log10(np.maximum(power, np.float32(SMALLEST_POWER)))
    return np.maximum(levels, levels.max() - np.float32(DYNAMIC_RANGE))


@lru_cache(maxsize=1)
def _mel_filters() -> np.ndarray:
    """(128, bins) float32 triangles of equal area from 0 Hz to half the rate, on Slaney's scale."""
    edges = _from_mel(np.linspace(0.0, _to_mel(SAMPLE_RATE / 2), NUM_MELS + 2))
    distance = edges[:, None] - np.linspace(0, SAMPLE_RATE / 2, WINDOW // 2 + 1)
    width = np.diff(edges)[:, None]
    triangles = np.maximum(0, np.minimum(-distance[:-2] / width[:-1], distance[2:] / width[1:])).astype(np.float32)
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


# Slaney's scale: linear below 1000 Hz, 15 mel; 27 mel to the factor 6.4 above.
def _to_mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def _from_mel(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
