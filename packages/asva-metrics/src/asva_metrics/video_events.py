"""Video events: when motion starts, stops or turns, and how each part of the picture changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from asva_keyframe.peaks import check_share, prominent_times
from asva_metrics.arrays import check_positive, finite, rgb_frames

SHORT_SIDE = 128
"""Pixels to which the shorter side of a frame is brought, so that the figures do not depend on the resolution."""
CELLS = 12


def motion_change(frames: Any) -> np.ndarray:
    """How much the motion of the picture changes at each frame: speeding up, stopping dead, turning back.

    The mean over the picture of ``|flow(t, t+1) - flow(t-1, t)|`` in thousandths of its shorter side: a bounce, a
    strike that stops and a jump from rest all peak here, where the amount of motion shows a plateau, an edge or
    nothing.

    Args:
        frames: (t, h, w, 3) uint8 RGB, t of at least 2.

    Returns:
        (t,) float64; the first and the last frame have no change of motion and are 0.

    Raises:
        ValueError: If the frames are not a uint8 RGB video of two frames or more.
    """
    from asva_keyframe import flow_pairs

    small = small_frames(frames)
    changes, before = [0.0], None
    for flow in flow_pairs(small, "dis", preset="fast"):
        if before is not None:
            changes.append(1000 / SHORT_SIDE * float(np.hypot(*(flow - before)).mean()))
        before = flow
    return np.asarray([*changes, 0.0])


def video_events(
    curve: ArrayLike, fps: float, *, prominence: float = 0.25, floor: float = 0.3, min_gap: float = 0.15
) -> np.ndarray:
    """Times at which the motion of a clip peaks or changes.

    Args:
        curve: (t,) from `motion_change`, or any other curve of values of at least 0, one per frame.
        fps: Frames per second.
        prominence: Share of the largest peak's prominence that another must have, 0 to 1.
        floor: Height below which nothing counts, in the curve's unit: what the noise of a still camera gives, up to 1
            of 255 with OpenCV 5 and 0.8 with OpenCV 4, whose flow follows noise more.
        min_gap: Least seconds between two events; of two nearer ones the stronger stays.

    Returns:
        Times in seconds, rising, to a fraction of a frame; none in a still picture.

    Raises:
        ValueError: If the curve is not finite with shape (t,), the rate not positive or an argument out of its range.
    """
    check_share(prominence, min_gap)
    values = finite(curve, "curve", shape="(t,)")
    check_positive(fps, "fps")
    return prominent_times(values, fps, prominence, min_gap, floor=floor)


def local_changes(frames: Any, *, cells: int = CELLS) -> np.ndarray:
    """How much each cell of the picture changes from each frame to the next.

    The square root of the mean absolute change of the pixels: motion and flashes alike, whatever their direction, and
    a small thing in its own cell counts as much as a large one.

    Args:
        frames: (t, h, w, 3) uint8 RGB, t of at least 2.
        cells: Rows and columns of cells.

    Returns:
        (t - 1, cells * cells) float32 in [0, 1].

    Raises:
        ValueError: If the frames are not a uint8 RGB video of two frames or more, or there is no cell.
    """
    if cells < 1:
        raise ValueError(f"`cells` must be at least 1, got {cells}.")
    return np.sqrt(np.stack(list(_changes(small_frames(frames), cells))))


def _changes(frames: np.ndarray, cells: int) -> Iterator[np.ndarray]:
    import cv2

    for first, second in pairwise(frames):
        change = cv2.absdiff(first, second).astype(np.float32).mean(axis=-1) / 255
        yield cv2.resize(change, (cells, cells), interpolation=cv2.INTER_AREA).reshape(-1)


def small_frames(frames: Any) -> np.ndarray:
    """(t, h, w, 3) uint8 RGB with a shorter side of 128 pixels."""
    import cv2

    frames = rgb_frames(frames, least=2)
    scale = SHORT_SIDE / min(frames.shape[1:3])
    if scale == 1:
        return frames
    size = (round(frames.shape[2] * scale), round(frames.shape[1] * scale))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
