"""A motion curve bent by hand: louder, without its murmur, and with a slope before and after each peak."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def shape_curve(
    curve: ArrayLike,
    fps: float,
    *,
    gain: float = 1.0,
    threshold: float = 0.0,
    attack: float = 0.0,
    release: float = 0.0,
) -> np.ndarray:
    """Gate, amplify and smooth a motion curve, in this order.

    What lies below `threshold` becomes 0, the rest is multiplied by `gain`. Then the curve follows every rise with the
    time constant `attack` and every fall with `release`, as an envelope follower does:
    ``y[t] = x[t] + exp(-1 / (fps * seconds)) * (y[t - 1] - x[t])``.

    Args:
        curve: (t,) motion of each frame.
        fps: Frames per second.
        gain: Factor, at least 0.
        threshold: In units of the curve, before the gain.
        attack: Seconds; 0 follows at once.
        release: Seconds.

    Returns:
        (t,) float32, at least 0.

    Raises:
        ValueError: If the curve is not finite or a number is negative.

    >>> shape_curve([0.1, 1.0, 0.0, 0.0], 24, threshold=0.2, release=1 / 24).round(2).tolist()
    [0.0, 1.0, 0.3700000047683716, 0.14000000059604645]
    """
    values = np.asarray(curve, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"`curve` must be finite numbers (t,), got {values.dtype} {values.shape}.")
    for name, value in {"gain": gain, "threshold": threshold, "attack": attack, "release": release}.items():
        if not 0.0 <= value < math.inf:
            raise ValueError(f"`{name}` must be at least 0, got {value}.")
    shaped = np.where(values < threshold, 0.0, np.maximum(values, 0.0)) * gain
    rising, falling = (math.exp(-1 / (fps * seconds)) if seconds > 0 else 0.0 for seconds in (attack, release))
    level = 0.0
    for index, value in enumerate(shaped):
        level = value + (rising if value > level else falling) * (level - value)
        shaped[index] = level
    return shaped.astype(np.float32)
