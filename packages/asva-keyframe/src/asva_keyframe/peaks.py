"""Peaks of a curve that stand out, to a fraction of a sample."""

from __future__ import annotations

import numpy as np


def prominent_times(
    curve: np.ndarray, rate: float, prominence: float, min_gap: float, *, floor: float = 0.0
) -> np.ndarray:
    """Times of the peaks of a curve, interpolated between samples by a parabola.

    A peak counts if its prominence reaches the share ``prominence`` of the largest one and the distance between the
    curve's median and its lower tenth, which is the size of its noise, and if it is as high as ``floor``. At the ends a
    curve counts as falling to 0 beyond, so that an event in the first frame is one.

    Args:
        curve: (n,) values of at least 0.
        rate: Values per second.
        prominence: Share, 0 to 1.
        min_gap: Least seconds between two peaks; of two nearer ones the higher stays.
        floor: Least height.

    Returns:
        Seconds, rising.
    """
    if len(curve) < 3 or np.ptp(curve) == 0:
        return np.empty(0)
    from scipy.signal import find_peaks, peak_prominences  # takes as long to import as most of what this is used in

    padded = np.pad(curve, 1)
    places, _ = find_peaks(padded, distance=max(1, round(min_gap * rate)))
    heights = peak_prominences(padded, places)[0]
    noise = np.median(curve) - np.quantile(curve, 0.1)
    found = places[(heights >= max(prominence * heights.max(initial=0), noise)) & (padded[places] >= floor)]
    low, top, high = padded[found - 1], padded[found], padded[found + 1]
    bend = np.minimum(low - 2 * top + high, -1e-12)
    return np.maximum(found - 1 + 0.5 * (low - high) / bend, 0) / rate


def check_share(prominence: float, min_gap: float) -> None:
    """Raise unless the arguments of an event finder are in their ranges.

    Raises:
        ValueError: If they are not.
    """
    if not 0 <= prominence <= 1:
        raise ValueError(f"`prominence` must lie between 0 and 1, got {prominence}.")
    if not 0 <= min_gap < np.inf:
        raise ValueError(f"`min_gap` must be at least 0 seconds, got {min_gap}.")
