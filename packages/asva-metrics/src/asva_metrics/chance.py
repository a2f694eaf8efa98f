"""Chance level of event scores: the same predictions against true times moved along the clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from asva_metrics.events import event_f1


@dataclass(frozen=True)
class ChanceLevel:
    """F1 that the same number and rhythm of events reaches without belonging to the clip.

    Attributes:
        f1: Mean over shifts.
        scores: (num_shifts,) F1 of each shift.
    """

    f1: float
    scores: np.ndarray


def chance_level(
    predicted: Sequence[ArrayLike],
    true: Sequence[ArrayLike],
    tolerance: float,
    *,
    duration: float | Sequence[float],
    num_shifts: int = 32,
) -> ChanceLevel:
    """F1 against true times shifted circularly, by equal steps all around the clip.

    Shift k of n moves each true time by ``(k + 1/2) / n`` of the clip; what leaves at the end comes in at the start.
    Number and distances of events stay, only the link to the predictions goes.

    Args:
        predicted: Times of each clip in seconds.
        true: Times of each clip in seconds.
        tolerance: See `match_events`.
        duration: Seconds of every clip, or of each.
        num_shifts: Number of shifts, at least 32.

    Returns:
        Mean and single scores.

    Raises:
        ValueError: If there are fewer than 32 shifts or a duration is not positive.
    """
    if num_shifts < 32:
        raise ValueError(f"`num_shifts` must be at least 32, got {num_shifts}.")
    seconds = np.broadcast_to(np.asarray(duration, dtype=np.float64), len(true))
    if not (seconds > 0).all():
        raise ValueError(f"`duration` must be positive, got {seconds.min() if len(seconds) else duration}.")
    scores = [
        event_f1(
            predicted, [(np.asarray(t, float) + s * share) % s for t, s in zip(true, seconds, strict=True)], tolerance
        )
        for share in (np.arange(num_shifts) + 0.5) / num_shifts
    ]
    return ChanceLevel(float(np.mean(scores)), np.asarray(scores))
