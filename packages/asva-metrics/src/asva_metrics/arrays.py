"""Arguments checked at the public door: arrays and tensors become finite arrays, sounds and frames have their shape."""

from __future__ import annotations

from typing import Any

import numpy as np


def to_numpy(values: Any, dtype: Any = np.float64) -> np.ndarray:
    """An array of an array, a tensor or a list."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=dtype)


def finite(values: Any, name: str, *, shape: str = "", dtype: Any = np.float64) -> np.ndarray:
    """A finite array of an array, a tensor or a list.

    Args:
        values: The values.
        name: Name of the argument, for the error.
        shape: Shape that it must have, such as ``"(n, d)"``, by the number of its letters; any if empty.
        dtype: Of the result.

    Raises:
        ValueError: If a value is not finite or the shape is another.
    """
    array = to_numpy(values, dtype)
    if shape and array.ndim != len([letter for letter in shape.strip("()").split(",") if letter.strip()]):
        raise ValueError(f"`{name}` must be finite with shape {shape}, got {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"`{name}` must be finite, got NaN or infinity.")
    return array


def sound(waveform: Any, *, least: int = 1, dtype: Any = np.float64) -> np.ndarray:
    """A finite (s,) or (c, s) sound of ``least`` samples or more."""
    samples = to_numpy(waveform, dtype)
    if samples.ndim not in (1, 2) or samples.shape[-1] < least:
        raise ValueError(f"`waveform` must hold at least {least} samples as (s,) or (c, s), got {samples.shape}.")
    return finite(samples, "waveform", dtype=dtype)


def rgb_frames(frames: Any, *, least: int = 1) -> np.ndarray:
    """A uint8 RGB video (t, h, w, 3) of ``least`` frames or more."""
    video = np.asarray(frames)
    if video.ndim != 4 or video.shape[3] != 3 or video.dtype != np.uint8 or 0 in video.shape or len(video) < least:
        raise ValueError(
            f"`frames` must be uint8 (t, h, w, 3) with t of at least {least}, got {video.dtype} {video.shape}."
        )
    return video


def check_positive(value: float, name: str) -> None:
    """Refuse a number that is not positive and finite."""
    if not 0 < value < np.inf:
        raise ValueError(f"`{name}` must be positive, got {value}.")
