"""How late or early is the sound of a video, or of many that share it? With an interval, or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from asva_metrics.local_sync import local_sync
from asva_metrics.shift_profile import ShiftProfile
from asva_metrics.small_sync import STEP, small_sync_profile

REACH = 0.6
"""Seconds either way that are searched."""
SHIFTS = np.arange(-round(REACH / STEP), round(REACH / STEP) + 1) * STEP
NEAR = 0.06
"""Seconds within which a reading is right: what a viewer hardly notices."""
WEIGHTS, STRAY = (0.31, 7.8), 0.05
"""Weights of the two profiles in the log-likelihood of a shift, and the share of clips that say nothing of it; fitted
by `benchmarks/offset.py`."""
LEAST = 0.7
"""Probability that a reading must have of being right, or it is refused."""


@dataclass(frozen=True)
class OffsetReading:
    """What clips say of the offset that they share.

    Attributes:
        offset: Seconds by which the sound must move later to fit; negative where it comes late. The likeliest, whether
            or not it is refused; nan if there is nothing to be read.
        low: Lower end of the interval that holds it with 95 %.
        high: Upper end.
        probability: That it is right to 60 ms.
        chance: The same of a guess.
        num_clips: Clips that said something.
        reason: Why it cannot be read, or an empty string.
    """

    offset: float
    low: float
    high: float
    probability: float
    chance: float
    num_clips: int
    reason: str


def offset_evidence(waveform: Any, sample_rate: int, frames: Any, fps: float, **options: Any) -> np.ndarray:
    """What one clip says of each shift of its sound: the profiles of the small classifier and of `local_sync`.

    Args:
        waveform: (s,) or (c, s) sound, array or tensor.
        sample_rate: Its rate in hertz.
        frames: (t, h, w, 3) uint8 RGB; of 1.2 s or more. Beyond 4 s rather give several clips.
        fps: Frames per second.
        options: ``network`` of `small_sync_profile`.

    Returns:
        (2, k) scores at `SHIFTS`; zeros where nothing moves or begins to sound.

    Raises:
        ValueError: As `small_sync_profile`, or if the clip is shorter than the search.
    """
    learned = small_sync_profile(waveform, sample_rate, frames, fps, **options)
    return joined_profiles(learned, local_sync(waveform, sample_rate, frames, fps))


def joined_profiles(learned: ShiftProfile, local: ShiftProfile) -> np.ndarray:
    """(2, k) scores at `SHIFTS` of two profiles in steps of 20 ms.

    Raises:
        ValueError: If they do not reach as far.
    """
    rows, reach = [], len(SHIFTS) // 2
    for profile in (learned, local):
        own = int(np.abs(profile.shifts).argmin())
        if len(profile.scores) < 2 * reach:
            raise ValueError(f"`frames` must last {2 * REACH:g} s or more, got {len(profile.shifts) * STEP:.2f} s.")
        rows.append(np.take(profile.scores, np.arange(own - reach, own + reach + 1), mode="wrap"))
    return np.stack(rows) * (not learned.reason and not local.reason)


def read_offset(evidence: Sequence[np.ndarray]) -> OffsetReading:
    """The offset that clips share: each one's likelihoods multiplied, none counted on to speak of it at all.

    Args:
        evidence: (2, k) of each clip, from `offset_evidence`.

    Returns:
        The reading, with the reason where it is refused.
    """
    heard = [np.asarray(one, dtype=np.float64) for one in evidence if np.ptp(one)]
    chance = 2 * NEAR / (2 * REACH)
    if not heard:
        nan = float("nan")
        return OffsetReading(nan, nan, nan, nan, chance, 0, "nothing moves, or nothing begins to sound")
    total = sum(clip_likelihoods(one) for one in heard)
    posterior = np.exp(total - logsumexp(total))
    near = np.convolve(posterior, np.ones(2 * round(NEAR / STEP) + 1), mode="same")
    top = int(near.argmax())
    place = slice(max(0, top - 3), top + 4)
    offset = float(np.average(SHIFTS[place], weights=posterior[place]))
    low, high = np.interp((0.025, 0.975), np.cumsum(posterior), SHIFTS)
    probability = float(near[top])
    reason = "" if probability >= LEAST else "several shifts of the sound fit about as well"
    return OffsetReading(offset, float(low), float(high), probability, chance, len(heard), reason)


def clip_likelihoods(evidence: np.ndarray, weights: Sequence[float] = WEIGHTS, stray: float = STRAY) -> np.ndarray:
    """(k,) log-likelihood of each shift, given that a share of the clips says nothing."""
    scores = np.asarray(weights) @ evidence
    return np.logaddexp(np.log1p(-stray) + scores - logsumexp(scores), np.log(stray / len(scores)))
