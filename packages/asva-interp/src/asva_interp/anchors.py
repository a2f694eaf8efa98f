"""Where the keyframes are: the check of the indices and each frame's neighbours among them."""

from __future__ import annotations

import torch
from torch import Tensor


def check_indices(keyframe_indices: Tensor, batch_size: int, num_frames: int) -> None:
    """Refuse indices that are not (b, k) integers, rising, inside the clip.

    Raises:
        ValueError: If they are not.
    """
    if keyframe_indices.ndim != 2 or len(keyframe_indices) != batch_size or keyframe_indices.shape[1] < 1:
        raise ValueError(
            f"`keyframe_indices` must have shape ({batch_size}, k) with k >= 1, got {tuple(keyframe_indices.shape)}."
        )
    if keyframe_indices.is_floating_point():
        raise ValueError(f"`keyframe_indices` must be integers, got {keyframe_indices.dtype}.")
    if (keyframe_indices.diff(dim=1) <= 0).any():
        raise ValueError(f"`keyframe_indices` must rise strictly, got {keyframe_indices.tolist()}.")
    if keyframe_indices[:, 0].min() < 0 or keyframe_indices[:, -1].max() >= num_frames:
        raise ValueError(
            f"`keyframe_indices` must lie in [0, {num_frames - 1}], got "
            f"{int(keyframe_indices.min())} to {int(keyframe_indices.max())}."
        )


def neighbours(anchors: Tensor, num_frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """The anchors around every frame and how far it has come from the left one to the right one.

    Args:
        anchors: (b, k) rising frame indices.
        num_frames: Number of frames t.

    Returns:
        Places (b, t) of the left and of the right anchor within `anchors`, and the share (b, t) in [0, 1] of the way
        between them: 0 on an anchor, before the first and behind the last.
    """
    frames = torch.arange(num_frames, device=anchors.device).expand(len(anchors), -1).contiguous()
    last = anchors.shape[1] - 1
    left = (torch.searchsorted(anchors.contiguous(), frames, right=True) - 1).clamp(0, last)
    right = (left + 1).clamp(max=last)
    start, end = anchors.gather(1, left), anchors.gather(1, right)
    share = ((frames - start) / (end - start).clamp(min=1)).clamp(0, 1)
    return left, right, share


def take_frames(video: Tensor, indices: Tensor) -> Tensor:
    """Frames (b, k) of a video (b, t, ...), another choice for every sample."""
    return video[torch.arange(len(video), device=video.device)[:, None], indices.to(video.device)]


def put_frames(video: Tensor, indices: Tensor, frames: Tensor) -> Tensor:
    """A copy of the video (b, t, ...) with `frames` (b, k, ...) at `indices` (b, k)."""
    video = video.clone()
    video[torch.arange(len(video), device=video.device)[:, None], indices.to(video.device)] = frames.to(video)
    return video
