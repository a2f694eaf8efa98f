"""How well a picture moves, by itself: flicker, error of its own flow, motion that jumps, and standing still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asva_metrics.local_sync import stands_still
from asva_metrics.video_events import local_changes, small_frames

STILL = 0.25
"""Pixels of flow, of 128, below which a pixel stands still."""
CONSISTENT = (0.01, 0.5)
"""Forward and backward flow agree where the square of their sum is below this share of their squares, plus pixels."""


@dataclass(frozen=True)
class Steadiness:
    """How a clip moves.

    Attributes:
        flicker: Mean change of the pixels that stand still from frame to frame, in grey levels; nan if none does.
        warp_error: Mean difference of each frame from the one before it, moved along its flow, where the flow is sure;
            in grey levels (Lai et al., 2018).
        jerk: Change of the flow from frame to frame over the flow itself; 0 is even motion, nan in a still picture.
        frozen: Whether nothing but a codec's flicker moves.
    """

    flicker: float
    warp_error: float
    jerk: float
    frozen: bool


def steadiness(frames: Any) -> Steadiness:
    """Measure a clip at a shorter side of 128 pixels.

    Args:
        frames: (t, h, w, 3) uint8 RGB, t of at least 3.

    Raises:
        ValueError: If the frames are not a uint8 RGB video of three frames or more.

    Example:
        >>> still = np.full((4, 64, 64, 3), 90, np.uint8)
        >>> found = steadiness(still)
        >>> found.frozen, found.flicker, found.warp_error
        (True, 0.0, 0.0)
    """
    from asva_keyframe import flow_pairs

    small = small_frames(frames)
    if len(small) < 3:
        raise ValueError(f"`frames` must hold at least 3 frames, got {len(small)}.")
    forward = np.stack(list(flow_pairs(small, "dis", preset="fast")))
    backward = np.stack(list(flow_pairs(small[::-1], "dis", preset="fast")))[::-1]
    changes = np.abs(np.diff(small.astype(np.int16), axis=0)).mean(axis=-1)
    still = np.hypot(forward[:, 0], forward[:, 1]) < STILL
    steps, moved = np.abs(np.diff(forward, axis=0)).mean(), np.abs(forward).mean()
    frozen = stands_still(local_changes(small))
    return Steadiness(
        float(changes[still].mean()) if still.any() else float("nan"),
        float(np.mean([_warp_error(*pair) for pair in zip(small[:-1], small[1:], forward, backward, strict=True)])),
        float("nan") if frozen else float(steps / max(moved, 1e-6)),
        frozen,
    )


def _warp_error(first: np.ndarray, second: np.ndarray, forward: np.ndarray, backward: np.ndarray) -> float:
    import cv2

    rows, columns = np.mgrid[: first.shape[0], : first.shape[1]].astype(np.float32)
    at = columns + forward[0].astype(np.float32), rows + forward[1].astype(np.float32)
    moved = cv2.remap(second, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    back = np.stack([cv2.remap(part.astype(np.float32), *at, cv2.INTER_LINEAR) for part in backward])
    share, least = CONSISTENT
    sure = np.square(forward + back).sum(0) < share * (np.square(forward).sum(0) + np.square(back).sum(0)) + least
    return float(np.abs(moved - first).mean(axis=-1)[sure].mean()) if sure.any() else 0.0
