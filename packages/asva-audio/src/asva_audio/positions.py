"""Learned positions of a patch grid, resized to another grid (KeyVID: 12 x 19 -> 12 x 48)."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor


def resize_positions(positions: Tensor, old_grid: tuple[int, int], new_grid: tuple[int, int]) -> Tensor:
    """Bilinear resize of position embeddings; a leading class token is kept as it is.

    Args:
        positions: (1, n, d) with n = f * t of ``old_grid``, or one more with a class token first.
        old_grid: (frequency, time) patches that ``positions`` belongs to.
        new_grid: (frequency, time) patches wanted.

    Returns:
        (1, n', d) positions of ``new_grid``, in the dtype given.

    Raises:
        ValueError: If n fits ``old_grid`` neither with nor without a class token.
    """
    frequency, time = old_grid
    extra = positions.shape[1] - frequency * time
    if positions.ndim != 3 or extra not in (0, 1):
        raise ValueError(
            f"`positions` must have shape (1, n, d) with n = {frequency * time} or one more, "
            f"got {tuple(positions.shape)}."
        )
    head, body = positions[:, :extra], positions[:, extra:]
    if tuple(old_grid) != tuple(new_grid):
        body = rearrange(body.float(), "b (f t) d -> b d f t", f=frequency)
        body = F.interpolate(body, size=tuple(new_grid), mode="bilinear", align_corners=False)
        body = rearrange(body, "b d f t -> b (f t) d").to(positions.dtype)
    return torch.cat((head, body), dim=1)
