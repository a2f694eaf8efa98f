"""A score of synchrony without a network: does the picture move when the sound sets in?"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from asva_curate.curation.excerpts import Excerpt

STEP = 0.025  # seconds
NEAR = 0.1  # seconds of shift that count as none
FAR = 0.8  # seconds of shift that are tried
SMOOTH = 1.5  # steps


class RhythmScore:
    """A score ``rhythm``: correlation of motion and onsets as they are, less the best of it when the sound is shifted.

    Above 0 where the sound fits best where it is. It hears strikes, not speech or wind; on real recordings it is weak
    (measured in benchmarks/curation.py), on the synthetic world strong. Excerpts of 12 frames per second or more.
    """

    def __call__(self, excerpt: Excerpt) -> dict[str, float]:
        """Judge one excerpt; nothing is said where nothing moves or sounds."""
        if excerpt.waveform is None or len(excerpt.frames) < 4:
            return {}
        motion, onsets = _motion(excerpt), _onsets(excerpt)
        length = min(len(motion), len(onsets))
        if length < 2 * round(FAR / STEP):
            return {}
        motion, onsets = _standard(motion[:length]), _standard(onsets[:length])
        if motion is None or onsets is None:
            return {}
        reach = round(FAR / STEP)
        lags = np.arange(-reach, reach + 1)
        fits = np.array([np.mean(motion * np.roll(onsets, lag)) for lag in lags])
        near = np.abs(lags) * STEP <= NEAR
        return {"rhythm": float(fits[near].max() - fits[~near].max())}


def _motion(excerpt: Excerpt) -> np.ndarray:
    """Change of the picture on a grid of time."""
    frames = excerpt.frames[:, ::4, ::4].astype(np.float32)
    change = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    grid = np.arange(0, excerpt.seconds, STEP)
    middles = (excerpt.times[1:] + excerpt.times[:-1]) / 2
    return gaussian_filter1d(np.interp(grid, middles, change), SMOOTH)


def _onsets(excerpt: Excerpt) -> np.ndarray:
    """Rise of the loudness on the same grid."""
    block = round(STEP * excerpt.sample_rate)
    sound = excerpt.waveform.mean(axis=0)
    whole = len(sound) // block * block
    if not whole:
        return np.zeros(0)
    level = np.log(np.sqrt(np.mean(np.square(sound[:whole].reshape(-1, block)), axis=1)) + 1e-4)
    return gaussian_filter1d(np.maximum(np.diff(level, prepend=level[0]), 0), SMOOTH)


def _standard(values: np.ndarray) -> np.ndarray | None:
    spread = values.std()
    return None if spread < 1e-9 else (values - values.mean()) / spread
