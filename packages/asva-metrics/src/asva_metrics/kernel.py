"""Kernel distance between two sets of features, the number behind KID and KVD."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asva_metrics.features import feature_matrix
from asva_metrics.intervals import MeanStd


def kernel_distance(
    generated: Any, reference: Any, *, degree: int = 3, gamma: float | None = None, coefficient: float = 1.0
) -> float:
    """Unbiased squared maximum mean discrepancy with a polynomial kernel (Binkowski et al., 2018).

    ``mean_(i != j) k(x_i, x_j) + mean_(i != j) k(y_i, y_j) - 2 mean_(i, j) k(x_i, y_j)`` with
    ``k(x, y) = (gamma x.y + c)^degree``.

    Being unbiased it can lie below 0, also for two equal sets.

    Args:
        generated: (n, d) features, array or tensor.
        reference: (m, d) features of the true clips.
        degree: Power of the kernel.
        gamma: Factor of the inner product; None is ``1 / d``.
        coefficient: Constant of the kernel.

    Returns:
        The distance.

    Raises:
        ValueError: If a set has fewer than two features, the widths differ or a value is not finite.
    """
    first, second = _pair(generated, reference)
    kernel = _polynomial(first.shape[1], degree, gamma, coefficient)
    within = [_mean_off_diagonal(kernel(x, x)) for x in (first, second)]
    return float(sum(within) - 2 * kernel(first, second).mean())


def kernel_jackknife(
    generated: Any,
    reference: Any,
    groups: ArrayLike,
    *,
    degree: int = 3,
    gamma: float | None = None,
    coefficient: float = 1.0,
) -> tuple[float, NDArray[np.float64]]:
    """`kernel_distance` of all and with each group left out in turn, at the cost of one, by sums over pairs of groups.

    Args:
        generated: (n, d) features, array or tensor.
        reference: (n, d) features of the true clips, in the same order.
        groups: (n,) numbers from 0 on of what is left out together, such as the block of videos of each feature.
        degree: Power of the kernel.
        gamma: Factor of the inner product; None is ``1 / d``.
        coefficient: Constant of the kernel.

    Returns:
        The distance, and (g,) distances.

    Raises:
        ValueError: As `kernel_distance`, if features and groups differ in number, or a group leaves fewer than two.
    """
    first, second = _pair(generated, reference)
    group = np.asarray(groups)
    if not len(first) == len(second) == len(group):
        raise ValueError(f"`groups` must be of {len(first)} features on both sides, got {len(group)}.")
    rows = [np.flatnonzero(group == one) for one in range(group.max() + 1)]
    left = len(group) - np.array([0, *map(len, rows)])
    if left.min() < 2:
        raise ValueError(f"`groups` must leave at least 2 features, got {left.min()}.")
    kernel = _polynomial(first.shape[1], degree, gamma, coefficient)

    def sums(x: np.ndarray, y: np.ndarray, *, off_diagonal: bool = False) -> np.ndarray:
        """(1 + g,) sums over all pairs, and over those that have no part in a group."""
        table, diagonal = np.empty((len(rows), len(rows))), np.zeros(len(rows))
        for place, row in enumerate(rows):
            values = kernel(x[row], y)
            table[place] = [values[:, other].sum() for other in rows]
            diagonal[place] = values[np.arange(len(row)), row].sum() if off_diagonal else 0.0
        part = table.sum(axis=0) + table.sum(axis=1) - np.diag(table) - diagonal
        return table.sum() - diagonal.sum() - np.append(0.0, part)

    within = sums(first, first, off_diagonal=True) + sums(second, second, off_diagonal=True)
    whole, *without = within / (left * (left - 1)) - 2 * sums(first, second) / left**2
    return float(whole), np.array(without)


def kernel_distance_of_subsets(
    generated: Any, reference: Any, *, generator: np.random.Generator, num_subsets: int = 100, subset_size: int = 1000
) -> MeanStd:
    """Mean of `kernel_distance` over random subsets of equal size, as KID is published.

    Args:
        generated: (n, d) features, array or tensor.
        reference: (m, d) features of the true clips.
        generator: Source of the subsets.
        num_subsets: Number of pairs of subsets.
        subset_size: Features in each, drawn without replacement.

    Returns:
        Mean and standard deviation over the subsets (divided by their number, as published).

    Raises:
        ValueError: As `kernel_distance`, or if a set holds fewer than ``subset_size`` features.
    """
    first, second = _pair(generated, reference)
    fewest = min(len(first), len(second))
    if not 2 <= subset_size <= fewest:
        raise ValueError(f"`subset_size` must lie between 2 and the {fewest} features there are, got {subset_size}.")
    distances = [
        kernel_distance(*(x[generator.choice(len(x), subset_size, replace=False)] for x in (first, second)))
        for _ in range(num_subsets)
    ]
    return MeanStd(float(np.mean(distances)), float(np.std(distances)))


def _polynomial(width: int, degree: int, gamma: float | None, coefficient: float) -> Callable[..., np.ndarray]:
    scale = 1 / width if gamma is None else gamma
    return lambda x, y: (scale * (x @ y.T) + coefficient) ** degree


def _mean_off_diagonal(kernel: np.ndarray) -> float:
    count = len(kernel)
    return float(kernel.sum() - np.trace(kernel)) / (count * (count - 1))


def _pair(generated: Any, reference: Any) -> tuple[np.ndarray, np.ndarray]:
    """(reference, generated), in whose order the sums are taken."""
    second, first = feature_matrix(generated, "generated"), feature_matrix(reference, "reference")
    for name, features in (("generated", second), ("reference", first)):
        if len(features) < 2:
            raise ValueError(f"`{name}` must hold at least 2 samples, got {len(features)}.")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"`generated` must have the width of `reference` ({first.shape[1]}), got {second.shape[1]}.")
    return first, second
