"""A score from whatever judges frames and sound together, such as a score of synchrony that needs no network."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from asva_curate.curation.excerpts import Excerpt

LEAST = 1.0
"""Seconds of sound and frames below which nothing is asked."""

Judge = Callable[[np.ndarray, float, np.ndarray, int], float]


class FitScore:
    """A score by one number for frames and sound.

    Frames are put on an even grid, since files may vary in rate. Where the judge has no opinion (NaN: nothing moves, or
    nothing begins to sound) the score is `neutral`.

    Args:
        judge: ``(frames (t, h, w, 3) uint8, fps, waveform (c, s), sample_rate) -> number``, such as ``lambda frames,
            fps, sound, rate: asva_metrics.local_sync(sound, rate, frames, fps).excess``.
        neutral: What no opinion counts as.
        stride: Seconds from one excerpt that is judged to the next.
    """

    def __init__(self, judge: Judge, *, neutral: float = 0.0, stride: float = 0.5) -> None:
        self.judge, self.neutral, self.stride = judge, neutral, stride

    def __call__(self, excerpt: Excerpt) -> float:
        """Judge one excerpt."""
        seconds = 0.0 if excerpt.waveform is None else excerpt.waveform.shape[-1] / excerpt.sample_rate
        if len(excerpt.frames) < 2 or min(seconds, excerpt.times[-1] - excerpt.times[0]) < LEAST:
            return self.neutral
        fps = (len(excerpt.times) - 1) / float(excerpt.times[-1] - excerpt.times[0])
        grid = np.arange(math.ceil(excerpt.seconds * fps - 1e-6)) / fps
        shown = np.searchsorted(excerpt.times, grid + 0.25 / fps, side="right") - 1
        value = float(self.judge(excerpt.frames[np.maximum(shown, 0)], fps, excerpt.waveform, excerpt.sample_rate))
        return self.neutral if math.isnan(value) else value
