"""The sound of each class: decaying modes and bursts of noise, one timbre per class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Floats = NDArray[np.float32]
Hit = Callable[[np.random.Generator, float, int], Floats]  # (rng, pitch factor, sample rate) -> samples


def modes(rate: int, partials: list[tuple[float, float, float]], seconds: float, glide: float = 0.0) -> Floats:
    """Sum of decaying sines; `partials` are (hertz, amplitude, decay in seconds).

    With `glide` the pitch starts that share higher and falls to its place within 30 ms.
    """
    time = (np.arange(int(seconds * rate)) / rate).astype(np.float32)
    warped = time + np.float32(glide * 0.03) * (1.0 - np.exp(-time / np.float32(0.03)))
    total = np.zeros_like(time)
    for hertz, amplitude, decay in partials:
        if hertz < 0.47 * rate:
            total += (
                np.float32(amplitude)
                * np.exp(-time / np.float32(decay))
                * np.sin(np.float32(2 * np.pi * hertz) * warped)
            )
    return total


def burst(rng: np.random.Generator, rate: int, low: float, high: float, decay: float, seconds: float) -> Floats:
    """A burst of noise between `low` and `high` hertz that dies away."""
    count = int(seconds * rate)
    noise = rng.standard_normal(count, dtype=np.float32)
    sections = _band(rate, low, min(high, 0.47 * rate))
    time = (np.arange(count) / rate).astype(np.float32)
    return (signal.sosfilt(sections, noise).astype(np.float32)) * np.exp(-time / np.float32(decay))


_BANDS: dict[tuple[int, float, float], NDArray[np.float64]] = {}


def _band(rate: int, low: float, high: float) -> NDArray[np.float64]:
    key = (rate, low, high)
    if key not in _BANDS:
        _BANDS[key] = signal.butter(2, [low, high], "bandpass", fs=rate, output="sos")
    return _BANDS[key]


def _mix(*parts: Floats) -> Floats:
    total = np.zeros(max(len(part) for part in parts), dtype=np.float32)
    for part in parts:
        total[: len(part)] += part
    return total


def ball(rng: np.random.Generator, pitch: float, rate: int) -> Floats:
    """A rubber thump whose pitch falls."""
    body = modes(rate, [(150 * pitch, 1.0, 0.06), (310 * pitch, 0.4, 0.035)], 0.25, glide=0.9)
    return _mix(body, 0.6 * burst(rng, rate, 300.0, 1400.0, 0.012, 0.06))


def hammer(rng: np.random.Generator, pitch: float, rate: int) -> Floats:
    """A clank of steel on steel."""
    tones = [(1130, 0.5, 0.07), (1870, 0.45, 0.06), (2790, 0.35, 0.045), (4150, 0.25, 0.03), (240, 0.6, 0.03)]
    body = modes(rate, [(hertz * pitch, amplitude, decay) for hertz, amplitude, decay in tones], 0.3)
    return _mix(body, 0.9 * burst(rng, rate, 1500.0, 7000.0, 0.008, 0.04))


def drum(rng: np.random.Generator, pitch: float, rate: int, base: float) -> Floats:
    """A stretched skin of pitch `base`."""
    tones = [(1.0, 1.0, 0.14), (1.593, 0.5, 0.08), (2.135, 0.35, 0.06), (2.653, 0.2, 0.04)]
    body = modes(rate, [(base * r * pitch, a, d) for r, a, d in tones], 0.45, glide=0.15)
    return _mix(body, 0.25 * burst(rng, rate, 3.0 * base, 9.0 * base, 0.015, 0.06))


def low_drum(rng: np.random.Generator, pitch: float, rate: int) -> Floats:
    """The left drum."""
    return drum(rng, pitch, rate, 92.0)


def high_drum(rng: np.random.Generator, pitch: float, rate: int) -> Floats:
    """The right drum."""
    return drum(rng, pitch, rate, 330.0)


def bell(rng: np.random.Generator, pitch: float, rate: int) -> Floats:
    """A church bell: hum, prime, tierce, quint, nominal."""
    tones = [
        (0.5, 0.4, 0.7),
        (1.0, 0.7, 0.5),
        (1.19, 0.5, 0.4),
        (1.5, 0.3, 0.3),
        (2.0, 0.8, 0.35),
        (2.67, 0.4, 0.2),
        (4.1, 0.3, 0.1),
    ]
    body = modes(rate, [(620 * r * pitch, a, d) for r, a, d in tones], 1.2)
    return _mix(body, 0.5 * burst(rng, rate, 2000.0, 6000.0, 0.006, 0.03))


def woodpecker(rng: np.random.Generator, pitch: float, rate: int) -> Floats:
    """A dry knock on wood."""
    body = modes(rate, [(720 * pitch, 1.0, 0.016), (1330 * pitch, 0.7, 0.012), (2240 * pitch, 0.3, 0.008)], 0.1)
    return _mix(body, 0.4 * burst(rng, rate, 600.0, 3000.0, 0.006, 0.03))


def hands(rng: np.random.Generator, pitch: float, rate: int) -> Floats:
    """A clap: three quick bursts, then a short tail."""
    shell = burst(rng, rate, 700.0, 3400.0, 0.03, 0.18)
    total = 0.9 * shell
    for delay, gain in ((0.006, 0.7), (0.013, 0.6)):
        start = int(delay * rate / pitch)
        total[start:] += gain * shell[: len(shell) - start]
    return total


def frog(rng: np.random.Generator, pitch: float, rate: int) -> Floats:
    """A croak: a buzzing tone in pulses, with a splat at its start."""
    del rng
    time = (np.arange(int(0.2 * rate)) / rate).astype(np.float32)
    pulses = (0.5 + 0.5 * np.cos(np.float32(2 * np.pi * 42.0) * time)) ** 2
    tone = sum(np.sin(np.float32(2 * np.pi * 480.0 * pitch * k) * time) / k for k in (1.0, 2.0, 3.0, 4.0))
    shape = np.minimum(time / 0.002, 1.0) * np.exp(-time / np.float32(0.07))
    return (tone * pulses * shape).astype(np.float32)


def glass(rng: np.random.Generator, pitch: float, rate: int) -> Floats:
    """A clear high ring."""
    tones = [(2350, 0.9, 0.35), (3910, 0.5, 0.22), (5620, 0.35, 0.12)]
    body = modes(rate, [(hertz * pitch, amplitude, decay) for hertz, amplitude, decay in tones], 0.9)
    return _mix(body, 0.3 * burst(rng, rate, 3000.0, 7000.0, 0.004, 0.02))


HITS: dict[str, dict[str, Hit]] = {
    "ball": {"bounce": ball},
    "hammer": {"hit": hammer},
    "drums": {"left": low_drum, "right": high_drum},
    "bell": {"ring": bell},
    "woodpecker": {"peck": woodpecker},
    "hands": {"clap": hands},
    "frog": {"land": frog},
    "glass": {"tap": glass},
}


def hit_track(
    rng: np.random.Generator, name: str, times: NDArray[np.float64], labels: list[str], loudness: NDArray[np.float64],
    pitch: float, rate: int, num_samples: int,
) -> Floats:  # fmt: skip
    """Every event's sound at its time; equal events of a clip share one timbre."""
    track = np.zeros(num_samples, dtype=np.float32)
    for label in HITS[name]:
        sound = HITS[name][label](rng, pitch, rate)
        sound[-len(sound) // 5 :] *= np.linspace(1.0, 0.0, len(sound[-len(sound) // 5 :]), dtype=np.float32)  # no click
        sound /= np.abs(sound).max()
        for time, own, gain in zip(times, labels, loudness, strict=True):
            start = round(time * rate)
            if own == label and start < num_samples:
                track[start : start + len(sound)] += np.float32(gain) * sound[: num_samples - start]
    return track


def swell_track(envelope: NDArray[np.float64], pitch: float, rate: int) -> Floats:
    """A warm chord whose loudness follows `envelope` (s,) in 0..1."""
    time = (np.arange(len(envelope)) / rate).astype(np.float32)
    tone = sum(np.sin(np.float32(2 * np.pi * 220.0 * pitch * k) * time) / k for k in (1.0, 1.5, 2.0, 3.0, 4.0))
    return (tone * (0.03 + 0.4 * envelope**1.5)).astype(np.float32)


def wind_track(rng: np.random.Generator, rate: int, num_samples: int) -> Floats:
    """Wind or rain: noise that comes and goes slowly."""
    noise = rng.standard_normal(num_samples, dtype=np.float32)
    top = float(rng.choice([700.0, 1500.0, 5000.0]))
    noise = signal.sosfilt(_band(rate, 120.0, min(top, 0.47 * rate)), noise).astype(np.float32)
    time = np.arange(num_samples) / rate
    slow = 1.0 + 0.35 * np.sin(2 * np.pi * (rng.uniform(0.2, 0.5) * time + rng.uniform()))
    return (noise / np.abs(noise).max() * slow).astype(np.float32)
