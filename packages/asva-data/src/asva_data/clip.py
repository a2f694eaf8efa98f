"""A piece of video with its sound on one clock, and the error of everything that reads or writes media."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class MediaError(ValueError):
    """A file that cannot be read or written; one line that names the file and the mend."""


class Picture(NamedTuple):
    """One decoded frame: when it appears, when it goes (seconds), and its pixels on demand."""

    time: float
    end: float
    to_rgb: Callable[[], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Pictures and sound that share one clock: `times` and the first sample of `waveform` count from the same zero.

    Attributes:
        frames: (t, h, w, 3) uint8 RGB, upright, with square pixels.
        times: (t,) float64, seconds at which each frame appears. The first may be above 0.
        fps: Frames per second; the average where the rate varies.
        waveform: (c, s) float32 in [-1, 1] at the track's own rate, or None without sound.
        sample_rate: Samples per second of `waveform`, or None without sound.
    """

    frames: np.ndarray
    times: np.ndarray
    fps: float
    waveform: np.ndarray | None = None
    sample_rate: int | None = None

    @property
    def duration(self) -> float:
        """Seconds from the clock's zero to the end of the last frame."""
        return float(self.times[-1]) + 1.0 / self.fps
