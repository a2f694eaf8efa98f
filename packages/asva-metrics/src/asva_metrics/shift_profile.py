"""Shift profile: the score of a clip at each time shift of its sound, and the shift at its top."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import maximum_filter1d

from asva_metrics.arrays import check_positive, finite
from asva_metrics.correlation import pearson

CurveScore = Callable[[np.ndarray, np.ndarray], Any]


@dataclass(frozen=True)
class ShiftProfile:
    """Scores by time shift.

    Attributes:
        shifts: (k,) seconds by which the sound is moved later, rising in equal steps.
        scores: (k,) score at each shift.
        offset: Seconds by which the sound must move later to fit best, between samples by a parabola; nan if undefined.
        score: Best score within the tolerance of where the sound is.
        excess: `score` minus the mean of the same over all shifts, in its standard deviations: how far the clip's own
            time stands above chance.
        probability: Share of the softmax of the profile within the tolerance of time zero (the scores of a classifier
            are log-odds).
        reason: Why the figures are nan, or an empty string.
    """

    shifts: np.ndarray
    scores: np.ndarray
    offset: float
    score: float
    excess: float
    probability: float
    reason: str


def profile_of_scores(shifts: ArrayLike, scores: ArrayLike, *, tolerance: float = 0.0) -> ShiftProfile:
    """The profile that scores at equal steps of time make, for example those of `SmallSyncClassifier`.

    Args:
        shifts: (k,) seconds by which the sound is moved later, rising in equal steps, zero among them.
        scores: (k,) score at each shift.
        tolerance: Seconds that the sound may be off without loss, at zero and at every other shift; 0.04 is what nobody
            notices.

    Returns:
        The profile; nan figures, with the reason, if a score is nan or all are equal.

    Raises:
        ValueError: If the shapes differ, the steps are not equal or zero is not among the shifts.
    """
    places, values = np.asarray(shifts, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if places.ndim != 1 or places.shape != values.shape or len(places) < 3:
        raise ValueError(
            f"`shifts` and `scores` must have one shape (k,), k of 3 or more, got {places.shape}, {values.shape}."
        )
    if not 0 <= tolerance < np.inf:
        raise ValueError(f"`tolerance` must be at least 0 seconds, got {tolerance}.")
    step = np.diff(places)
    if not (step > 0).all() or np.ptp(step) > 1e-6 or np.abs(places).min() > 1e-9:
        raise ValueError("`shifts` must rise in equal steps with zero among them.")
    own = int(np.abs(places).argmin())
    if np.isnan(values).any() or np.ptp(values) == 0:
        reason = "the score is the same at every shift" if not np.isnan(values).any() else "a score is undefined"
        nan = float("nan")
        return ShiftProfile(places, values, nan, nan, nan, nan, reason)
    best = maximum_filter1d(values, 2 * int(tolerance / step[0] + 1e-6) + 1, mode="nearest")
    excess = float((best[own] - best.mean()) / best.std()) if np.ptp(best) else 0.0
    powers = np.exp(values - values.max())
    probability = float(powers[np.abs(places) <= tolerance + 1e-9].sum() / powers.sum())
    return ShiftProfile(places, values, _top(places, values), float(best[own]), excess, probability, "")


def shift_rank(scores: ArrayLike, seconds: float, *, place: int = 0, apart: float = 0.1) -> float:
    """Share of the other circular shifts that score less than one of them, ties counting half; 0.5 is chance.

    Args:
        scores: (k,) scores at k equal steps of time all around a clip, the sound's own time first.
        seconds: Length of the clip.
        place: Which shift is ranked.
        apart: Seconds from which on a shift counts as another time.

    Returns:
        From 0 to 1; nan if all scores are the same.

    Example:
        >>> shift_rank([0.9, 0.1, 0.9, 0.2], 2.0)
        0.8333333333333333
    """
    values = np.asarray(scores, dtype=np.float64)
    if np.ptp(values) == 0:
        return float("nan")
    steps = np.abs(np.arange(len(values)) - place)
    distance = np.minimum(steps, len(values) - steps) * seconds / len(values)
    others = values[distance >= apart]
    return float((others < values[place]).mean() + 0.5 * (others == values[place]).mean())


def shift_profile(
    sound: ArrayLike,
    motion: ArrayLike,
    fps: float,
    *,
    max_shift: float | None = None,
    score: CurveScore = pearson,
    circular: bool = True,
) -> ShiftProfile:
    """Score of a sound's envelope and a motion curve at each time shift of the sound, in steps of one frame.

    Args:
        sound: (t,) envelope of the sound at the times of the frames, for example `sound_envelope`.
        motion: (t,) motion of each frame, for example `motion_change`.
        fps: Values per second of both.
        max_shift: Largest shift in seconds either way; None is half the clip.
        score: Pure function of two curves of the same length, larger for better.
        circular: What leaves at one end comes in at the other, so that every shift has as much to compare; if False,
            only the stretch that both cover is compared.

    Returns:
        The profile; nan figures, with the reason, where a curve is constant.

    Raises:
        ValueError: If the curves differ in length or are not finite, or an argument is out of its range.

    Example:
        >>> motion = np.zeros(48)
        >>> motion[[10, 30]] = 1.0
        >>> round(shift_profile(np.roll(motion, 5), motion, 24.0).offset, 3)  # the sound is 5 frames late
        -0.208
    """
    first, second = finite(sound, "sound"), finite(motion, "motion")
    if first.ndim != 1 or first.shape != second.shape or len(first) < 3:
        raise ValueError(f"`sound` and `motion` must have one shape (t,), got {first.shape} and {second.shape}.")
    check_positive(fps, "fps")
    reach = (len(first) - 1) // 2 if max_shift is None else round(max_shift * fps)
    if not 1 <= reach <= len(first) - 2:
        raise ValueError(
            f"`max_shift` must lie between 1 frame and the clip's {len(first) / fps:g} s, got {max_shift} s."
        )
    frames = np.arange(-reach, reach + 1)
    return profile_of_scores(frames / fps, [float(score(*_shifted(first, second, k, circular))) for k in frames])


def _shifted(sound: np.ndarray, motion: np.ndarray, frames: int, circular: bool) -> tuple[np.ndarray, np.ndarray]:
    if circular:
        return np.roll(sound, frames), motion
    n = len(motion)
    return sound[max(-frames, 0) : n - max(frames, 0)], motion[max(frames, 0) : n + min(frames, 0)]


def _top(shifts: np.ndarray, scores: np.ndarray) -> float:
    place = int(scores.argmax())
    if not 0 < place < len(scores) - 1:
        return float(shifts[place])
    low, top, high = scores[place - 1 : place + 2]
    bend = low - 2 * top + high
    return float(shifts[place] + (0.5 * (low - high) / bend if bend < 0 else 0.0) * (shifts[1] - shifts[0]))
