"""What the pipeline answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class KeyVIDOutput:
    """A video with its sound, and how it came about. Where lists were given, every field has the batch in front.

    Attributes:
        frames: (t, h, w, 3) uint8 numpy, or what `output_type` asked for.
        keyframe_frames: (k, h, w, 3), the first stage's frames, of the same type.
        keyframe_indices: (k,) int64, their places among `frames`.
        motion_curve: (t,) float32 motion predicted from the sound, in [0, 1], or None where nothing asked for it.
        waveform: (c, s) float32 numpy, the given sound cut or padded to the length of the video, or None.
        sample_rate: Of the waveform in hertz, or None.
        fps: Frames per second of `frames`.
    """

    frames: Any
    keyframe_frames: Any
    keyframe_indices: np.ndarray
    motion_curve: np.ndarray | None
    waveform: Any
    sample_rate: Any
    fps: float
