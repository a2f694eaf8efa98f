"""When something begins to sound, in all of it or in a band, and the motion curve that follows: no weights."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from asva_audio import Track
from asva_keyframe.peaks import check_share, prominent_times

BANDS = {"all": (80.0, 8000.0), "low": (40.0, 250.0), "mid": (250.0, 2000.0), "high": (2000.0, 8000.0)}
"""Hertz of the bands that may move something each."""
GROWTH_RATE = 200
"""Values of `sound_growth` per second."""
SPAN = 2
"""Values before and after a moment between which its growth is measured."""
WINDOW_SECONDS, NUM_BANDS, RANGE_DB = 0.023, 24, 60.0
LEAD = 0.008
"""Seconds by which the growth comes before the event: half a window sees what is not yet there."""
QUIETEST = 1e-4
"""Largest amplitude (-80 dB) of a sound that counts as silent."""
SWELL = 0.5
"""Motion of what is as loud as it gets without beginning anew, where an onset is 1."""
_AT_ONCE = 4096  # windows


def sound_growth(waveform: Any, sample_rate: int, *, band: str = "all") -> np.ndarray:
    """Mean growth of the sound in narrow bands within 20 ms, in decibels, 200 values a second.

    Finer in time than librosa's onset strength, which places a knock up to 50 ms late. Levels more than 60 dB below the
    loudest count as silence.

    Args:
        waveform: (s,) or (c, s) sound, array or tensor; channels are averaged.
        sample_rate: Its rate in hertz, at least 2000.
        band: One of :data:`BANDS`, of which 24 narrow bands are looked at, or as many as there are.

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
    levels = 10 * np.log10(np.maximum(_band_power(samples, sample_rate, GROWTH_RATE, BANDS[band]), 1e-12))
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
    samples = _mono(waveform, sample_rate)
    growth = sound_growth(samples, sample_rate)
    return _events(growth, _loudness(samples, sample_rate), prominence, min_gap, floor, level)[0]


def onset_curve(track: Track, num_frames: int, fps: float | Fraction, *, band: str = "all") -> np.ndarray:
    """Motion that goes with any sound: a stroke where something begins, the higher the louder, and half as much swell.

    Args:
        track: The sound.
        num_frames: Length of the curve.
        fps: Frames per second.
        band: One of :data:`BANDS`.

    Returns:
        (num_frames,) float32 in [0, 1]; zeros in silence, and where a sound neither begins nor gets louder.
    """
    rate = track.sample_rate
    samples = track.waveform.mean(axis=0, dtype=np.float64)
    samples = np.pad(samples, (0, max(rate // 4 - len(samples), 0)))
    if np.abs(samples).max() < QUIETEST:
        return np.zeros(num_frames, np.float32)
    loud = _band_loudness(samples, rate, BANDS[band])
    times, levels = _events(sound_growth(samples, rate, band=band), loud, 0.15, 0.06, 6.0, -35.0)
    moments = np.arange(num_frames) / float(fps)
    amplitude = 10 ** (loud / 20)
    smooth = np.convolve(amplitude, np.full(12, 1 / 12))[: len(loud)]  # of what was heard until then
    swell = np.interp(moments, np.arange(len(loud)) / 100, smooth, right=0)
    curve = SWELL * np.maximum(swell - np.quantile(amplitude, 0.1), 0)
    shown = np.minimum(np.round(times * float(fps)).astype(int), num_frames - 1)
    np.maximum.at(curve, shown, 10 ** (levels / 40))
    return np.minimum(curve, 1).astype(np.float32)


def _events(
    growth: np.ndarray, loudness: np.ndarray, prominence: float, min_gap: float, floor: float, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of events, and the decibels below the loudest that the sound then comes to."""
    times = prominent_times(growth, GROWTH_RATE, prominence, min_gap, floor=floor)
    times = np.maximum(times + LEAD, 0.0)
    near = [loudness[max(0, int(t * 100) - 2) : int(t * 100) + 10].max(initial=-np.inf) for t in times]
    levels = np.asarray(near, dtype=np.float64)
    return times[levels >= level], levels[levels >= level]


def _mono(waveform: Any, sample_rate: int) -> np.ndarray:
    if not sample_rate >= 2000:
        raise ValueError(f"`sample_rate` must be at least 2000 hertz, got {sample_rate}.")
    samples = np.asarray(waveform.detach().cpu() if hasattr(waveform, "detach") else waveform, np.float64)
    least = int(np.ceil(0.05 * sample_rate))
    if samples.ndim not in (1, 2) or samples.shape[-1] < least:
        raise ValueError(f"`waveform` must hold at least {least} samples as (s,) or (c, s), got {samples.shape}.")
    if not np.isfinite(samples).all():
        raise ValueError("`waveform` must be finite, got NaN or infinity.")
    return samples.mean(axis=0) if samples.ndim == 2 else samples


def _band_power(samples: np.ndarray, sample_rate: int, rate: int, band: tuple[float, float]) -> np.ndarray:
    """(t, n) power of narrow bands, `rate` times a second."""
    size = 2 * round(WINDOW_SECONDS * sample_rate / 2)
    edges = np.geomspace(band[0], min(band[1], 0.47 * sample_rate), NUM_BANDS + 1)
    edges = np.unique(np.round(edges * size / sample_rate).astype(np.int64))
    middles = np.round(np.arange(len(samples) * rate // sample_rate) * sample_rate / rate).astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(samples, size // 2), size)
    powers = []
    for some in np.array_split(middles, -(-len(middles) // _AT_ONCE)):  # of an hour's sound all at once fill the memory
        power = np.abs(np.fft.rfft(windows[some] * np.hanning(size), axis=1)) ** 2
        powers.append(np.add.reduceat(power, edges, axis=1)[:, :-1] / np.diff(edges))
    return np.concatenate(powers)


def _band_loudness(samples: np.ndarray, sample_rate: int, band: tuple[float, float]) -> np.ndarray:
    """Decibels of a band below its loudest, every 10 ms."""
    power = _band_power(samples, sample_rate, 100, band).sum(axis=1)
    return 10 * np.log10(np.maximum(power / max(power.max(), 1e-12), 1e-9))


def _loudness(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Decibels below the loudest 46 ms, every 10 ms."""
    window = max(1, round(0.046 * sample_rate))
    total = np.concatenate(([0.0], np.cumsum(np.pad(samples, window // 2) ** 2)))
    power = (total[window:] - total[:-window])[:: max(1, round(sample_rate / 100))]
    return 10 * np.log10(np.maximum(power, 1e-12) / max(power.max(), 1e-12))
