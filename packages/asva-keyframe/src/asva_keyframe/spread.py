"""Ways to put more frames between chosen ones."""

from __future__ import annotations

import heapq
from itertools import pairwise

import numpy as np


def uniform_keyframes(num_frames: int, num_keyframes: int = 12) -> np.ndarray:
    """Every ``num_frames / num_keyframes``-th frame, starting at 0.

    Raises:
        ValueError: If there are fewer frames than keyframes.

    Example:
        >>> uniform_keyframes(48, 12).tolist()
        [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44]
    """
    check_counts(num_frames, num_keyframes)
    return np.arange(num_keyframes, dtype=np.int64) * num_frames // num_keyframes


def check_counts(num_frames: int, num_keyframes: int) -> None:
    """Refuse a number of keyframes that the clip cannot give.

    Raises:
        ValueError: If `num_keyframes` is not in [1, num_frames].
    """
    if not 1 <= num_keyframes <= num_frames:
        raise ValueError(
            f"`num_keyframes` must lie between 1 and the number of frames ({num_frames}), got {num_keyframes}."
        )


def spread_evenly(anchors: np.ndarray, num_frames: int, num_keyframes: int) -> np.ndarray:
    """Add frames where the spacing is widest until there are `num_keyframes` (KeyVID, section 3.2.1).

    The stretch after the last anchor counts as an interval too. One frame at a time goes to the interval that would
    still have the widest spacing, and an interval's frames stand at equal distances, so no frame is named twice.

    Args:
        anchors: Sorted unique indices, the first of them 0.
        num_frames: Length of the clip.
        num_keyframes: How many indices are wanted, at least as many as there are anchors.

    Returns:
        (num_keyframes,) sorted unique int64 indices.
    """
    edges = [*anchors.tolist(), num_frames]
    parts = [1] * len(anchors)
    heap = [(-(right - left) / 2, i) for i, (left, right) in enumerate(pairwise(edges))]
    heapq.heapify(heap)
    for _ in range(num_keyframes - len(anchors)):
        _, i = heapq.heappop(heap)
        parts[i] += 1
        heapq.heappush(heap, (-(edges[i + 1] - edges[i]) / (parts[i] + 1), i))
    filled = [
        left + np.arange(count) * (right - left) // count
        for left, right, count in zip(edges[:-1], edges[1:], parts, strict=True)
    ]
    return np.concatenate(filled).astype(np.int64)


def inner_points(left: float, right: float, count: int) -> list[int]:
    """`count` equally spaced integers strictly after `left`, rounded down as the original does (they may repeat)."""
    return np.linspace(left, right, count + 1, endpoint=False).astype(int)[1:].tolist()
