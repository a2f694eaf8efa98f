"""Optical flow between neighbouring frames behind one function (KeyVID, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

if TYPE_CHECKING:
    from torch import nn

Method = Literal["dis", "farneback", "raft"]
FlowFunction = Callable[[np.ndarray, np.ndarray], np.ndarray]
DIS_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
SMALLEST_SIDE = 32
"""Smaller frames are padded: DIS refuses sides below 12 pixels."""


def optical_flow(
    frames: np.ndarray,
    method: Method = "dis",
    *,
    preset: Literal["ultrafast", "fast", "medium"] = "medium",
    model: nn.Module | None = None,
    num_updates: int = 20,
) -> np.ndarray:
    """Optical flow from each frame to the next.

    Args:
        frames: (t, h, w, 3) uint8 RGB, t of at least 2.
        method: "dis" (OpenCV's dense inverse search, no weights), "farneback" (OpenCV), or "raft" (torchvision's RAFT,
            what the original uses).
        preset: Speed of DIS.
        model: RAFT with weights, see `load_raft`.
        num_updates: Iterations of RAFT; the original takes 20.

    Returns:
        (t - 1, 2, h, w) float32 in pixels per frame, channel 0 to the right, 1 downwards.

    Raises:
        ValueError: If the frames are not a uint8 RGB video of two frames or more, or "raft" has no `model`.
    """
    pairs = flow_pairs(frames, method, preset=preset, model=model, num_updates=num_updates)
    return np.stack(list(pairs))


def flow_pairs(frames: np.ndarray, method: Method = "dis", **options: Any) -> Iterator[np.ndarray]:
    """`optical_flow` one pair at a time, each (2, h, w), for videos whose flow would fill the memory."""
    _check_frames(frames)
    measure, prepare = _method(method, **options)
    return (measure(first, second) for first, second in pairwise(map(prepare, frames)))


def motion_score(flow: np.ndarray, reduction: Literal["mean", "sum"] = "mean") -> np.ndarray:
    """Amount of motion in a flow field (KeyVID, section 3.1).

    ``M(t) = sum_ij |u_t(i, j)| + |v_t(i, j)|``, divided by the number of pixels for "mean", which is what the
    original's code computes and makes the score independent of the resolution.

    Args:
        flow: (..., 2, h, w) flow in pixels per frame, array or tensor.
        reduction: "mean" or "sum" over pixels.

    Returns:
        (...) score, of the kind given.

    Raises:
        ValueError: If the shape or the reduction is another.

    Example:
        >>> float(motion_score(np.full((2, 4, 4), -1.5)))
        3.0
    """
    if flow.ndim < 3 or flow.shape[-3] != 2:
        raise ValueError(f"`flow` must have shape (..., 2, h, w), got {tuple(flow.shape)}.")
    if reduction not in ("mean", "sum"):
        raise ValueError(f'`reduction` must be "mean" or "sum", got {reduction!r}.')
    total = abs(flow).sum(axis=(-3, -2, -1))
    return total if reduction == "sum" else total / (flow.shape[-1] * flow.shape[-2])


def motion_curve(
    frames: np.ndarray, *, method: Method = "dis", reduction: Literal["mean", "sum"] = "mean", **options: Any
) -> np.ndarray:
    """Motion score of each pair of neighbouring frames.

    Args:
        frames: (t, h, w, 3) uint8 RGB.
        method: See `optical_flow`; further options are passed on.
        reduction: See `motion_score`.

    Returns:
        (t - 1,) float32; value i is the motion from frame i to frame i + 1.

    Raises:
        ValueError: As `optical_flow`.
    """
    scores = [motion_score(flow, reduction) for flow in flow_pairs(frames, method, **options)]
    return np.asarray(scores, dtype=np.float32)


def _check_frames(frames: np.ndarray) -> None:
    if getattr(frames, "ndim", 0) != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        kind = f"{getattr(frames, 'dtype', type(frames).__name__)} {getattr(frames, 'shape', '')}".strip()
        raise ValueError(f"`frames` must be uint8 of shape (t, h, w, 3), got {kind}.")
    if len(frames) < 2:
        raise ValueError(f"`frames` must hold at least two frames, got {len(frames)}.")


def _method(
    method: Method, *, preset: str = "medium", model: nn.Module | None = None, num_updates: int = 20
) -> tuple[FlowFunction, Callable[[np.ndarray], np.ndarray]]:
    """The measurement of one pair, and what is done once to each frame before."""
    if method == "dis":
        if preset not in DIS_PRESETS:
            raise ValueError(f"`preset` must be one of {', '.join(DIS_PRESETS)}, got {preset!r}.")
        return _dis(cv2.DISOpticalFlow.create(DIS_PRESETS[preset])), _grey
    if method == "farneback":
        return _padded(_farneback), _grey
    if method != "raft":
        raise ValueError(f"`method` must be one of dis, farneback, raft, got {method!r}.")
    if model is None:
        raise ValueError(
            '`model` must be given with `method="raft"`: use `load_raft` on a file of weights (raft-things.pth). '
            "Nothing is downloaded."
        )
    from asva_keyframe.raft import raft_flow

    return (lambda first, second: raft_flow(model, first, second, num_updates)), (lambda frame: frame)


def _grey(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)


def _dis(search: cv2.DISOpticalFlow) -> FlowFunction:
    return _padded(lambda first, second: search.calc(first, second, None))


def _farneback(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 15, 3, 5, 1.2, 0)


def _padded(measure: FlowFunction) -> FlowFunction:
    """Let OpenCV's (h, w, 2) flow work at any size, and give it our layout."""

    def measure_any(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        h, w = first.shape
        below, right = max(SMALLEST_SIDE - h, 0), max(SMALLEST_SIDE - w, 0)
        if below or right:
            first, second = (
                cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE) for image in (first, second)
            )
        return np.ascontiguousarray(measure(first, second)[:h, :w].transpose(2, 0, 1))

    return measure_any
