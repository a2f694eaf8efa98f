"""A sound of any length, of which a network hears a piece at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

from asva_audio.sound import Audio, resample

MARGIN = 1  # seconds around a piece, so that its ends are resampled like its middle


@dataclass(frozen=True, eq=False)
class Track:
    """A sound.

    Attributes:
        waveform: (c, s) float32.
        sample_rate: Hertz.
    """

    waveform: np.ndarray
    sample_rate: int

    @classmethod
    def of(cls, audio: Audio) -> Track:
        """That of a sound in memory."""
        return cls(audio.waveform.numpy(), audio.sample_rate)

    @property
    def duration(self) -> Fraction:
        """Seconds, exactly."""
        return Fraction(self.waveform.shape[1], self.sample_rate)

    def fit(self, duration: Fraction, *, loop: bool = False) -> Track:
        """The track cut to some seconds, or filled with silence or, with `loop`, with itself again."""
        length = max(round(duration * self.sample_rate), 1)
        missing = length - self.waveform.shape[1]
        waveform = self.waveform[:, :length]
        if missing > 0:
            waveform = np.pad(waveform, ((0, 0), (0, missing)), mode="wrap" if loop else "constant")
        return Track(waveform, self.sample_rate)

    def piece(self, start: Fraction, seconds: Fraction, sample_rate: int) -> Audio:
        """One channel of `seconds` from `start` at another rate; silence where there is no sound."""
        origin = math.floor(start) - MARGIN
        first, last = origin * self.sample_rate, math.ceil((start + seconds + MARGIN) * self.sample_rate)
        inside = self.waveform[:, max(first, 0) : max(last, 0)].mean(axis=0)
        padded = np.zeros(last - first, np.float32)
        begin = max(-first, 0)
        padded[begin : begin + len(inside)] = inside
        heard = resample(torch.from_numpy(padded), self.sample_rate, sample_rate)
        offset = round((start - origin) * sample_rate)
        return Audio(heard[None, offset : offset + round(seconds * sample_rate)].contiguous(), sample_rate)
