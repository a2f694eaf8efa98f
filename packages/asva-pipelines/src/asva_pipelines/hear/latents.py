"""Frames and words as the transformer of a stock pipeline sees them: latents (b, t, c, h, w) and tokens (b, n, d)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from asva_dit.pixels import decode_video, encode_video


def _statistics(vae: Any, like: Tensor) -> tuple[Tensor, Tensor] | None:
    """Mean and deviation (c, 1, 1) of latents, where the autoencoder states them: in its config, or beside it."""
    names = ("latents_mean", "latents_std")
    found = [vae.config[name] if name in vae.config else getattr(vae, name, None) for name in names]
    if found[0] is None:
        return None
    mean, deviation = (torch.as_tensor(one).to(like).view(-1, 1, 1) for one in found)
    return mean, deviation / vae.config.get("scaling_factor", 1.0)


@torch.no_grad()
def encode_frames(vae: Any, pixels: Tensor) -> Tensor:
    """Latents (b, t, c, h, w) of pixels (b, f, 3, H, W) in [-1, 1]: the mean of the posterior."""
    stated = _statistics(vae, pixels)
    if stated is None:
        return encode_video(vae, pixels).float()
    raw = vae.encode(pixels.movedim(1, 2).to(vae.dtype)).latent_dist.mode().movedim(1, 2).float()
    return (raw - stated[0]) / stated[1]


@torch.no_grad()
def decode_frames(vae: Any, latents: Tensor) -> Tensor:
    """Pixels (b, f, 3, H, W), about [-1, 1]."""
    stated = _statistics(vae, latents)
    if stated is None:
        return decode_video(vae, latents)
    raw = (latents * stated[1] + stated[0]).movedim(1, 2).to(vae.dtype)
    return vae.decode(raw, return_dict=False)[0].movedim(1, 2).float()


@torch.no_grad()
def encode_text(stock: Any, prompts: Sequence[str], device: torch.device) -> Tensor:
    """Tokens of prompts, by the pipeline's own encoders and, of LTX-2, its connectors."""
    given = stock.encode_prompt(list(prompts), do_classifier_free_guidance=False, device=device)
    if hasattr(stock, "connectors"):
        return stock.connectors(given[0], given[1])[0].float()
    return given[0].float()
