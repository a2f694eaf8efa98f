"""Three tracks with known truth: syllables that open a mouth, strikes that hit, chords that colour the light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from . import sounds
from .timing import Strike, event_times

Floats = NDArray[np.float64]

TRACKS: tuple[str, ...] = ("speech", "effects", "music")
MODES: tuple[str, ...] = ("major", "minor")
STRIKE = Strike(windup=0.32, contact=1.0, min_gap=0.3, first=0.2)
FADE = 0.25  # seconds in which the light goes from neutral to that of the music
# Two formants in hertz of each vowel, and how wide it opens the mouth.
VOWELS: dict[str, tuple[float, float, float]] = {
    "a": (800.0, 1250.0, 1.0),
    "e": (520.0, 1850.0, 0.75),
    "o": (480.0, 900.0, 0.65),
    "i": (290.0, 2250.0, 0.45),
}
CHORDS = {"major": (0, 4, 7, 12), "minor": (0, 3, 7, 12)}
LOWEST = {"major": 220.0, "minor": 110.0}  # hertz of the lowest root
# Red, green and blue of full light: major is warm, minor is cool.
TINTS = {"major": (1.0, 0.72, 0.42), "minor": (0.42, 0.66, 1.0)}


@dataclass(frozen=True)
class Speech:
    """Syllables (n,): when they start and end in seconds, their vowels, and the pitch of the voice in hertz."""

    starts: Floats
    ends: Floats
    vowels: tuple[str, ...]
    pitch: float

    def opening(self, times: Floats) -> Floats:
        """(t,) how far the mouth is open, 0 to 1."""
        total = np.zeros_like(times)
        for start, end, vowel in zip(self.starts, self.ends, self.vowels, strict=True):
            total += VOWELS[vowel][2] * _hump(times, start, end)
        return total

    def waveform(self, rng: np.random.Generator, rate: int, num_samples: int) -> NDArray[np.float32]:
        """(s,) a buzzing voice through the formants of each vowel, as loud as the mouth is open."""
        time = np.arange(num_samples) / rate
        voice = signal.sawtooth(2 * np.pi * self.pitch * (time + 0.002 * np.sin(2 * np.pi * 3.0 * time)))
        voice += 0.05 * rng.standard_normal(num_samples)
        total = np.zeros(num_samples)
        for vowel in sorted(set(self.vowels)):
            first, second, width = VOWELS[vowel]
            colored = sum(_resonance(voice, hertz, rate) for hertz in (first, second))
            mine = [(start, end) for start, end, own in zip(self.starts, self.ends, self.vowels, strict=True)
                    if own == vowel]  # fmt: skip
            total += sum(width * _hump(time, *span) for span in mine) * colored / np.abs(colored).max()
        return total.astype(np.float32)


@dataclass(frozen=True)
class Effects:
    """Strikes (n,): seconds, loudness in 0..1, and what is struck."""

    times: Floats
    strengths: Floats
    kind: str

    def waveform(self, rng: np.random.Generator, rate: int, num_samples: int) -> NDArray[np.float32]:
        """(s,) every strike's sound."""
        label = next(iter(sounds.HITS[self.kind]))
        labels = [label] * len(self.times)
        pitch = float(np.exp(rng.uniform(-0.13, 0.13)))
        return sounds.hit_track(rng, self.kind, self.times, labels, self.strengths, pitch, rate, num_samples)


@dataclass(frozen=True)
class Music:
    """A held chord: its mode, and how bright it sounds, 0 to 1."""

    mode: str
    brightness: float
    root: float

    def tint(self) -> Floats:
        """(3,) gains of red, green and blue of the full light: the mode's hue, as light as the chord is bright."""
        return np.array(TINTS[self.mode]) * (0.55 + 0.45 * self.brightness)

    def waveform(self, rng: np.random.Generator, rate: int, num_samples: int) -> NDArray[np.float32]:
        """(s,) the chord, with more overtones the brighter it is, in a slow tremolo."""
        time = np.arange(num_samples) / rate
        rolloff = 3.2 - 2.6 * self.brightness
        total = np.zeros(num_samples)
        for step in CHORDS[self.mode]:
            note = self.root * 2 ** (step / 12)
            for partial in range(1, 13):
                if note * partial < 0.45 * rate:
                    total += partial**-rolloff * np.sin(2 * np.pi * (note * partial * time + rng.uniform()))
        tremolo = 1.0 + 0.15 * np.sin(2 * np.pi * (rng.uniform(0.5, 1.5) * time + rng.uniform()))
        return (total * tremolo * np.minimum(time / 0.05, 1.0)).astype(np.float32)


def draw_speech(rng: np.random.Generator, duration: float) -> Speech:
    """Two to six syllables with pauses, the first at least a tenth of a second in."""
    starts, ends, now = [], [], rng.uniform(0.1, 0.35)
    while len(starts) < 6 and now < duration - 0.2:
        end = min(now + rng.uniform(0.16, 0.34), duration - 0.02)
        starts.append(now)
        ends.append(end)
        now = end + rng.uniform(0.03, 0.45)
    vowels = tuple(str(vowel) for vowel in rng.choice(list(VOWELS), len(starts)))
    return Speech(np.array(starts), np.array(ends), vowels, float(rng.uniform(95.0, 220.0)))


def draw_effects(rng: np.random.Generator, duration: float) -> Effects:
    """Two to six strikes."""
    times = event_times(rng, STRIKE, duration)
    kind = str(rng.choice(["hammer", "drums", "woodpecker"]))
    return Effects(times, rng.uniform(0.6, 1.0, len(times)), kind)


def draw_music(rng: np.random.Generator) -> Music:
    """A chord of either mode; major lies an octave above minor, for a short spectrum hardly shows the third."""
    mode, brightness = str(rng.choice(MODES)), float(rng.uniform())
    return Music(mode, brightness, LOWEST[mode] * 2 ** float(rng.uniform()))


def light_curve(music: Music | None, times: Floats) -> Floats:
    """(t, 3) gains of red, green and blue: neutral at the start, that of the music from `FADE` on."""
    if music is None:
        return np.ones((len(times), 3))
    share = np.clip(times / FADE, 0.0, 1.0)[:, None]
    return 1.0 + share * (music.tint() - 1.0)


def _hump(times: Floats, start: float, end: float) -> Floats:
    """1 between start and end, with round shoulders of 60 ms."""
    rise = np.clip((times - start) / 0.06, 0.0, 1.0) * np.clip((end - times) / 0.06, 0.0, 1.0)
    return 0.5 - 0.5 * np.cos(np.pi * rise)


def _resonance(voice: Floats, hertz: float, rate: int) -> Floats:
    b, a = signal.iirpeak(min(hertz, 0.45 * rate), 6.0, fs=rate)
    return signal.lfilter(b, a, voice)
