"""What can be written: targets, rates, frames, sound and tags, checked once at the door."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from .clip import MediaError

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
SOUND_RATES = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
METADATA = ("title", "artist", "album", "genre", "date", "comment", "description", "synopsis", "copyright")
NTSC = tuple(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120))


def frame_rate(fps: float | Fraction) -> Fraction:
    """The exact rate that a number of frames per second stands for: 29.97 is 30000/1001, 12.5 is 25/2."""
    if isinstance(fps, Fraction):
        exact = fps
    elif isinstance(fps, bool) or not isinstance(fps, (int, float, np.number)) or not math.isfinite(fps):
        raise MediaError(f"`fps` must be a finite number, got {fps!r}.")
    else:
        near = [rate for rate in NTSC if abs(float(fps) - rate) < 0.005]
        exact = near[0] if near else Fraction(float(fps)).limit_denominator(1001)
    if not 0 < exact <= 1000:
        raise MediaError(f"`fps` must be above 0 and at most 1000, got {fps!r}.")
    return exact


def check_target(path: str | os.PathLike) -> Path:
    """The target as a path with a known ending in an existing folder."""
    path = Path(path)
    if path.suffix.lower() not in CONTAINERS:
        raise MediaError(f"`path` must end in one of {', '.join(CONTAINERS)}, got {path}.")
    if not path.parent.is_dir():
        raise MediaError(f"`path` must lie in an existing folder, got {path}; create {path.parent} first.")
    if path.is_dir():
        raise MediaError(f"`path` must be a file, got the folder {path}.")
    return path


def check_frames(frames: Iterable[ArrayLike]) -> Iterator[np.ndarray]:
    """Frames one by one, each uint8 RGB of one even size."""
    shape = None
    for frame in frames:
        frame = np.asarray(frame)
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise MediaError(f"`frames` must be uint8 (h, w, 3) RGB pictures, got {frame.dtype} {frame.shape}.")
        if frame.shape[0] % 2 or frame.shape[1] % 2 or not frame.size:
            size = f"{frame.shape[0]}x{frame.shape[1]}"
            raise MediaError(
                f"`frames` must have even height and width for H.264, got {size}; crop or pad by one pixel."
            )
        if shape not in (None, frame.shape):
            raise MediaError(f"`frames` must all have the size of the first, {shape[:2]}, got {frame.shape[:2]}.")
        shape = frame.shape
        yield frame


def check_sound(waveform: ArrayLike | None, sample_rate: int | None) -> np.ndarray | None:
    """The waveform as (c, s) float32 that AAC can hold, or None."""
    if waveform is None:
        if sample_rate is not None:
            raise MediaError(f"`sample_rate` must be None without `waveform`, got {sample_rate}.")
        return None
    sound = np.atleast_2d(np.asarray(waveform))
    if sound.ndim != 2 or len(sound) not in LAYOUTS or not np.issubdtype(sound.dtype, np.floating):
        counts = ", ".join(map(str, LAYOUTS))
        raise MediaError(
            f"`waveform` must be floats of shape (c, s) with c one of {counts}, got {sound.dtype} {sound.shape}."
        )
    if not np.isfinite(sound).all():
        raise MediaError("`waveform` must be finite, got NaN or infinite samples; replace them first.")
    if sample_rate not in SOUND_RATES:
        rates = ", ".join(map(str, SOUND_RATES))
        raise MediaError(f"`sample_rate` must be a rate of AAC ({rates}), got {sample_rate}; resample first.")
    return sound.astype(np.float32, copy=False)


def check_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Tags that an mp4 really keeps."""
    tags = dict(metadata or {})
    for key, value in tags.items():
        if key not in METADATA or not isinstance(value, str):
            raise MediaError(f"`metadata` must map {', '.join(METADATA)} to text, got {key!r}: {value!r}.")
    return tags
