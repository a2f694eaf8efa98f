"""Pixels and latents: ranges, shapes, and the autoencoder between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def to_pixels(frames: Tensor) -> Tensor:
    """(..., h, w, 3) uint8 to (..., 3, h, w) in [-1, 1]."""
    return frames.movedim(-1, -3).float() / 127.5 - 1


def to_frames(pixels: Tensor) -> Tensor:
    """(..., 3, h, w) in [-1, 1] to (..., h, w, 3) uint8."""
    return quantise(pixels.float()).movedim(-3, -1)


def encode_pixels(vae: Any, pixels: Tensor, noise: Tensor | None) -> Tensor:
    """Latents (b, c, h, w) of pixels (b, 3, H, W) in [-1, 1]: the posterior's mean, or a sample of it with `noise`."""
    posterior = vae.encode(_channels_last(pixels.to(vae.dtype))).latent_dist
    latents = posterior.mean if noise is None else posterior.mean + posterior.std * noise.to(posterior.mean)
    return latents.float() * vae.config.scaling_factor


def latent_shape(vae: Any, size: Sequence[int]) -> tuple[int, int, int]:
    """Channels, height and width of the latents of a picture."""
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    return vae.config.latent_channels, size[0] // factor, size[1] // factor


def decode_latents(
    vae: Any, latents: Tensor, chunk_size: int, report: Any = None, *, carry: Any = None, picture: Tensor | None = None
) -> Tensor:
    """Pixels (b, t, 3, H, W), about [-1, 1], of latents (b, t, c, h, w), `chunk_size` frames at a time.

    `carry`, an :class:`asva_unet.TextureCarry`, sharpens them by the first frame, `picture` (b, 3, H, W).
    """
    chunks: Sequence[Tensor] = (latents.flatten(0, 1) / vae.config.scaling_factor).split(chunk_size)
    pixels = []
    for number, chunk in enumerate(chunks):
        pixels.append(vae.decode(_channels_last(chunk.to(vae.dtype)), return_dict=False)[0].float())
        if report is not None:
            report("decode", number, len(chunks), chunk)
    decoded = torch.cat(pixels).unflatten(0, latents.shape[:2])
    if carry is None or picture is None:
        return decoded
    return torch.cat([carry(chunk, picture.to(chunk)) for chunk in decoded.split(chunk_size, dim=1)], dim=1)


def _channels_last(pictures: Tensor) -> Tensor:
    """(n, c, h, w) laid out so that the autoencoder's convolutions take a tenth less of a CPU's time."""
    return pictures.contiguous(memory_format=torch.channels_last)


def quantise(pixels: Tensor) -> Tensor:
    """Pixels in [-1, 1] as uint8, the nearest of 256 values."""
    return ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
