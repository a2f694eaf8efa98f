"""Speech, effects and music from formulas, for mixes of known tracks: vowels, strikes and barks, plucked strings."""

from __future__ import annotations

import numpy as np

RATE = 16000
# Formants of five vowels in Hz and their widths (Peterson and Barney's averages, rounded).
VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
WIDTHS = (80.0, 110.0, 160.0)
SCALES = ((0, 2, 4, 7, 9), (0, 3, 5, 7, 10), (0, 2, 3, 5, 7, 8, 10))


def speech(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """(s,) words of formant vowels with gliding pitch, hisses and pops before them, pauses between."""
    sound = np.zeros(round(seconds * RATE))
    pitch, at = rng.uniform(90, 250), rng.uniform(0, 0.4)
    while at < seconds - 0.3:
        for _ in range(rng.integers(1, 5)):
            length = rng.uniform(0.1, 0.26)
            if rng.random() < 0.7:
                at += add(sound, _consonant(rng), at)
            add(sound, _vowel(rng, pitch, length), at)
            at += 0.85 * length
        at += rng.uniform(0.08, 0.5)
    return sound


def effects(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """(s,) strikes, barks, gusts, rattles or an engine, one kind a sound or two, half of them before a steady noise."""
    sound = np.zeros(round(seconds * RATE))
    kinds = rng.choice([_strike, _bark, _gust, _rattle, _engine], rng.integers(1, 3), replace=False)
    for kind in kinds:
        for at in np.sort(rng.uniform(0, seconds - 0.2, rng.integers(2, 6))):
            add(sound, rng.uniform(0.4, 1) * kind(rng), at)
    if rng.random() < 0.5:
        low = rng.uniform(50, 1000)
        sound += sound.std() * rng.uniform(0.05, 0.6) * _band(rng, seconds, low, low * rng.uniform(3, 30))[: len(sound)]
    return sound


def room(rng: np.random.Generator, sound: np.ndarray) -> np.ndarray:
    """The same sound in a room: a tail of decaying noise after every sample."""
    tail = rng.standard_normal(round(0.6 * RATE)) * np.exp(
        -np.arange(round(0.6 * RATE)) / RATE / rng.uniform(0.02, 0.12)
    )
    tail *= rng.uniform(0, 0.6) / np.sqrt((tail**2).sum())
    tail[0] += 1
    size = len(sound) + len(tail)
    return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)]


