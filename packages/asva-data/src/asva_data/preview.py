"""Small copies of parts of videos, which any browser plays, whatever the source is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .decode import iter_frames
from .encode import write_video
from .encode_check import SOUND_RATES
from .info import probe
from .sound import read_sound

RATE = 30.0
"""Frames per second, at most."""
SOUND_RATE = 32000
"""What a rate that AAC has not becomes."""


def write_preview(
    path: str | os.PathLike,
    target: str | os.PathLike,
    *,
    start: float = 0.0,
    seconds: float | None = None,
    side: int = 240,
    crf: int = 28,
    sound: tuple[str | os.PathLike, float] | None = None,
) -> Path:
    """Write a part of a video as a small H.264 and AAC file: upright, at most 30 frames a second, sound on its clock.

    Args:
        path: Any video that can be read.
        target: An .mp4 in an existing folder.
        start: Second at which the part begins.
        seconds: Length, or None for all that follows.
        side: Pixels of the shorter side, at most.
        crf: Quality of x264.
        sound: Another file, and the second in it, that the sound is taken from.

    Returns:
        The target.

    Raises:
        MediaError: If the video cannot be read or the file not be written.
    """
    rate = min(RATE, probe(path).fps)
    frames = _shrunk(iter_frames(path, start=start, duration=seconds, fps=rate), side)
    return write_video(target, frames, fps=rate, crf=crf, **_sound(*(sound or (path, start)), seconds))


def _shrunk(frames: Iterator[tuple[float, np.ndarray]], side: int) -> Iterator[np.ndarray]:
    for _, frame in frames:
        factor = min(1.0, side / min(frame.shape[:2]))
        height, width = (max(2, round(length * factor / 2) * 2) for length in frame.shape[:2])
        yield np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BOX))


def _sound(path: str | os.PathLike, start: float, seconds: float | None) -> dict[str, Any]:
    """The sound as `write_video` takes it: one or two channels at a rate of AAC."""
    info = probe(path)
    if not info.has_sound:
        return {}
    waveform, rate = read_sound(path, info, start, seconds)
    if len(waveform) > 2:
        waveform = waveform.mean(axis=0, keepdims=True)
    if rate not in SOUND_RATES:
        from scipy.signal import resample_poly

        common = gcd(rate, SOUND_RATE)
        waveform, rate = resample_poly(waveform, SOUND_RATE // common, rate // common, axis=-1), SOUND_RATE
    return {"waveform": waveform.clip(-1, 1), "sample_rate": rate}
