"""Peaks and valleys of a motion curve (KeyVID, section 3.2.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Keypoints:
    """Where a motion curve turns.

    Attributes:
        peaks: Sorted int64 indices of the peaks.
        valleys: Sorted int64 indices of the valleys.
    """

    peaks: np.ndarray
    valleys: np.ndarray

    def window(self, start: int, length: int) -> Keypoints:
        """Keep the keypoints of ``[start, start + length)``, counted from ``start``."""
        inside = [k[(k >= start) & (k < start + length)] - start for k in (self.peaks, self.valleys)]
        return Keypoints(*inside)


def check_curve(curve: ArrayLike, name: str = "curve") -> np.ndarray:
    """Return the curve as a float64 vector.

    Raises:
        ValueError: If it is not one-dimensional, is empty, or holds NaN or infinity.
    """
    values = np.asarray(curve, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"`{name}` must be a non-empty vector of motion scores, got shape {values.shape}.")
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(
            f"`{name}` must be finite, got {values[bad]} at index {bad}. Predict or measure the curve again."
        )
    return values


def smooth_curve(curve: np.ndarray, taps: int = 5) -> np.ndarray:
    """Box filter of `taps` values; beyond the ends the curve counts as zero, as in the original's training data."""
    if taps == 1:
        return curve
    offset = (taps - 1) // 2
    return np.convolve(curve, np.full(taps, 1.0) / taps)[offset : offset + len(curve)]


def find_keypoints(curve: ArrayLike, *, taps: int = 1, distance: int = 5, prominence: float = 0.1) -> Keypoints:
    """Peaks and valleys of a motion curve.

    Args:
        curve: (t,) motion scores.
        taps: Width of the box filter before the search; 1 is none (inference), the original's training data use 5.
        distance: Smallest number of frames between two peaks, or between two valleys.
        prominence: Smallest height of a peak over its surroundings, in units of the curve.

    Returns:
        Sorted indices of peaks and valleys.

    Raises:
        ValueError: If `curve` is empty, not a vector or not finite.

    Example:
        >>> find_keypoints([0, 1, 0, 0, 0, 0, 2, 0]).peaks.tolist()
        [1, 6]
    """
    from scipy.signal import find_peaks  # not imported where no keyframe is chosen

    smoothed = smooth_curve(check_curve(curve), taps)
    peaks, _ = find_peaks(smoothed, distance=distance, prominence=prominence)
    valleys, _ = find_peaks(-smoothed, distance=distance, prominence=prominence)
    return Keypoints(peaks.astype(np.int64), valleys.astype(np.int64))
