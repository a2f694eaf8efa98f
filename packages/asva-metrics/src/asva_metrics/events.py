"""Predicted events against true ones: optimal matching, precision, recall, F1, timing error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

ROUNDING = 1e-9
"""Seconds forgiven at the edge of the tolerance, so that one frame off counts as one frame off in float64."""


@dataclass(frozen=True)
class EventMatch:
    """One clip's events, matched.

    Attributes:
        tp: Matched pairs.
        fp: Predicted events without a true one.
        fn: True events without a predicted one.
        errors: (tp,) float64 seconds, predicted minus true.
        pairs: (tp, 2) int64 positions of the matched events in `predicted` and `target`.
    """

    tp: int
    fp: int
    fn: int
    errors: np.ndarray
    pairs: np.ndarray


@dataclass(frozen=True)
class EventScores:
    """Events of many clips, counted together.

    Attributes:
        precision: ``tp / (tp + fp)``; nan without predictions.
        recall: ``tp / (tp + fn)``; nan without true events.
        f1: ``2 tp / (2 tp + fp + fn)``; nan with neither.
        mean_abs_error_ms: Mean distance of matched events in milliseconds; nan without matches.
        tp: Matched pairs.
        fp: Predicted events without a true one.
        fn: True events without a predicted one.
        num_clips: Clips counted.
        reason: Why a score is nan, or an empty string.
    """

    precision: float
    recall: float
    f1: float
    mean_abs_error_ms: float
    tp: int
    fp: int
    fn: int
    num_clips: int
    reason: str


def match_events(
    predicted: ArrayLike,
    target: ArrayLike,
    tolerance: float,
    *,
    predicted_labels: Sequence | None = None,
    target_labels: Sequence | None = None,
) -> EventMatch:
    """Match events one to one within a tolerance.

    As many pairs as possible are formed, and among such matchings the one with the least total distance is taken; a
    greedy matching can lose pairs in dense rhythms.

    Args:
        predicted: (p,) times in seconds, in any order.
        target: (q,) true times in seconds, in any order.
        tolerance: Largest distance of a pair in seconds, itself allowed. Give ``1 / fps`` for one frame.
        predicted_labels: Label of each predicted event, for example its side; only equal labels match.
        target_labels: Label of each true event; both or neither must be given.

    Returns:
        Counts, errors and pairs.

    Raises:
        ValueError: If times are not finite, the tolerance is negative, or labels do not fit.

    Example:
        >>> match = match_events([0.1, 0.5, 0.9], [0.12, 0.88], 1 / 24)
        >>> match.tp, match.fp, match.fn
        (2, 1, 0)
    """
    first, second = _times(predicted, "predicted"), _times(target, "target")
    if not tolerance >= 0:
        raise ValueError(f"`tolerance` must be at least 0 seconds, got {tolerance}.")
    error = first[:, None] - second[None, :]
    allowed = np.abs(error) <= tolerance + ROUNDING
    allowed &= _same_label(predicted_labels, target_labels, allowed.shape)
    # A pair is worth more than any saving in distance can be, so the number of pairs comes first.
    worth = 2 * (tolerance + 1) * (min(error.shape) + 1)
    rows, columns = linear_sum_assignment(np.where(allowed, np.abs(error) - worth, 0.0))
    matched = allowed[rows, columns]
    pairs = np.stack([rows[matched], columns[matched]], axis=1).astype(np.int64)
    return EventMatch(
        len(pairs), len(first) - len(pairs), len(second) - len(pairs), error[pairs[:, 0], pairs[:, 1]], pairs
    )


def match_clips(predicted: Sequence[ArrayLike], target: Sequence[ArrayLike], tolerance: float) -> list[EventMatch]:
    """`match_events` of each clip.

    Raises:
        ValueError: If the numbers of clips differ.
    """
    if len(predicted) != len(target):
        raise ValueError(f"`predicted` must hold as many clips as `target` ({len(target)}), got {len(predicted)}.")
    return [match_events(p, q, tolerance) for p, q in zip(predicted, target, strict=True)]


def event_scores(matches: Sequence[EventMatch]) -> EventScores:
    """Precision, recall, F1 and timing error, all events of all clips counted together.

    A clip without true and without predicted events adds nothing. Scores that no event defines are nan, and `reason`
    says why; predictions where nothing is true, and silence where something is, give F1 = 0.

    Args:
        matches: One `EventMatch` per clip.

    Returns:
        Scores.

    Example:
        >>> scores = event_scores([match_events([0.1, 0.5], [0.1], 0.04), match_events([], [1.0], 0.04)])
        >>> scores.precision, scores.recall, scores.f1
        (0.5, 0.5, 0.5)
    """
    tp, fp, fn = (sum(getattr(match, name) for match in matches) for name in ("tp", "fp", "fn"))
    errors = np.concatenate([match.errors for match in matches]) if matches else np.empty(0)
    missing = [text for count, text in ((tp + fp, "no predicted events"), (tp + fn, "no true events")) if count == 0]
    return EventScores(
        precision=_ratio(tp, tp + fp),
        recall=_ratio(tp, tp + fn),
        f1=_ratio(2 * tp, 2 * tp + fp + fn),
        mean_abs_error_ms=1000 * _ratio(float(np.abs(errors).sum()), tp),
        tp=tp,
        fp=fp,
        fn=fn,
        num_clips=len(matches),
        reason=" and ".join(missing) or ("no matched events" if tp == 0 else ""),
    )


def event_f1(predicted: Sequence[ArrayLike], target: Sequence[ArrayLike], tolerance: float) -> float:
    """F1 of many clips, events counted together; see `match_events` and `event_scores`."""
    return event_scores(match_clips(predicted, target, tolerance)).f1


def _times(values: ArrayLike, name: str) -> np.ndarray:
    times = np.asarray(values, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise ValueError(f"`{name}` must be a vector of finite times in seconds, got {values!r}.")
    return times


def _same_label(predicted: Sequence | None, target: Sequence | None, shape: tuple[int, int]) -> np.ndarray:
    if predicted is None and target is None:
        return np.ones(shape, dtype=bool)
    if predicted is None or target is None or (len(predicted), len(target)) != shape:
        got = [None if labels is None else len(labels) for labels in (predicted, target)]
        raise ValueError(
            f"`predicted_labels` and `target_labels` must hold one label for each event {list(shape)}, got {got}."
        )
    return np.array([[p == q for q in target] for p in predicted], dtype=bool).reshape(shape)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")
