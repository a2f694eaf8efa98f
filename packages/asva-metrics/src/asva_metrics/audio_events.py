"""Audio events at the frames of a video: what begins to sound, weighed around the time of each frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from asva_keyframe.onsets import GROWTH_RATE as GROWTH_RATE
from asva_keyframe.onsets import LEAD as LEAD
from asva_keyframe.onsets import audio_events as audio_events
from asva_keyframe.onsets import sound_growth as sound_growth
from asva_metrics.arrays import check_positive


def sound_envelope(waveform: Any, sample_rate: int, fps: float, num_frames: int) -> np.ndarray:
    """How much begins to sound at each frame: `sound_growth`, weighed around the time of each frame.

    Args:
        waveform: (s,) or (c, s) sound, array or tensor.
        sample_rate: Its rate in hertz.
        fps: Frames per second.
        num_frames: Frames wanted; beyond the end of the sound there is none.

    Returns:
        (num_frames,) float64 decibels.

    Raises:
        ValueError: As `sound_growth`, or if the rate of frames is not positive.
    """
    check_positive(fps, "fps")
    growth = sound_growth(waveform, sample_rate)
    distance = np.arange(num_frames)[:, None] / fps - (np.arange(len(growth)) / GROWTH_RATE + LEAD)
    weights = np.maximum(0.0, 1.0 - np.abs(distance) * fps)
    return weights @ growth / np.maximum(weights.sum(axis=1), 1e-9)
