"""Initial noise of the interpolator, blended between the keyframes (KeyVID's released code)."""

from __future__ import annotations

import torch
from torch import Tensor

from .anchors import check_indices, neighbours, take_frames

RULES = ("official", "linear")


def blend_noise(
    noise: Tensor, keyframe_indices: Tensor, rule: str = "official", *, unit_variance: bool = False
) -> Tensor:
    """Replace the noise between neighbouring anchors by a blend of theirs.

    Anchors are the keyframes and the last frame; frames in front of the first keyframe keep their noise. With
    ``a = (j - left) / (right - left)``, frame j becomes

    - `"official"`: ``a * noise[left] + (1 - a) * noise[right]``, weights the wrong way round, as the released weights
      are used: the frame behind a keyframe resembles the *next* keyframe;
    - `"linear"`: ``(1 - a) * noise[left] + a * noise[right]``.

    Both lower the variance between the anchors (to a half in the middle).

    Args:
        noise: (b, t, c, h, w) standard normal noise.
        keyframe_indices: (b, k) rising, each in [0, t).
        rule: Which weights.
        unit_variance: Divide by ``sqrt(a^2 + (1 - a)^2)`` so that the noise stays standard normal.

    Returns:
        (b, t, c, h, w).

    Raises:
        ValueError: If a shape, an index or the rule is wrong.
    """
    if noise.ndim != 5:
        raise ValueError(f"`noise` must have shape (b, t, c, h, w), got {tuple(noise.shape)}.")
    if rule not in RULES:
        raise ValueError(f"`rule` must be one of {', '.join(RULES)}, got {rule}.")
    num_frames = noise.shape[1]
    check_indices(keyframe_indices, len(noise), num_frames)
    indices = keyframe_indices.to(noise.device)
    # one more anchor behind: where the last frame is a keyframe the entry repeats and changes nothing
    anchors = torch.cat([indices, torch.full_like(indices[:, :1], num_frames - 1)], dim=1)
    left, right, share = neighbours(anchors, num_frames)
    share = share.to(noise.dtype)[:, :, None, None, None]
    of_left, of_right = (share, 1 - share) if rule == "official" else (1 - share, share)
    blend = of_left * take_frames(noise, anchors.gather(1, left)) + of_right * take_frames(
        noise, anchors.gather(1, right)
    )
    if unit_variance:
        blend = blend / (of_left.square() + of_right.square()).sqrt()
    return torch.where(share > 0, blend, noise)
