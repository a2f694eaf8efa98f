"""The sound of one file in chunks: measured once from beginning to end, then cut where an excerpt wants it."""

from __future__ import annotations

import os

import numpy as np

from asva_curate.curation.sound_meter import SoundMeter
from asva_data import MediaInfo
from asva_data.sound import read_sound

CHUNK = 60.0  # seconds of sound held at once


class SoundTrack:
    """Reads the sound of a file; `seconds` is its length once it has been measured."""

    def __init__(self, path: str | os.PathLike, info: MediaInfo) -> None:
        self.path, self.info, self.seconds = path, info, 0.0
        self._held: tuple[float, np.ndarray, int] | None = None

    def measure(self) -> SoundMeter:
        """Go through the whole track."""
        meter = SoundMeter()
        start, whole = 0.0, self.info.has_sound
        while whole:
            waveform, rate = self._chunk(start)
            meter(waveform, rate)
            start += CHUNK
            self.seconds += waveform.shape[1] / rate
            whole = waveform.shape[1] >= round(CHUNK * rate)
        return meter

    def cut(self, start: float, seconds: float) -> tuple[np.ndarray | None, int | None]:
        """(c, s) float32 and the rate of a piece of at most a chunk; shorter where the sound ends."""
        if not self.info.has_sound:
            return None, None
        if self._held is None or not self._held[0] <= start <= start + seconds <= self._held[0] + CHUNK:
            self._chunk(start)
        begin, waveform, rate = self._held
        first = round((start - begin) * rate)
        return waveform[:, first : first + round(seconds * rate)], rate

    def _chunk(self, start: float) -> tuple[np.ndarray, int]:
        waveform, rate = read_sound(self.path, self.info, start, CHUNK)
        self._held = start, waveform, rate
        return waveform, rate
