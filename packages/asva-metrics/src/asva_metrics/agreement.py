"""How far a score agrees with people: rank correlations over videos and systems, and pairs that it orders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau, rankdata

from asva_metrics.intervals import Interval
from asva_metrics.paired import jackknife_interval, ratio_interval

Correlation = Callable[[np.ndarray, np.ndarray], float]
LARGEST = 1 - 1e-6
"""Correlations are held below 1 where they are put on Fisher's scale."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of a score with ratings.

    Attributes:
        spearman: Over all videos; the interval leaves out clips in turn, with all that systems made of them.
        kendall: Kendall's tau b, the same.
        by_system: Spearman over all videos, with an interval that leaves out systems in turn: whether it would hold for
            systems that were not rated.
        systems: Spearman of the systems' means; nan of fewer than three.
        accuracy: Share of the pairs of one clip that the score orders as people do, ties half; 0.5 is chance.
        num_videos: Videos that have both.
        num_pairs: Pairs that people do not rate alike.
        reason: Why figures are nan, or an empty string.
    """

    spearman: Interval
    kendall: Interval
    by_system: Interval
    systems: float
    accuracy: Interval
    num_videos: int
    num_pairs: int
    reason: str


def agreement(
    scores: ArrayLike, ratings: ArrayLike, clips: ArrayLike, systems: ArrayLike, *, generator: np.random.Generator
) -> Agreement:
    """Compare scores with ratings of the same videos.

    Args:
        scores: (n,) score of each video, larger for better; nan where undefined.
        ratings: (n,) mean rating, larger for better.
        clips: (n,) the clip that each video was made for.
        systems: (n,) the system that made it.
        generator: Source of the resampling of pairs.

    Raises:
        ValueError: If the lengths differ or a rating is not finite.

    Example:
        >>> found = agreement([1, 2, 3, 4, 2, 3], [1, 2, 3, 4, 3, 2], [0, 0, 1, 1, 2, 2], list("ababab"),
        ...                   generator=np.random.default_rng(0))
        >>> round(found.spearman.estimate, 2), round(found.accuracy.estimate, 2), found.num_pairs
        (0.76, 0.67, 3)
    """
    first, second = (np.asarray(x, dtype=np.float64) for x in (scores, ratings))
    names = np.asarray(clips), np.asarray(systems)
    if first.ndim != 1 or any(len(x) != len(first) for x in (second, *names)) or not np.isfinite(second).all():
        raise ValueError(f"`scores`, `ratings`, `clips` and `systems` must be of one length, got {first.shape}.")
    kept = np.isfinite(first)
    first, second, clip, system = first[kept], second[kept], names[0][kept], names[1][kept]
    pairs = _pairs(first, second, clip)
    nan = float("nan")
    none, reason = Interval(nan, nan, nan, len(first)), _why(first, second)
    if reason:
        return Agreement(none, none, none, nan, none, len(first), len(pairs), reason)
    means = [np.array([x[system == name].mean() for name in np.unique(system)]) for x in (first, second)]
    among = spearman(*means) if len(means[0]) > 2 else nan
    owner, right = (np.array(column) for column in zip(*pairs, strict=True)) if pairs else (np.zeros(0), np.zeros(0))
    accuracy = ratio_interval(right, groups=owner, generator=generator) if pairs else none
    return Agreement(
        _leaving_out(spearman, first, second, clip),
        _leaving_out(kendall, first, second, clip),
        _leaving_out(spearman, first, second, system),
        among,
        accuracy,
        len(first),
        len(pairs),
        "",
    )


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation; nan if a side is constant."""
    a, b = (rankdata(x) - (len(x) + 1) / 2 for x in (first, second))
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size else float("nan")


def kendall(first: np.ndarray, second: np.ndarray) -> float:
    """Kendall's tau b."""
    return float(kendalltau(first, second).statistic)


def rating_ceiling(ratings: NDArray[np.float64], *, generator: np.random.Generator, num_splits: int = 100) -> float:
    """What the mean of the raters would agree with another such mean: split halves, brought to all raters.

    Args:
        ratings: (n, raters), nan where a rater did not rate.
        generator: Source of the splits.
        num_splits: Splits that are averaged.

    Returns:
        Spearman-Brown of the mean split-half Spearman; nan of fewer than two raters.
    """
    if ratings.shape[1] < 2:
        return float("nan")
    found = []
    for _ in range(num_splits):
        order = generator.permuted(np.tile(np.arange(ratings.shape[1]), (len(ratings), 1)), axis=1)
        mixed = np.take_along_axis(ratings, order, axis=1)
        with np.errstate(invalid="ignore"):
            halves = [_mean(mixed[:, i::2]) for i in range(2)]
        both = np.isfinite(halves[0]) & np.isfinite(halves[1])
        found.append(spearman(halves[0][both], halves[1][both]) if both.sum() > 2 else np.nan)
    half = _mean(np.array(found)[None])[0]
    return float(2 * half / (1 + half)) if np.isfinite(half) else float("nan")


def _mean(values: np.ndarray) -> np.ndarray:
    counts = np.isfinite(values).sum(axis=1)
    return np.where(counts > 0, np.nansum(values, axis=1) / np.maximum(counts, 1), np.nan)


def _leaving_out(correlation: Correlation, first: np.ndarray, second: np.ndarray, groups: np.ndarray) -> Interval:
    """A jackknife over groups on Fisher's scale, where the error of a correlation does not depend on it."""
    kept = [groups != name for name in np.unique(groups)]
    left = np.array([correlation(first[one], second[one]) for one in kept if one.sum() > 2])
    estimate = correlation(first, second)
    lifted = np.arctanh(np.clip(np.append(left[np.isfinite(left)], estimate), -LARGEST, LARGEST))
    interval, _ = jackknife_interval(float(lifted[-1]), lifted[:-1])
    return Interval(estimate, float(np.tanh(interval.low)), float(np.tanh(interval.high)), len(kept))


def _pairs(scores: np.ndarray, ratings: np.ndarray, clips: np.ndarray) -> list[tuple[object, float]]:
    """(clip, share right) of each pair of one clip that is rated apart."""
    found = []
    for clip in np.unique(clips):
        for i, j in combinations(np.flatnonzero(clips == clip), 2):
            if ratings[i] != ratings[j]:
                agreed = (scores[i] - scores[j]) * np.sign(ratings[i] - ratings[j])
                found.append((clip, 0.5 * (1 + np.sign(agreed))))
    return found


def _why(scores: np.ndarray, ratings: np.ndarray) -> str:
    if len(scores) < 3:
        return f"{len(scores)} videos have both a score and a rating, 3 are needed"
    if not np.ptp(ratings):
        return "all ratings are the same"
    return "" if np.ptp(scores) else "the score is the same for all videos"
