"""Correlation of predicted and true motion curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from asva_metrics.intervals import Interval, bootstrap_interval


@dataclass(frozen=True)
class CurveCorrelation:
    """Correlations of many clips.

    Attributes:
        mean: Mean over the clips where it is defined, with its interval.
        per_clip: (n,) correlation of each clip; nan where a curve is constant.
        num_undefined: Clips left out of the mean for that reason.
    """

    mean: Interval
    per_clip: np.ndarray
    num_undefined: int


def pearson(first: ArrayLike, second: ArrayLike) -> np.ndarray | float:
    """Pearson correlation along the last axis.

    Args:
        first: (..., t) curves.
        second: (..., t) curves of the same shape.

    Returns:
        (...) in [-1, 1], a float for two vectors; nan where a curve is constant.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> round(pearson([0, 1, 2], [5, 7, 9]), 6)
        1.0
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim == 0:
        raise ValueError(f"`first` and `second` must have one shape (..., t), got {x.shape} and {y.shape}.")
    constant = (np.ptp(x, axis=-1) == 0) | (np.ptp(y, axis=-1) == 0)
    x, y = x - x.mean(axis=-1, keepdims=True), y - y.mean(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (x * y).sum(axis=-1) / np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))
    value = np.where(constant, np.nan, np.clip(value, -1.0, 1.0))
    return float(value) if value.ndim == 0 else value


def curve_correlation(
    predicted: ArrayLike, target: ArrayLike, *, generator: np.random.Generator, num_samples: int = 1000
) -> CurveCorrelation:
    """Mean Pearson correlation of clips' curves with a 95 % interval.

    Args:
        predicted: (n, t) curves.
        target: (n, t) true curves.
        generator: Source of the resampling.
        num_samples: Resamples.

    Returns:
        Mean with interval (nan if no clip defines one), single values, and how many are undefined.

    Raises:
        ValueError: If the shapes differ or are not (n, t).
    """
    per_clip = np.asarray(pearson(predicted, target))
    if per_clip.ndim != 1:
        raise ValueError(f"`predicted` must have shape (n, t), got {np.shape(predicted)}.")
    defined = per_clip[~np.isnan(per_clip)]
    if len(defined) == 0:
        mean = Interval(float("nan"), float("nan"), float("nan"), 0)
    else:
        mean = bootstrap_interval(defined, generator=generator, num_samples=num_samples)
    return CurveCorrelation(mean, per_clip, len(per_clip) - len(defined))
