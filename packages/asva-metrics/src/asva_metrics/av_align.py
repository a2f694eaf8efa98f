"""AV-Align: how many onsets of the sound meet peaks of the motion, in its three published rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from asva_metrics.arrays import check_positive, finite
from asva_metrics.chance import LEAST_SHIFTS, shifted_times

Rule = Literal["2023", "2025", "javis"]
RULES = ("2023", "2025", "javis")
SMALLEST_FLOW = 0.1
"""Pixels per frame below which the rule of 2025 sees no peak; it depends on the resolution."""
JAVIS_GUARD = 1e-6


@dataclass(frozen=True)
class AlignmentScore:
    """AV-Align of one clip beside what luck gives.

    Attributes:
        score: Intersection over union of the peaks; nan without any peak.
        chance: Mean score of the same peaks, the sound's shifted circularly by 32 or more equal steps.
        excess: ``score - chance``.
        num_audio: Onsets of the sound.
        num_video: Peaks of the motion.
        reason: Why the score is nan, or an empty string.
    """

    score: float
    chance: float
    excess: float
    num_audio: int
    num_video: int
    reason: str


def flow_trajectory(frames: Any) -> np.ndarray:
    """Mean length of Farneback's optical flow into each frame, in pixels, at the resolution given.

    The first frame has no flow; it repeats the second's, as published. Lengths grow with the resolution.

    Args:
        frames: (t, h, w, 3) uint8 RGB, t of at least 2.

    Returns:
        (t,) float64.

    Raises:
        ValueError: If the frames are not a uint8 RGB video of two frames or more.
    """
    import cv2

    from asva_keyframe import flow_pairs

    lengths = [cv2.mean(cv2.magnitude(*flow))[0] for flow in flow_pairs(frames, "farneback")]
    return np.asarray([lengths[0], *lengths])


def motion_peaks(trajectory: ArrayLike, fps: float, *, rule: Rule = "2025") -> np.ndarray:
    """Seconds of the frames that move more than both neighbours.

    Args:
        trajectory: (t,) motion of each frame, see `flow_trajectory`.
        fps: Frames per second.
        rule: "2025" asks for a flow of at least 0.1 pixel besides; "2023" and "javis" do not.

    Returns:
        Times in seconds.

    Raises:
        ValueError: If the rule is unknown, the rate is not positive or the trajectory not finite.
    """
    _check(fps, rule)
    values = finite(trajectory, "trajectory", shape="(t,)")
    middle = values[1:-1]
    peaks = (values[:-2] < middle) & (middle > values[2:])
    if rule == "2025":
        peaks &= middle >= SMALLEST_FLOW
    return (np.flatnonzero(peaks) + 1) / fps


def av_align(audio_peaks: ArrayLike, video_peaks: ArrayLike, fps: float, *, rule: Rule = "2025") -> float:
    """Intersection over union of two lists of peaks that meet within one frame (AV-Align, TempoTokens).

    ``m / (A + V - m)``, m onsets with a motion peak less than ``1 / fps`` away. "2023", the rule of most published
    numbers, lets many onsets meet one motion peak; "2025" lets each motion peak serve once, in order of time; "javis"
    is that of 2023 with 1e-6 added to the denominator.

    Args:
        audio_peaks: Seconds, see `onset_times`.
        video_peaks: Seconds, see `motion_peaks` with the same rule.
        fps: Frames per second.
        rule: Whose rule.

    Returns:
        Score; nan where there is no peak at all (the published code stops there; that of JavisBench says 0).

    Raises:
        ValueError: If the rule is unknown, the rate is not positive or a time not finite.

    Example:
        >>> av_align([0.5, 0.6], [0.5, 1.5], 6.0, rule="2023"), av_align([0.5, 0.6], [0.5, 1.5], 6.0)
        (1.0, 0.3333333333333333)
    """
    _check(fps, rule)
    sounds, motions = finite(audio_peaks, "audio_peaks"), finite(video_peaks, "video_peaks")
    met = _meetings(sounds, motions, fps, once=rule == "2025")
    union = len(sounds) + len(motions) - met + (JAVIS_GUARD if rule == "javis" else 0)
    return met / union if union else float("nan")


def av_align_score(
    audio_peaks: ArrayLike,
    video_peaks: ArrayLike,
    fps: float,
    *,
    duration: float,
    rule: Rule = "2025",
    num_shifts: int = LEAST_SHIFTS,
) -> AlignmentScore:
    """`av_align` with its chance level; shift k of n moves the onsets by ``(k + 1/2) / n`` of the clip, circularly.

    Args:
        audio_peaks: Seconds; onsets after the end of the clip are left out, where the published code counts them.
        video_peaks: Seconds.
        fps: Frames per second.
        duration: Seconds of the clip.
        rule: Whose rule.
        num_shifts: Number of shifts, at least 32.

    Returns:
        Score, chance and excess; all nan, with the reason, if there is no peak.

    Raises:
        ValueError: As `av_align`, or if the duration is not positive or there are fewer than 32 shifts.
    """
    sounds, motions = finite(audio_peaks, "audio_peaks"), finite(video_peaks, "video_peaks")
    sounds = sounds[sounds < duration]
    score = av_align(sounds, motions, fps, rule=rule)
    moved = shifted_times(sounds, duration, num_shifts)
    chance = float(np.mean([av_align(np.sort(times), motions, fps, rule=rule) for times in moved]))
    reason = "" if len(sounds) + len(motions) else "neither the sound nor the motion has a peak"
    if reason:
        score = chance = float("nan")
    return AlignmentScore(score, chance, score - chance, len(sounds), len(motions), reason)


def _meetings(sounds: np.ndarray, motions: np.ndarray, fps: float, *, once: bool) -> int:
    used: set[int] = set()
    met = 0
    for sound in sounds:
        near = np.flatnonzero((motions - 1 / fps < sound) & (sound < motions + 1 / fps)).tolist()
        free = [i for i in near if not once or i not in used]
        met += bool(free)
        used.update(free[:1])
    return met


def _check(fps: float, rule: str) -> None:
    if rule not in RULES:
        raise ValueError(f"`rule` must be one of {', '.join(RULES)}, got {rule!r}.")
    check_positive(fps, "fps")
