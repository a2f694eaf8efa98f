"""The autoencoder between pixels and latents, learned on clips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva_unet.pixels import to_pixels

if TYPE_CHECKING:
    from diffusers import AutoencoderKL


class AutoencoderLoss(nn.Module):
    """Squared error of the reconstruction, more where objects move, plus a light KL divergence.

    Args:
        vae: A ``diffusers.AutoencoderKL``.
        kl_weight: Weight of the KL divergence per latent number.
        motion_weight: Extra weight of the pixels of moving objects.
        tone_weight: Weight of the error of 8x8 averages, so that plain surfaces keep their tone.

    >>> from diffusers import AutoencoderKL
    >>> clips = {"frames": torch.zeros(1, 2, 8, 8, 3, dtype=torch.uint8), "moving": torch.zeros(1, 2, 8, 8).bool()}
    >>> sorted(AutoencoderLoss(AutoencoderKL())(clips, torch.Generator()))
    ['kl', 'loss', 'mse', 'psnr', 'tone']
    """

    def __init__(
        self, vae: AutoencoderKL, *, kl_weight: float = 1e-4, motion_weight: float = 0.0, tone_weight: float = 0.0
    ):
        super().__init__()
        self.vae, self.kl_weight, self.motion_weight, self.tone_weight = vae, kl_weight, motion_weight, tone_weight

    def forward(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of ``frames`` (b, t, h, w, 3) uint8 of which ``moving`` (b, t, h, w) bool are moving objects."""
        pixels = to_pixels(batch["frames"].flatten(0, 1))
        moving = batch["moving"].flatten(0, 1).unsqueeze(1).float()
        posterior = self.vae.encode(pixels).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(pixels.device)
        restored = self.vae.decode(posterior.mean + posterior.std * noise).sample
        error = (restored.float() - pixels).square()
        kl = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).float().mean()
        tone = F.avg_pool2d(restored.float() - pixels, 8).square().mean()
        loss = (error * (1 + self.motion_weight * moving)).mean() + self.kl_weight * kl + self.tone_weight * tone
        return {"loss": loss, "mse": error.mean(), "tone": tone, "kl": kl, "psnr": 10 * torch.log10(4 / error.mean())}
