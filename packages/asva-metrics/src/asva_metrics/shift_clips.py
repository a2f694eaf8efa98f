"""How AVSyncD cuts the shifted clips that its classifier is trained and judged on (AVSyncD, section 5.1; its code)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from asva_metrics.arrays import finite

MARGIN = 1e-4
"""Seconds by which the original moves the ends of a cut inwards."""


def shift_starts(
    latest: float, num_clips: int = 21, *, gap: float = 0.2, generator: np.random.Generator | None = None
) -> np.ndarray:
    """Start times of clips that follow one another closely.

    Args:
        latest: Last second at which a clip may start, the length of the video less that of a clip.
        num_clips: 21 for training, 31 for the evaluation.
        gap: Seconds between two starts, 0.2 for training, 0.04 for the evaluation.
        generator: Draws the first one where they all fit; None puts them in the middle.

    Returns:
        (num_clips,) float64 seconds.

    Raises:
        ValueError: If they do not fit.

    Example:
        >>> shift_starts(8.0).round(3)[[0, 10, 20]].tolist()
        [2.0, 4.0, 6.0]
    """
    least = gap * (num_clips - 1)
    room = latest - least
    if num_clips < 1 or not gap > 0 or not room > -1e-9:
        raise ValueError(f"`latest` must be at least {least:g} s for {num_clips} clips {gap:g} s apart, got {latest}.")
    first = room / 2 if generator is None else generator.uniform(0.0, room)
    return max(first, 0.0) + np.arange(num_clips) * gap


def shift_frames(times: ArrayLike, starts: ArrayLike, *, fps: float = 6.0, num_frames: int = 12) -> np.ndarray:
    """Which frames of a video the clips show: the nearest in time.

    The original reads from the first start to the moment of the last frame wanted; a frame that is nearer but lies
    outside is not there.

    Args:
        times: (n,) rising times of the video's frames in seconds.
        starts: (k,) see `shift_starts`.
        fps: Frames per second of the clips.
        num_frames: Frames of a clip.

    Returns:
        (k, num_frames) indices into ``times``.

    Raises:
        ValueError: If no frame is left.
    """
    microseconds = np.round(np.asarray(times, dtype=np.float64) * 1e6)
    targets = np.asarray(starts, dtype=np.float64)[:, None] + np.arange(num_frames) / fps
    targets[:, 0] += MARGIN
    first = int(np.searchsorted(microseconds, int(targets.min() * 1e6)))
    last = int(np.searchsorted(microseconds, targets.max() * 1e6, side="right"))
    if first >= last:
        raise ValueError(f"`starts` must lie within the video, got {np.min(starts)} s and later.")
    return first + np.abs(microseconds[first:last] * 1e-6 - targets[..., None]).argmin(axis=-1)


def shift_packets(times_us: ArrayLike, start: float, duration: float = 2.0) -> np.ndarray:
    """Which packets of a sound the original takes for a clip: those that begin within it.

    Whole packets, joined and called the clip's sound, which so begins up to one packet (64 ms at 16 kHz) late.

    Args:
        times_us: (p,) whole microseconds at which the packets begin.
        start: Of the clip in seconds.
        duration: Of the clip in seconds.

    Returns:
        (p,) bool.
    """
    seconds = np.asarray(times_us) * 1e-6
    return (seconds >= start + MARGIN) & (seconds <= start + duration - MARGIN)


def shift_accuracy(phi: Any, *, tolerance: int = 5) -> float:
    """Share of videos for which the classifier finds the true time (AVSyncD's evaluation of it).

    Args:
        phi: (n, k) score of the middle clip's one half with the other half of each of k shifted clips, k odd.
        tolerance: Clips that the best score may be away from the middle one; 5 of 0.04 s are 0.2 s.

    Returns:
        The share, 0 to 1; chance is ``(2 tolerance + 1) / k``, 0.355 as published. nan without videos.

    Raises:
        ValueError: If the shape is another, k is even or a score is not finite.

    Example:
        >>> shift_accuracy([[0.0, 2.0, 1.0], [3.0, 0.0, 1.0]], tolerance=0)
        0.5
    """
    scores = finite(phi, "phi", shape="(n, k)")
    if scores.shape[1] % 2 == 0:
        raise ValueError(f"`phi` must be finite with shape (n, k), k odd, got {scores.shape}.")
    if len(scores) == 0:
        return float("nan")
    return float((np.abs(scores.argmax(axis=1) - scores.shape[1] // 2) <= tolerance).mean())