def music(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """(s,) chords, a plucked melody or a drone."""
    kind = rng.choice([_chords, _melody, _drone])
    return kind(rng, seconds)


def add(sound: np.ndarray, piece: np.ndarray, at: float) -> float:
    """Add a piece at a second, cut at the end of the sound; returns its length in seconds."""
    first = round(at * RATE)
    piece = piece[: max(len(sound) - first, 0)]
    sound[first : first + len(piece)] += piece
    return len(piece) / RATE


def _seconds(length: float) -> np.ndarray:
    return np.arange(max(round(length * RATE), 8)) / RATE


def _fade(length: int, rise: float = 0.015) -> np.ndarray:
    time = np.arange(length) / RATE
    return np.clip(np.minimum(time, time[::-1]) / rise, 0, 1)


def _band(rng: np.random.Generator, length: float, low: float, high: float) -> np.ndarray:
    """Noise between two frequencies, of unit power."""
    count = len(_seconds(length))
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    noise = np.fft.irfft(spectrum * ((frequency > low) & (frequency < high)), count)
    return noise / (noise.std() + 1e-9)


def _vowel(rng: np.random.Generator, pitch: float, length: float) -> np.ndarray:
    time = _seconds(length)
    glide = pitch * 2 ** (rng.uniform(-0.35, 0.35) * np.linspace(-0.5, 0.5, len(time)) + rng.uniform(-0.2, 0.2))
    glide = glide * (1 + 0.012 * np.sin(2 * np.pi * rng.uniform(4, 7) * time + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(glide) / RATE
    first, last = rng.choice(len(VOWELS), 2)
    mix = np.linspace(0, 1, len(time))[:, None]
    formants = (1 - mix) * np.array(VOWELS[first]) + mix * np.array(VOWELS[last])
    sound = np.zeros(len(time))
    for number in range(1, int(min(RATE / 2, 5000) / glide.max())):
        away = (number * glide[:, None] - formants) / np.array(WIDTHS)
        sound += ((np.array([1.0, 0.6, 0.35]) / (1 + away**2)).sum(1) + 0.01) / number**0.5 * np.sin(number * phase)
    sound += 0.02 * rng.standard_normal(len(time))
    return rng.uniform(0.5, 1) * sound * _fade(len(time), 0.03)


def _consonant(rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.5:
        hiss = _band(rng, rng.uniform(0.05, 0.12), rng.uniform(1500, 4000), 7500)
        return rng.uniform(0.05, 0.25) * hiss * _fade(len(hiss), 0.02)
    pop = _band(rng, 0.02, 300, 5000)
    return rng.uniform(0.1, 0.4) * pop * np.exp(-_seconds(0.02) / 0.005)


def _strike(rng: np.random.Generator) -> np.ndarray:
    time = _seconds(rng.uniform(0.15, 0.6))
    base, decay = rng.uniform(120, 1500), rng.uniform(0.02, 0.12)
    sound = 0.8 * _band(rng, len(time) / RATE, 100, 7800) * np.exp(-time / 0.008)
    for ratio in rng.uniform(1, 6, 5):
        sound += 0.5 * np.sin(2 * np.pi * base * ratio * time + rng.uniform(0, 6)) * np.exp(-time / decay * ratio**0.5)
    return sound


def _bark(rng: np.random.Generator) -> np.ndarray:
    time = _seconds(rng.uniform(0.12, 0.25))
    curve = rng.uniform(350, 700) * (1 + 0.5 * np.sin(np.pi * time / time[-1]))
    phase = 2 * np.pi * np.cumsum(curve) / RATE
    voice = sum(np.sin(number * phase) / number**0.8 for number in range(1, 6))
    breath = 0.5 * _band(rng, len(time) / RATE, 400, 4000)
    return (voice + breath) * np.minimum(time / 0.01, 1) * np.exp(-time / 0.09)


def _gust(rng: np.random.Generator) -> np.ndarray:
    low = rng.uniform(100, 3000)
    noise = _band(rng, rng.uniform(0.2, 0.8), low, low * rng.uniform(2, 6))
    return noise * _fade(len(noise), rng.uniform(0.005, 0.1))


def _rattle(rng: np.random.Generator) -> np.ndarray:
    sound = np.zeros(round(0.6 * RATE))
    for at in np.arange(0, 0.55, rng.uniform(0.04, 0.12)):
        tick = _band(rng, 0.04, rng.uniform(500, 2000), 7800)
        add(sound, tick * np.exp(-_seconds(0.04) / 0.006), at)
    return sound


def _engine(rng: np.random.Generator) -> np.ndarray:
    """A buzz that speeds up or slows down."""
    time = _seconds(rng.uniform(0.4, 1.2))
    curve = rng.uniform(30, 110) * 2 ** (rng.uniform(-0.6, 0.6) * time)
    phase = 2 * np.pi * np.cumsum(curve) / RATE
    buzz = sum(np.sin(n * phase + rng.uniform(0, 6)) / n ** rng.uniform(0.3, 1) for n in range(1, 24))
    return 0.4 * (buzz + 0.7 * _band(rng, len(time) / RATE, 50, 3000)) * _fade(len(time), 0.1)


def _tone(rng: np.random.Generator, pitch: float, length: float) -> np.ndarray:
    """A sustained tone with overtones, perhaps with vibrato."""
    time = _seconds(length)
    bend = rng.choice([0.0, 0.004]) * np.sin(2 * np.pi * rng.uniform(4, 6) * time)
    phase = 2 * np.pi * np.cumsum(pitch * (1 + bend)) / RATE
    slope = rng.uniform(0.8, 2)
    return sum(np.sin(n * phase + rng.uniform(0, 6)) / n**slope for n in range(1, int(min(7000 / pitch, 16)) + 1))


def _notes(rng: np.random.Generator) -> np.ndarray:
    steps = np.array(rng.choice(np.array(SCALES, dtype=object)))
    return rng.uniform(80, 160) * 2 ** (np.concatenate((steps, steps + 12, steps + 24)) / 12)


def _chords(rng: np.random.Generator, seconds: float) -> np.ndarray:
    sound, notes, at = np.zeros(round(seconds * RATE)), _notes(rng), 0.0
    while at < seconds:
        length = rng.uniform(0.6, 2.0)
        for pitch in rng.choice(notes, 3, replace=False):
            tone = _tone(rng, pitch, length + 0.1)
            add(sound, tone * _fade(len(tone), 0.05), at)
        at += length
    return sound


def _melody(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Plucked strings: a burst of noise in a loop that loses its highs (Karplus and Strong 1983)."""
    sound, notes, at = np.zeros(round(seconds * RATE)), _notes(rng), 0.0
    step = rng.uniform(0.15, 0.5)
    while at < seconds:
        add(sound, _pluck(rng, rng.choice(notes), rng.uniform(0.6, 1.6)), at)
        at += step * rng.choice([1, 1, 2])
    return sound


def _pluck(rng: np.random.Generator, pitch: float, length: float) -> np.ndarray:
    """The loop period by period, so that it runs in numpy."""
    loop = max(round(RATE / pitch), 4)
    periods = [rng.uniform(-1, 1, loop)]
    for _ in range(round(length * RATE) // loop):
        periods.append(0.498 * (periods[-1] + np.roll(periods[-1], 1)))
    sound = np.concatenate(periods)
    return sound * _fade(len(sound), 0.002)


def _drone(rng: np.random.Generator, seconds: float) -> np.ndarray:
    pitch, time = rng.uniform(60, 200), _seconds(seconds)
    sound = sum(_tone(rng, pitch * ratio, seconds) for ratio in (1, 1.5, 2))
    return sound * (1 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.1, 0.5) * time))
