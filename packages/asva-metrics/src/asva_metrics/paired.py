"""Two systems on the same clips: the difference of a score, how sure it is, and whether it could be luck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from asva_metrics.intervals import Interval, percentile_interval

EXACT = 12
"""Up to this many videos all 2^n exchanges are tried instead of random ones."""
BLOCK = 512
"""Resamples computed at once."""


@dataclass(frozen=True)
class PairedDifference:
    """What one system scores above another on the same clips.

    Attributes:
        difference: Score of the first less that of the second, with its interval.
        p: Two-sided probability of so large a difference if clips did not care which system made them.
        num_clips: Clips that both define.
        num_groups: Independent groups, for example videos, that they come from.
    """

    difference: Interval
    p: float
    num_clips: int
    num_groups: int


def ratio_interval(
    contributions: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    generator: np.random.Generator,
    num_samples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of a ratio of sums, by drawing groups of clips with replacement.

    A mean, F1 and a mean error are all a sum of numerators over a sum of denominators; with four columns the interval
    is that of the difference of two such ratios, a score less its chance level.

    Args:
        contributions: (n,) values, whose mean is meant; (n, 2) numerators and denominators; or (n, 4) two of these.
        groups: (n,) names of what is drawn together, such as the video of each clip; every clip by itself if None.
        generator: Source of the draws.
        num_samples: Resamples.
        level: Share of resamples inside the interval.

    Returns:
        Estimate and interval; of a single group the ends are nan, since it says nothing about others.

    Raises:
        ValueError: If there are no clips, a value is not finite or `level` is not between 0 and 1.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> f"{ratio_interval([0.0, 1.0, 1.0, 1.0], generator=rng):.2f}"
        '0.75 [0.25, 1.00]'
    """
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie between 0 and 1, got {level}.")
    rows, _ = _grouped(contributions, groups, "contributions")
    estimate = float(_ratio(rows.sum(axis=0)))
    if len(rows) < 2:
        return Interval(estimate, float("nan"), float("nan"), len(np.atleast_1d(contributions)))
    samples = np.concatenate([_ratio(w @ rows) for w in _draws(len(rows), num_samples, generator)])
    return percentile_interval(estimate, samples, len(np.atleast_1d(contributions)), level)


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    generator: np.random.Generator,
    num_samples: int = 1000,
    num_permutations: int = 10000,
    level: float = 0.95,
) -> PairedDifference:
    """Compare two systems on the same clips: bootstrap of the difference, and a permutation test.

    The interval draws groups with replacement, both systems together. The test exchanges the systems of each group at
    random (all 2^n ways for up to 12 groups); p counts the exchanges that differ as much as what was seen, itself among
    them, so it is never 0.

    Args:
        first: (n,) values, or (n, 2) numerators and denominators, see `ratio_interval`.
        second: The same clips by the other system.
        groups: (n,) names of what belongs together, such as the video of each clip.
        generator: Source of draws and exchanges.
        num_samples: Resamples of the interval.
        num_permutations: Random exchanges.
        level: Share of resamples inside the interval.

    Returns:
        Difference, interval and p; with fewer than two groups the ends are nan and p is 1.

    Raises:
        ValueError: If shapes differ, there are no clips or a value is not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> result = paired_difference([0.9, 0.8, 0.7, 0.9, 0.8, 0.9], [0.1, 0.3, 0.2, 0.2, 0.1, 0.3], generator=rng)
        >>> round(result.difference.estimate, 3), result.p
        (0.633, 0.03125)
    """
    rows, names = _grouped(first, groups, "first")
    others, _ = _grouped(second, groups, "second")
    if np.shape(first) != np.shape(second) or rows.shape[1] != 2:
        raise ValueError(f"`second` must be (n,) or (n, 2) as `first` {np.shape(first)}, got {np.shape(second)}.")
    count = len(np.atleast_1d(first))
    estimate = float(_ratio(rows.sum(axis=0)) - _ratio(others.sum(axis=0)))
    nan = float("nan")
    if len(names) < 2:
        return PairedDifference(Interval(estimate, nan, nan, count), 1.0, count, len(names))
    both = np.concatenate((rows, others), axis=1)
    samples = np.concatenate([_ratio(w @ both) for w in _draws(len(rows), num_samples, generator)])
    p = _chance_of(estimate, rows, others, generator, num_permutations)
    return PairedDifference(percentile_interval(estimate, samples, count, level), p, count, len(names))


