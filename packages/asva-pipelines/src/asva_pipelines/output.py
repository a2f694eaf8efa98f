"""What the pipelines answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from asva_pipelines.inputs import Sound


@dataclass(frozen=True, kw_only=True)
class VideoOutput:
    """A video with its sound. Where lists were given, every field but `fps` has the batch in front.

    Attributes:
        frames: (t, h, w, 3) uint8 numpy, or what `output_type` asked for.
        waveform: (c, s) float32 numpy, the given sound cut or padded to the length of the video, or None.
        sample_rate: Of the waveform in hertz, or None.
        fps: Frames per second of `frames`.
    """

    frames: Any
    waveform: Any
    sample_rate: Any
    fps: float

    @classmethod
    def of(cls, sounds: Sequence[Sound | None], fps: float, *, single: bool, **fields: Any) -> Self:
        """The output of a batch, or with `single` of its only sample."""
        fields["waveform"] = [None if sound is None else sound.waveform.numpy() for sound in sounds]
        fields["sample_rate"] = [None if sound is None else sound.sample_rate for sound in sounds]
        if single:
            fields = {name: None if value is None else value[0] for name, value in fields.items()}
        return cls(fps=fps, **fields)


@dataclass(frozen=True, kw_only=True)
class KeyVIDOutput(VideoOutput):
    """A video with its sound, and how it came about.

    Attributes:
        keyframe_frames: (k, h, w, 3), the first stage's frames, of the same type as `frames`.
        keyframe_indices: (k,) int64, their places among `frames`.
        motion_curve: (t,) float32 motion predicted from the sound, in [0, 1], or None where keyframes were
            given or nothing was heard.
    """

    keyframe_frames: Any
    keyframe_indices: np.ndarray
    motion_curve: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class MTVOutput(VideoOutput):
    """A video with its sound, and how it came about.

    Attributes:
        demixed_by: How the sound was taken apart: ``"given"``, ``"masks"`` (approximate), or a demixer's name; None
            without sound.
        windows: First frame, and frame behind the last, of each window.
        given_frames: Indices of the frames that were given as pictures.
    """

    demixed_by: Any
    windows: Any
    given_frames: Any
