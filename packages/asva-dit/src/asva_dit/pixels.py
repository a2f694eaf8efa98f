"""Video to latents and back: latent frames of one, then of four frames each (CogVideoX's autoencoder)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def spatial_factor(vae: Any) -> int:
    """Pixels of a latent's side."""
    config = vae.config
    return config.patch_size if hasattr(config, "patch_size") else 2 ** (len(config.block_out_channels) - 1)


def _scale(vae: Any) -> float:
    factor = vae.config.scaling_factor
    return 1 / factor if getattr(vae.config, "invert_scale_latents", False) else factor


def encode_video(vae: Any, pixels: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Latents (b, t, c, h, w) of pixels (b, 4t - 3, 3, H, W) in [-1, 1]: the mean of the posterior, or with
    `generator` a sample of it."""
    posterior = vae.encode(pixels.movedim(1, 2).to(vae.dtype)).latent_dist
    latents = posterior.mode() if generator is None else posterior.sample(generator)
    return latents.movedim(1, 2) * _scale(vae)


def decode_video(vae: Any, latents: Tensor, report: Callable[[int, int, Tensor], None] | None = None) -> Tensor:
    """Pixels (b, 4t - 3, 3, H, W), about [-1, 1], of latents (b, t, c, h, w), clip by clip."""
    clips = []
    for number, clip in enumerate(latents.split(1)):
        scaled = (clip / _scale(vae)).movedim(1, 2).to(vae.dtype)
        clips.append(vae.decode(scaled).sample.movedim(1, 2).float())
        if report is not None:
            report(number, len(latents), clip)
    return torch.cat(clips)
