"""Features of many clips: their check, and statistics that stream, merge and travel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from asva_metrics.arrays import to_numpy
from asva_weights.text import reading

Covariance = Literal["unbiased", "biased"]


def feature_matrix(features: Any, name: str = "features") -> np.ndarray:
    """(n, d) finite float64 features from an array or a tensor.

    Raises:
        ValueError: If the shape is another or a value is not finite.
    """
    values = to_numpy(features)
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(f"`{name}` must have shape (n, d), got {values.shape}.")
    if not np.isfinite(values).all():
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist()
        raise ValueError(f"`{name}` must be finite, got NaN or infinity in rows {bad[:5]}; leave these clips out.")
    return values


class FeatureStatistics:
    """Mean and covariance of features that are seen once and not stored.

    Batches add up to what all features at once give, in float64 and without the cancellation of raw sums (Chan, Golub
    and LeVeque, 1979). Statistics of several processes merge, in any order.

    Attributes:
        count: Features seen.
        mean: (d,) float64; None before the first feature.
        scatter: (d, d) float64 sum of outer products about the mean; None before the first feature.

    Example:
        >>> first, second = FeatureStatistics([[0.0, 1.0], [2.0, 1.0]]), FeatureStatistics([[4.0, 4.0]])
        >>> both = first.merge(second)
        >>> both.count, both.mean.tolist(), both.covariance().tolist()
        (3, [2.0, 2.0], [[4.0, 3.0], [3.0, 3.0]])
    """

    def __init__(self, features: Any = None) -> None:
        self.count = 0
        self.mean: Any = None
        self.scatter: Any = None
        if features is not None:
            self.update(features)

    def update(self, features: Any) -> FeatureStatistics:
        """Add (n, d) features, array or tensor.

        Raises:
            ValueError: If the shape or the width is another, or a value is not finite; nothing is added then.
        """
        values = feature_matrix(features)
        if len(values) == 0:
            return self
        mean = values.mean(axis=0)
        centred = values - mean
        return self._add(len(values), mean, centred.T @ centred)

    def merge(self, other: FeatureStatistics) -> FeatureStatistics:
        """Add what another process has seen.

        Raises:
            ValueError: If the widths differ.
        """
        return self if other.count == 0 else self._add(other.count, other.mean, other.scatter)

    def without(self, part: FeatureStatistics) -> FeatureStatistics:
        """New statistics of what was seen here but not in a part of it, such as a block of a jackknife.

        Raises:
            ValueError: If the part holds more features or other widths.
        """
        if part.count == 0:
            return FeatureStatistics().merge(self)
        rest = FeatureStatistics()
        rest.count = self.count - part.count
        if rest.count < 1 or part.mean.shape != self.mean.shape:
            raise ValueError(f"`part` must be less than the {self.count} features of all, got {part.count}.")
        rest.mean = self.mean + (self.mean - part.mean) * (part.count / rest.count)
        gap = part.mean - rest.mean
        rest.scatter = self.scatter - part.scatter - np.outer(gap, gap) * (rest.count * part.count / self.count)
        return rest

    def covariance(self, kind: Covariance = "unbiased") -> np.ndarray:
        """(d, d) scatter divided by n - 1, or by n if "biased".

        Raises:
            ValueError: If there are fewer than two features.
        """
        if self.count < 2:
            raise ValueError(f"`features` must hold at least 2 samples, got {self.count}.")
        return self.scatter / (self.count - (kind == "unbiased"))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` of count, mean and scatter."""
        if self.count == 0:
            raise ValueError("`features` must hold at least 1 sample before it is saved, got none.")
        with Path(path).open("wb") as file:
            np.savez(file, count=self.count, mean=self.mean, scatter=self.scatter)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FeatureStatistics:
        """Read what `save` wrote.

        Raises:
            ValueError: If the file holds something else.
        """
        with reading(Path(path), "`path` must hold saved FeatureStatistics"):
            with np.load(path, allow_pickle=False) as file:
                return cls()._add(int(file["count"]), file["mean"], file["scatter"])

    def _add(self, count: int, mean: np.ndarray, scatter: np.ndarray) -> FeatureStatistics:
        if self.count == 0:
            self.count, self.mean, self.scatter = count, mean.copy(), scatter.copy()
            return self
        if mean.shape != self.mean.shape:
            raise ValueError(f"`features` must have width {len(self.mean)} as before, got {len(mean)}.")
        total, gap = self.count + count, mean - self.mean
        self.scatter += scatter + np.outer(gap, gap) * (self.count * count / total)
        self.mean += gap * (count / total)
        self.count = total
        return self
