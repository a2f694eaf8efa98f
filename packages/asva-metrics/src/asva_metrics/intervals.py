"""Intervals by resampling clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class MeanStd:
    """A mean with the standard deviation around it."""

    mean: float
    std: float


@dataclass(frozen=True)
class Interval:
    """A figure and how far it can be trusted.

    Attributes:
        estimate: The statistic of all clips.
        low: Lower end.
        high: Upper end.
        num_clips: Clips it comes from.
        num_undefined: Resamples whose statistic was nan, left out of the interval.
    """

    estimate: float
    low: float
    high: float
    num_clips: int
    num_undefined: int = 0

    def __format__(self, spec: str) -> str:
        """Format as ``0.91 [0.88, 0.94]`` with `spec` for each number."""
        low, high = format(self.low, spec), format(self.high, spec)
        return f"{format(self.estimate, spec)} [{low}, {high}]"


def bootstrap_interval(
    clips: Sequence[Any] | np.ndarray,
    statistic: Callable[[list[Any]], float] | None = None,
    *,
    generator: np.random.Generator,
    num_samples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of a statistic, by drawing clips with replacement.

    Args:
        clips: What each clip contributes: a number, an `EventMatch`, anything `statistic` takes a list of.
        statistic: Function of a list of clips; None is the mean of numbers.
        generator: Source of the draws.
        num_samples: Resamples.
        level: Share of resamples inside the interval.

    Returns:
        Estimate and interval; a single clip gives an interval of no width, which says nothing.

    Raises:
        ValueError: If there are no clips or `level` is not between 0 and 1.

    Example:
        >>> interval = bootstrap_interval([0.0, 1.0, 1.0, 1.0], generator=np.random.default_rng(0))
        >>> f"{interval:.2f}"
        '0.75 [0.25, 1.00]'
    """
    items = list(clips)
    if not items:
        raise ValueError("`clips` must hold at least one clip, got none.")
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie between 0 and 1, got {level}.")
    compute = _mean if statistic is None else statistic
    draws = generator.integers(len(items), size=(num_samples, len(items)))
    samples = np.array([compute([items[i] for i in draw]) for draw in draws.tolist()], dtype=np.float64)
    return percentile_interval(float(compute(items)), samples, len(items), level)


def percentile_interval(estimate: float, samples: np.ndarray, num_clips: int, level: float) -> Interval:
    """The interval between two percentiles of resampled statistics, undefined ones left out."""
    defined = samples[~np.isnan(samples)]
    tail = 50 * (1 - level)
    low, high = np.percentile(defined, [tail, 100 - tail]) if len(defined) else (np.nan, np.nan)
    return Interval(estimate, float(low), float(high), num_clips, len(samples) - len(defined))


def _mean(values: list[Any]) -> float:
    return float(np.mean(values))
