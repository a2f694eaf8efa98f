"""Chance levels: what the same events, or the same score, reach with sound that does not belong to the clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from asva_metrics.arrays import check_positive
from asva_metrics.events import event_f1

LEAST_SHIFTS = 32
"""Shifts below which a chance level would depend on their number."""


@dataclass(frozen=True)
class ChanceLevel:
    """F1 that the same number and rhythm of events reaches without belonging to the clip.

    Attributes:
        f1: Mean over shifts.
        scores: (num_shifts,) F1 of each shift.
    """

    f1: float
    scores: np.ndarray


@dataclass(frozen=True)
class SoundChance:
    """A score of one clip beside what wrong sounds give.

    Attributes:
        score: With the clip's own sound; nan where undefined.
        shifted: Mean with its sound shifted circularly; nan if no shift defines one.
        swapped: Mean with other clips' sounds; nan without any.
        excess: ``score - shifted``.
        shifted_scores: (num_shifts,) score of each shift.
        swapped_scores: (num_others,) score of each other sound.
    """

    score: float
    shifted: float
    swapped: float
    excess: float
    shifted_scores: np.ndarray
    swapped_scores: np.ndarray


def shifted_times(times: ArrayLike, duration: float, num_shifts: int = LEAST_SHIFTS) -> Iterator[np.ndarray]:
    """Times moved circularly by equal steps all around a clip: the chance level of any score of events.

    Shift k of n moves each time by ``(k + 1/2) / n`` of the clip; what leaves at the end comes in at the start. Number
    and distances of events stay, only the link to the other side goes.

    Args:
        times: (n,) seconds.
        duration: Seconds of the clip.
        num_shifts: Number of shifts, at least 32.

    Returns:
        The moved times, one shift after the other, not sorted.

    Raises:
        ValueError: If there are fewer than 32 shifts or the duration is not positive.
    """
    shares = _shares(num_shifts)
    check_positive(duration, "duration")
    return ((np.asarray(times, dtype=np.float64) + share * duration) % duration for share in shares)


def sound_chance(
    score: Callable[[np.ndarray], float],
    waveform: ArrayLike,
    *,
    others: Sequence[ArrayLike] = (),
    num_shifts: int = LEAST_SHIFTS,
) -> SoundChance:
    """Chance level of any score of synchronization, from circularly shifted and from swapped sound.

    Shift k of n moves the sound by ``(k + 1/2) / n`` of its length; what leaves at the end comes in at the start.
    Other sounds are cut, or repeated from their start, to the length of the clip's own.

    Args:
        score: Score of the clip's frames with a sound (..., s), larger for better; for example
            ``lambda sound: local_sync(sound, rate, frames, fps).excess``.
        waveform: (..., s) the clip's own sound.
        others: Sounds of other clips at the same rate and with as many channels.
        num_shifts: Number of shifts, at least 32.

    Returns:
        Score, chance levels, excess and single scores. Shifts and others whose score is nan are left out of the means.

    Raises:
        ValueError: If there are fewer than 32 shifts, the sound is empty or another one has other channels.

    Example:
        >>> own = np.eye(1, 64)[0]
        >>> sound_chance(lambda sound: float(sound @ own), own).excess
        1.0
    """
    shares = _shares(num_shifts)
    sound = np.asarray(waveform)
    if sound.ndim == 0 or sound.shape[-1] < num_shifts:
        raise ValueError(f"`waveform` must hold at least {num_shifts} samples, got {sound.shape}.")
    wrong = [np.asarray(other) for other in others]
    if any(other.shape[:-1] != sound.shape[:-1] or other.shape[-1:] == (0,) for other in wrong):
        raise ValueError(f"`others` must have the channels of `waveform`, {sound.shape[:-1]}, and not be empty.")
    length = sound.shape[-1]
    steps = np.round(shares * length).astype(int)
    own = float(score(sound))
    shifted = np.array([score(np.roll(sound, step, axis=-1)) for step in steps], dtype=np.float64)
    swapped = np.array([score(other[..., np.arange(length) % other.shape[-1]]) for other in wrong], dtype=np.float64)
    level = _mean(shifted)
    return SoundChance(own, level, _mean(swapped), own - level, shifted, swapped)


def chance_level(
    predicted: Sequence[ArrayLike],
    target: Sequence[ArrayLike],
    tolerance: float,
    *,
    duration: float | Sequence[float],
    num_shifts: int = LEAST_SHIFTS,
) -> ChanceLevel:
    """F1 against true times shifted circularly, see `shifted_times`.

    Args:
        predicted: Times of each clip in seconds.
        target: True times of each clip in seconds.
        tolerance: See `match_events`.
        duration: Seconds of every clip, or of each.
        num_shifts: Number of shifts, at least 32.

    Returns:
        Mean and single scores.

    Raises:
        ValueError: If there are fewer than 32 shifts or a duration is not positive.
    """
    seconds = np.broadcast_to(np.asarray(duration, dtype=np.float64), len(target))
    moved = [shifted_times(times, length, num_shifts) for times, length in zip(target, seconds, strict=True)]
    scores = [event_f1(predicted, shifted, tolerance) for shifted in zip(*moved, strict=True)]
    return ChanceLevel(float(np.mean(scores)), np.asarray(scores))


def _shares(num_shifts: int) -> np.ndarray:
    if num_shifts < LEAST_SHIFTS:
        raise ValueError(f"`num_shifts` must be at least {LEAST_SHIFTS}, got {num_shifts}.")
    return (np.arange(num_shifts) + 0.5) / num_shifts


def _mean(values: Any) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
