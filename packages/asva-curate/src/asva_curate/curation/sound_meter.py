"""What is measured on the sound of a file: level, peak, and a fingerprint that survives encoding (Haitsma, Kalker)."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import decimate

from asva_curate.curation.curve import Curve

BLOCK = 0.05  # seconds of one level
STEP = 0.1  # seconds between fingerprints
SPAN = 0.4  # seconds that a fingerprint hears
BANDS = 33  # of which neighbours are compared: 32 bits
LOWEST, HIGHEST = 300.0, 2000.0  # hertz
FLOOR = 1e-5  # -100 dBFS, digital silence


class SoundMeter:
    """Takes the sound in pieces, in order, and keeps a few numbers of each block.

    Curves: ``level`` root mean square of 50 ms in dBFS over all channels, ``peak`` largest amplitude in it (1 is full
    scale).
    """

    def __init__(self) -> None:
        self._level: list[np.ndarray] = []
        self._peak: list[np.ndarray] = []
        self._prints: list[np.ndarray] = []

    def __call__(self, waveform: np.ndarray, sample_rate: int) -> None:
        """Measure a piece, (c, s) float32, a whole number of seconds long but for the last."""
        block = round(BLOCK * sample_rate)
        whole = waveform.shape[1] // block * block
        blocks = waveform[:, :whole].reshape(len(waveform), -1, block)
        self._level.append(np.sqrt(np.mean(np.square(blocks), axis=(0, 2), dtype=np.float64)))
        self._peak.append(np.abs(blocks).max(axis=(0, 2)) if whole else np.zeros(0))
        self._prints.append(fingerprint(waveform.mean(axis=0), sample_rate))

    def curves(self) -> dict[str, Curve]:
        """The curves so far."""
        level = np.concatenate(self._level) if self._level else np.zeros(0)
        peak = np.concatenate(self._peak) if self._peak else np.zeros(0)
        begins = np.arange(len(level)) * BLOCK
        decibels = 20 * np.log10(np.maximum(level, FLOOR))
        return {"level": Curve(begins, begins + BLOCK, decibels), "peak": Curve(begins, begins + BLOCK, peak)}

    def prints(self) -> np.ndarray:
        """(m,) uint32 fingerprints, ten per second; 0 where nothing is heard."""
        return np.concatenate(self._prints) if self._prints else np.zeros(0, np.uint32)


def fingerprint(sound: np.ndarray, sample_rate: int) -> np.ndarray:
    """32 bits for each tenth of a second: how the energy of neighbouring bands differs, and how that changes.

    Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (2002), with 0.1 s instead of 11.6 ms between
    prints, since they are compared at whole seconds of overlap only.

    Args:
        sound: (s,) float.
        sample_rate: In Hz, 4000 or more.

    Returns:
        (m,) uint32, m the whole steps of the sound; 0 where it is silent.
    """
    rate, factor = float(sample_rate), int(sample_rate // (2.5 * HIGHEST))
    if factor > 1 and len(sound) > 40 * factor:
        sound, rate = decimate(sound, factor, ftype="fir", zero_phase=True), sample_rate / factor
    step = round(STEP * rate)
    size = 1 << math.ceil(math.log2(SPAN * rate))
    count = len(sound) // step
    if not count:
        return np.zeros(0, np.uint32)
    padded = np.pad(sound, (0, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: count * step : step]
    power = np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32), axis=1)) ** 2
    edges = np.geomspace(LOWEST, HIGHEST, BANDS + 1) * size / rate
    bands = np.add.reduceat(power, np.round(edges).astype(int), axis=1)[:, :BANDS]
    slope = np.diff(bands, axis=1)
    bits = (slope - np.vstack([slope[:1], slope[:-1]])) > 0
    bits[0] = slope[0] > 0
    prints = np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32)
    prints[np.abs(frames).max(axis=1) <= FLOOR] = 0
    return prints
