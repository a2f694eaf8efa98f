"""The rotary embedding of a base, for the size of a clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import CogVideoXTransformer3DModel


def rotary_embedding(
    transformer: CogVideoXTransformer3DModel,
    num_latent_frames: int,
    height: int,
    width: int,
    *,
    device: torch.device | str | None = None,
) -> tuple[Tensor, Tensor] | None:
    """Cosines and sines for ``forward(image_rotary_emb=...)``, None for a base that has no rotary embedding.

    A clip smaller or larger than the base's is laid over its grid with the shape kept, as in diffusers' pipeline.

    Args:
        transformer: The base, or a model made of it.
        num_latent_frames: Latent frames.
        height, width: Of the latents.
        device: Of the result; the base's by default.

    Returns:
        Two (t * n, head_dim) tensors.
    """
    from diffusers.models.embeddings import get_3d_rotary_pos_embed  # which recipes of a loss do without

    config = transformer.config
    if not config["use_rotary_positional_embeddings"]:
        return None
    p = config["patch_size"]
    grid, base = (height // p, width // p), (config["sample_height"] // p, config["sample_width"] // p)
    rotary: Any = get_3d_rotary_pos_embed(
        embed_dim=config["attention_head_dim"],
        crops_coords=crop_region(grid, base),
        grid_size=grid,
        temporal_size=num_latent_frames,
        device=torch.device(device or transformer.device),
    )
    return rotary


def crop_region(grid: tuple[int, int], base: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The part of `base` (rows, columns) that a grid of another shape covers: first and last corner.

    >>> crop_region((30, 45), (30, 45)), crop_region((30, 30), (30, 45))
    (((0, 0), (30, 45)), ((0, 8), (30, 38)))
    """
    rows, columns = grid
    if rows * base[1] > columns * base[0]:
        covered = (base[0], round(base[0] * columns / rows))
    else:
        covered = (round(base[1] * rows / columns), base[1])
    top, left = (round((have - take) / 2) for have, take in zip(base, covered, strict=True))
    return (top, left), (top + covered[0], left + covered[1])
