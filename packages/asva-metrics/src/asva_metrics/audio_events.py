"""Audio events: when something begins to sound, by the growth of the spectrum every 5 ms."""

from __future__ import annotations

from typing import Any

import numpy as np

from asva_metrics.arrays import check_positive, sound
from asva_metrics.peaks import check_share, prominent_times

GROWTH_RATE = 200
"""Values of `sound_growth` per second."""
SPAN = 2
"""Values before and after a moment between which its growth is measured."""
WINDOW_SECONDS, NUM_BANDS, LOWEST_HERTZ, HIGHEST_HERTZ, RANGE_DB = 0.023, 24, 80.0, 8000.0, 60.0
LEAD = 0.008
"""Seconds by which the growth comes before the event: half a window sees what is not yet there."""
QUIETEST = 1e-4
"""Largest amplitude (-80 dB) of a sound that counts as silent."""


def sound_growth(waveform: Any, sample_rate: int) -> np.ndarray:
    """Mean growth of 24 bands of the sound within 20 ms, in decibels, 200 values a second.

    Finer in time than `onset_strength`, the onsets of AV-Align, which places a knock up to 50 ms late. Levels
    more than 60 dB below the loudest count as silence.

    Args:
        waveform: (s,) or (c, s) sound, array or tensor; channels are averaged.
        sample_rate: Its rate in hertz, at least 2000.

    Returns:
        (s * 200 // sample_rate,) float64 decibels, at least 0; zeros in silence.

    Raises:
        ValueError: If the sound is shorter than 50 ms, not finite or of another shape, or the rate too low.
    """
    samples = _mono(waveform, sample_rate)
    count = len(samples) * GROWTH_RATE // sample_rate
    if np.abs(samples).max() < QUIETEST:
        return np.zeros(count)
    size = 2 * round(WINDOW_SECONDS * sample_rate / 2)
    middles = np.round(np.arange(count) * sample_rate / GROWTH_RATE).astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(samples, size // 2), size)[middles]
    power = np.abs(np.fft.rfft(windows * np.hanning(size), axis=1)) ** 2
    edges = np.geomspace(LOWEST_HERTZ, min(HIGHEST_HERTZ, 0.47 * sample_rate), NUM_BANDS + 1)
    edges = np.unique(np.round(edges * size / sample_rate).astype(np.int64))
    bands = np.add.reduceat(power, edges, axis=1)[:, :-1] / np.diff(edges)
    levels = 10 * np.log10(np.maximum(bands, 1e-12))
    levels = np.maximum(levels, levels.max() - RANGE_DB)
    growth = np.maximum(levels[2 * SPAN :] - levels[: -2 * SPAN], 0).mean(axis=1)
    # Windows that reach beyond the ends see the cut.
    cut = -(-size * GROWTH_RATE // (2 * sample_rate))
    return np.pad(growth[cut : len(growth) - cut], SPAN + cut)


def audio_events(
    waveform: Any,
    sample_rate: int,
    *,
    prominence: float = 0.25,
    floor: float = 6.0,
    level: float = -35.0,
    min_gap: float = 0.1,
) -> np.ndarray:
    """Times at which something begins to sound.

    A moment counts where `sound_growth` peaks, the peak stands out by ``prominence`` of the clip's largest one, and the
    sound within 0.1 s comes within ``level`` of the clip's loudest. So hiss and the flutter of a quiet track give no
    events, while a soft knock in silence is one. What sounds from the first moment on began before the clip.

    Args:
        waveform: (s,) or (c, s) sound, array or tensor.
        sample_rate: Its rate in hertz.
        prominence: Share of the largest peak, 0 to 1.
        floor: Least growth in decibels; that of steady noise stays below 6.
        level: Decibels relative to the loudest 46 ms.
        min_gap: Least seconds between two events; of two nearer ones the stronger stays.

    Returns:
        Times in seconds, rising, good to a few milliseconds; none in silence.

    Raises:
        ValueError: As `sound_growth`, or if an argument is out of its range.
    """
    check_share(prominence, min_gap)
    times = prominent_times(sound_growth(waveform, sample_rate), GROWTH_RATE, prominence, min_gap, floor=floor)
    times = np.maximum(times + LEAD, 0.0)
    loudness = _loudness(_mono(waveform, sample_rate), sample_rate)
    near = [loudness[max(0, int(t * 100) - 2) : int(t * 100) + 10].max(initial=-np.inf) for t in times]
    return times[np.asarray(near, dtype=np.float64) >= level]


def sound_envelope(waveform: Any, sample_rate: int, fps: float, num_frames: int) -> np.ndarray:
    """How much begins to sound at each frame: `sound_growth`, weighed around the time of each frame.

    Args:
        waveform: (s,) or (c, s) sound, array or tensor.
        sample_rate: Its rate in hertz.
        fps: Frames per second.
        num_frames: Frames wanted; beyond the end of the sound there is none.

    Returns:
        (num_frames,) float64 decibels.

    Raises:
        ValueError: As `sound_growth`, or if the rate of frames is not positive.
    """
    check_positive(fps, "fps")
    growth = sound_growth(waveform, sample_rate)
    distance = np.arange(num_frames)[:, None] / fps - (np.arange(len(growth)) / GROWTH_RATE + LEAD)
    weights = np.maximum(0.0, 1.0 - np.abs(distance) * fps)
    return weights @ growth / np.maximum(weights.sum(axis=1), 1e-9)


def _mono(waveform: Any, sample_rate: int) -> np.ndarray:
    if not sample_rate >= 2000:
        raise ValueError(f"`sample_rate` must be at least 2000 hertz, got {sample_rate}.")
    samples = sound(waveform, least=int(np.ceil(0.05 * sample_rate)))
    return samples.mean(axis=0) if samples.ndim == 2 else samples


def _loudness(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Decibels below the loudest 46 ms, every 10 ms."""
    window = max(1, round(0.046 * sample_rate))
    total = np.concatenate(([0.0], np.cumsum(np.pad(samples, window // 2) ** 2)))
    power = (total[window:] - total[:-window])[:: max(1, round(sample_rate / 100))]
    return 10 * np.log10(np.maximum(power, 1e-12) / max(power.max(), 1e-12))
