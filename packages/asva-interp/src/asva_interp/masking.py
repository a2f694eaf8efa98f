"""Condition channels of the interpolator: keyframe latents at their places (KeyVID, section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from .anchors import check_indices, neighbours, put_frames, take_frames

FILLS = ("zeros", "linear")


def masked_condition(
    keyframe_latents: Tensor,
    keyframe_indices: Tensor,
    num_frames: int,
    *,
    fill: str = "zeros",
    mask_channel: bool = False,
) -> Tensor:
    """Lay keyframe latents out over all frames.

    Args:
        keyframe_latents: (b, k, c, h, w) latents of the keyframes.
        keyframe_indices: (b, k) their places, rising, each in [0, num_frames).
        num_frames: Number of frames t.
        fill: What stands between the keyframes: `"zeros"` (as released) or `"linear"`, the mean of the two
            neighbours weighted by nearness; in front of the first and behind the last keyframe that one is held.
        mask_channel: Append a channel that is 1 at the keyframes and 0 elsewhere. Without it zeros mean unknown.

    Returns:
        (b, t, c, h, w), or one channel more with the mask.

    Raises:
        ValueError: If a shape, an index or the fill is wrong.

    >>> condition = masked_condition(torch.tensor([2.0, 4.0]).view(1, 2, 1, 1, 1), torch.tensor([[0, 2]]), 4,
    ...                              fill="linear", mask_channel=True)
    >>> condition[0, :, :, 0, 0].T
    tensor([[2., 3., 4., 4.],
            [1., 0., 1., 0.]])
    """
    if keyframe_latents.ndim != 5:
        raise ValueError(f"`keyframe_latents` must have shape (b, k, c, h, w), got {tuple(keyframe_latents.shape)}.")
    check_indices(keyframe_indices, len(keyframe_latents), num_frames)
    if keyframe_indices.shape != keyframe_latents.shape[:2]:
        raise ValueError(
            f"`keyframe_indices` must have shape {tuple(keyframe_latents.shape[:2])}, "
            f"got {tuple(keyframe_indices.shape)}."
        )
    if fill not in FILLS:
        raise ValueError(f"`fill` must be one of {', '.join(FILLS)}, got {fill}.")
    b, _, c, h, w = keyframe_latents.shape
    indices = keyframe_indices.to(keyframe_latents.device)
    if fill == "linear":
        condition = _linear(keyframe_latents, indices, num_frames)
    else:
        condition = put_frames(keyframe_latents.new_zeros(b, num_frames, c, h, w), indices, keyframe_latents)
    if not mask_channel:
        return condition
    mask = keyframe_latents.new_zeros(b, num_frames).scatter_(1, indices, 1.0)
    return torch.cat([condition, mask[:, :, None, None, None].expand(-1, -1, 1, h, w)], dim=2)


def _linear(keyframe_latents: Tensor, indices: Tensor, num_frames: int) -> Tensor:
    left, right, share = neighbours(indices, num_frames)
    share = share.to(keyframe_latents.dtype)[:, :, None, None, None]
    return torch.lerp(take_frames(keyframe_latents, left), take_frames(keyframe_latents, right), share)
