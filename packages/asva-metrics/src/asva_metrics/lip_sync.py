"""Sync-C and Sync-D: at which shift the features of lips and voice are nearest, and how clearly (SyncNet)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asva_metrics.arrays import finite

ROUNDING = 1e-6
"""Added to each difference before the distance, as published (``torch.nn.functional.pairwise_distance``)."""


@dataclass(frozen=True)
class LipSync:
    """Result of the search over shifts.

    Attributes:
        sync_c: Confidence, median less minimum of the mean distances (LSE-C); larger is better.
        sync_d: Minimum of the mean distances (LSE-D); smaller is better.
        offset: Video frames of 1/25 s by which the sound leads the picture; 0 is in time.
        distances: (2 * max_shift + 1,) mean distance at each shift of the sound, from ``-max_shift``.
        frame_confidence: (n,) median less the frame's distance at the best shift, median filtered over 9 frames.
    """

    sync_c: float
    sync_d: float
    offset: int
    distances: np.ndarray
    frame_confidence: np.ndarray


def lip_sync(audio: Any, video: Any, *, max_shift: int = 15) -> LipSync:
    """Search the shift between the features of picture and sound (Chung and Zisserman, 2016).

    ``d(s) = mean_i |v_i - a_(i + s)|`` for s from ``-max_shift``, the sound's features being zeros beyond the ends,
    which makes short clips look worse than they are. The median of an even number is the lower one, as in torch.

    Args:
        audio: (n, d) features of the sound of windows of 5 frames at 25 fps, one per frame, array or tensor.
        video: (n, d) features of the frames of the same windows.
        max_shift: Largest shift in frames; 15 in the published scripts, 10 where their function is called bare.

    Returns:
        Scores.

    Raises:
        ValueError: If the shapes differ, there is no frame, a value is not finite or ``max_shift`` is below 1.
    """
    from scipy.ndimage import median_filter

    sounds, pictures = finite(audio, "audio", shape="(n, d)"), finite(video, "video", shape="(n, d)")
    if pictures.shape != sounds.shape or len(pictures) == 0:
        raise ValueError(f"`audio` must have the shape of `video` {pictures.shape}, of one frame, got {sounds.shape}.")
    if max_shift < 1:
        raise ValueError(f"`max_shift` must be at least 1 frame, got {max_shift}.")
    padded = np.pad(sounds, ((max_shift, max_shift), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * max_shift + 1, axis=0)  # (n, d, shifts)
    each = np.sqrt(((pictures[:, :, None] - windows + ROUNDING) ** 2).sum(axis=1))
    distances = each.mean(axis=0)
    best, middle = int(distances.argmin()), np.sort(distances)[max_shift]
    return LipSync(
        sync_c=float(middle - distances[best]),
        sync_d=float(distances[best]),
        offset=max_shift - best,
        distances=distances,
        frame_confidence=median_filter(middle - each[:, best], 9, mode="constant"),
    )


def shifted_lip_sync(audio: Any, video: Any, *, max_shift: int = 15) -> list[LipSync]:
    """`lip_sync` with the sound moved circularly, further than the search reaches: its chance level.

    Args:
        audio: (n, d) features, see `lip_sync`.
        video: (n, d) features.
        max_shift: Largest shift of the search in frames.

    Returns:
        One result for each shift; none if the clip is too short to be moved so far.
    """
    sounds = finite(audio, "audio", shape="(n, d)")
    shifts = range(max_shift + 1, len(sounds) - max_shift)
    return [lip_sync(np.roll(sounds, shift, axis=0), video, max_shift=max_shift) for shift in shifts]