def jackknife_interval(estimate: float, left_out: ArrayLike, *, level: float = 0.95) -> tuple[Interval, float]:
    """Interval of a score of a whole set, such as FID, from the scores with each block of clips left out in turn.

    Drawing clips with replacement repeats some of them, which by itself moves Frechet and kernel distances, so that a
    bootstrap interval need not hold its own estimate. The jackknife only leaves out (Efron and Tibshirani, 1993):
    ``se^2 = (g - 1) var(left out)``, with Student's t of g - 1 degrees.

    Args:
        estimate: The score of all clips.
        left_out: (g,) scores without each block; fewer than three give no interval.
        level: Chance that the interval is meant to hold the true score.

    Returns:
        The interval (its ``num_clips`` are the blocks), and p that the score is 0, for differences of two systems.

    Example:
        >>> interval, p = jackknife_interval(2.0, [1.9, 2.0, 2.1])
        >>> f"{interval:.2f}", round(p, 3)
        ('2.00 [1.50, 2.50]', 0.003)
    """
    from scipy.stats import t

    values = np.asarray(left_out, dtype=np.float64)
    nan, degrees = float("nan"), len(values) - 1
    if degrees < 2:
        return Interval(estimate, nan, nan, len(values)), nan
    error = float(np.sqrt(degrees * np.var(values)))
    half = float(t.ppf((1 + level) / 2, degrees)) * error
    p = float(2 * t.sf(abs(estimate) / error, degrees)) if error else nan
    return Interval(estimate, estimate - half, estimate + half, len(values)), p


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's correction of several tests made at once: valid whatever the tests have in common.

    Args:
        p_values: (n,) probabilities; nan is left as it is and does not count.

    Returns:
        (n,) corrected ones, in the same order.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    corrected, largest = values.copy(), 0.0
    order = [i for i in np.argsort(values, kind="stable") if not np.isnan(values[i])]
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * values[place]))
        corrected[place] = largest
    return corrected


def _grouped(contributions: ArrayLike, groups: ArrayLike | None, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(g, 2 or 4) sums over each group, and the groups' names."""
    rows = np.asarray(contributions, dtype=np.float64)
    rows = np.stack((rows, np.ones_like(rows)), axis=1) if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] not in (2, 4) or len(rows) == 0:
        raise ValueError(f"`{name}` must have shape (n,), (n, 2) or (n, 4) with n of at least 1, got {rows.shape}.")
    if not np.isfinite(rows).all():
        raise ValueError(f"`{name}` must be finite, got NaN or infinity; leave these clips out.")
    labels: Any = np.arange(len(rows)) if groups is None else np.asarray(groups)
    if labels.shape != (len(rows),):
        raise ValueError(f"`groups` must name each of the {len(rows)} clips, got shape {labels.shape}.")
    names, places = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(names), rows.shape[1]))
    np.add.at(sums, places, rows)
    return sums, names


def _ratio(sums: np.ndarray) -> np.ndarray:
    """(..., 2) -> quotient; (..., 4) -> difference of two quotients."""
    with np.errstate(invalid="ignore", divide="ignore"):
        quotients = sums[..., ::2] / sums[..., 1::2]
    return quotients[..., 0] - quotients[..., 1] if quotients.shape[-1] == 2 else quotients[..., 0]


def _draws(count: int, num_samples: int, generator: np.random.Generator):
    """How often each group is drawn, some resamples at a time."""
    for first in range(0, num_samples, BLOCK):
        yield generator.multinomial(count, np.full(count, 1 / count), size=min(BLOCK, num_samples - first))


def _chance_of(
    estimate: float, rows: np.ndarray, others: np.ndarray, generator: np.random.Generator, num_permutations: int
) -> float:
    count, gap, total = len(rows), rows - others, others.sum(axis=0)
    extreme = seen = 0
    for exchanged in _exchanges(count, generator, num_permutations):
        moved = exchanged @ gap  # what the first system still has of what it has above the second
        differences = _ratio(total + moved) - _ratio(rows.sum(axis=0) - moved)
        extreme += int((np.abs(differences) >= abs(estimate) - 1e-12).sum())
        seen += len(exchanged)
    exact = count <= EXACT
    return extreme / seen if exact else (extreme + 1) / (seen + 1)


def _exchanges(count: int, generator: np.random.Generator, num_permutations: int):
    if count <= EXACT:
        yield (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        return
    for first in range(0, num_permutations, BLOCK):
        yield generator.integers(0, 2, size=(min(BLOCK, num_permutations - first), count))
