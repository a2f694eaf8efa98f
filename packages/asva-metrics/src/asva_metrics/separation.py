"""How well a score tells true sound from wrong sound: what makes one worth reporting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from asva_metrics.intervals import Interval, bootstrap_interval


@dataclass(frozen=True)
class Separation:
    """Scores of true pairs beside those of wrong ones.

    Attributes:
        auc: Probability that a true pair scores higher than a wrong one, with its interval; 0.5 is chance.
        true: Mean score of the true pairs.
        chance: Mean score of the wrong pairs.
        excess: ``true - chance``.
        num_undefined: Clips left out because a score is nan.
    """

    auc: Interval
    true: float
    chance: float
    excess: float
    num_undefined: int


def auc(true: ArrayLike, wrong: ArrayLike) -> float:
    """Probability that a true pair scores higher than a wrong one, ties counting half (area under the ROC curve).

    Args:
        true: (n,) scores.
        wrong: (m,) scores.

    Returns:
        From 0 to 1; nan if a side is empty.

    Raises:
        ValueError: If a score is nan.

    Example:
        >>> auc([0.9, 0.5], [0.5, 0.1])
        0.875
    """
    first, second = (np.asarray(x, dtype=np.float64).reshape(-1) for x in (true, wrong))
    if np.isnan(first).any() or np.isnan(second).any():
        raise ValueError("`true` and `wrong` must be defined scores, got nan; leave these clips out.")
    if len(first) == 0 or len(second) == 0:
        return float("nan")
    ranks = rankdata(np.concatenate((first, second)))[: len(first)]
    return float((ranks.sum() - len(first) * (len(first) + 1) / 2) / (len(first) * len(second)))


def separation(
    true: ArrayLike, wrong: ArrayLike, *, generator: np.random.Generator, num_samples: int = 1000
) -> Separation:
    """Compare scores of clips with their own sound and with shifted or swapped sound.

    Clips are resampled with all their scores, so that several wrong sounds of one clip do not count as independent.

    Args:
        true: (n,) score of each clip with its own sound; larger for better.
        wrong: (n,) or (n, k) scores of the same clips with wrong sound.
        generator: Source of the resampling.
        num_samples: Resamples.

    Returns:
        AUC with its interval, means and excess; all nan if no clip is defined.

    Raises:
        ValueError: If the numbers of clips differ.
    """
    first, second = np.asarray(true, dtype=np.float64), np.asarray(wrong, dtype=np.float64)
    if first.ndim != 1 or second.ndim not in (1, 2) or len(second) != len(first):
        raise ValueError(f"`wrong` must hold the {first.shape} clips of `true`, got {second.shape}.")
    table = np.column_stack((first, second))
    defined = table[~np.isnan(table).any(axis=1)]
    undefined = len(table) - len(defined)
    nan = float("nan")
    if len(defined) == 0:
        return Separation(Interval(nan, nan, nan, 0), nan, nan, nan, undefined)
    interval = bootstrap_interval(
        list(defined), lambda rows: _auc_of_rows(np.stack(rows)), generator=generator, num_samples=num_samples
    )
    means = float(defined[:, 0].mean()), float(defined[:, 1:].mean())
    return Separation(interval, *means, means[0] - means[1], undefined)


def _auc_of_rows(rows: np.ndarray) -> float:
    return auc(rows[:, 0], rows[:, 1:])
