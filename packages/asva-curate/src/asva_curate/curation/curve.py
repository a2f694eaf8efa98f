"""A measurement along time, and what is said of it within a window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from asva_data import MediaError

SLACK = 1e-6  # seconds; sums of times in floating point


@dataclass(frozen=True)
class Curve:
    """Values, each of which was measured on a stretch of time.

    Attributes:
        begins: (n,) float64, seconds at which each stretch begins.
        ends: (n,) float64, seconds at which it ends; for a pair of frames the second frame's time.
        values: (n,) float64.
    """

    begins: np.ndarray
    ends: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, points: Iterable[tuple[float, float, float]]) -> Curve:
        """A curve of (begin, end, value)."""
        columns = np.array(list(points), np.float64).reshape(-1, 3)
        return cls(*columns.T.copy())

    def within(self, start: float, end: float) -> np.ndarray:
        """Values whose whole stretch lies in ``[start, end]``."""
        inside = (self.begins >= start - SLACK) & (self.ends <= end + SLACK)
        return self.values[inside]


def statistic(values: np.ndarray, name: str) -> float:
    """One number of several: ``mean``, ``median``, ``min``, ``max`` or a percentile such as ``p90``; NaN of none.

    Raises:
        MediaError: If the name is none of these.
    """
    known = {"mean": np.mean, "median": np.median, "min": np.min, "max": np.max}
    if name in known:
        return float(known[name](values)) if len(values) else float("nan")
    if name[:1] == "p" and name[1:].isdigit() and int(name[1:]) <= 100:
        return float(np.percentile(values, int(name[1:]))) if len(values) else float("nan")
    raise MediaError(f"`stat` must be mean, median, min, max or p0 to p100, got {name!r}.")
