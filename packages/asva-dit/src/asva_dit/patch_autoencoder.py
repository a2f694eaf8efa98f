"""The autoencoder of the small MTV model: linear, closed form, with the frames and slots of CogVideoX's.

The transformer wants latents of one frame, then of four frames each. CogVideoX's autoencoder has 216 million weights;
this one is a principal component analysis of patches, which takes seconds to fit and loses little of flat drawings.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from asva_weights.offloading import onload


class PatchVideoAutoencoder(ModelMixin, ConfigMixin):
    """Patches of one frame, or of four, to a few numbers and back.

    Args:
        patch_size: Height and width of a patch in pixels.
        latent_channels: Numbers of a patch.
        scaling_factor: What latents are multiplied by.
        temporal_compression_ratio: 4.
    """

    @register_to_config
    def __init__(
        self,
        patch_size: int = 8,
        latent_channels: int = 48,
        scaling_factor: float = 1.0,
        temporal_compression_ratio: int = 4,
    ) -> None:
        super().__init__()
        pixels = 3 * patch_size**2
        self.first_basis, self.first_mean = _frozen(latent_channels, pixels), _frozen(pixels)
        self.first_scale = _frozen(latent_channels)
        wide = pixels * temporal_compression_ratio
        self.basis, self.mean, self.scale = _frozen(latent_channels, wide), _frozen(wide), _frozen(latent_channels)

    def encode(self, pixels: Tensor) -> SimpleNamespace:
        """``latent_dist``, with ``mode()`` and ``sample()`` (b, c, k + 1, h', w'), of (b, 3, 4k + 1, h, w) pixels."""
        onload(self)
        first, rest = self._patches(pixels[:, :, :1], 1), self._patches(pixels[:, :, 1:], self._slot)
        coded = [(first - self.first_mean) @ self.first_basis.T / self.first_scale]
        if rest.shape[1]:
            coded.append((rest - self.mean) @ self.basis.T / self.scale)
        latents = torch.cat(coded, dim=1).permute(0, 4, 1, 2, 3)
        return SimpleNamespace(
            latent_dist=SimpleNamespace(mode=lambda: latents, sample=lambda generator=None: latents, mean=latents)
        )

    def decode(self, latents: Tensor, return_dict: bool = True) -> SimpleNamespace | tuple[Tensor]:
        """``sample``, (b, 3, 4k + 1, h, w) pixels of (b, c, k + 1, h', w') latents."""
        onload(self)
        coded = latents.permute(0, 2, 3, 4, 1)
        first = (coded[:, :1] * self.first_scale) @ self.first_basis + self.first_mean
        parts = [self._pixels(first, 1)]
        if coded.shape[1] > 1:
            parts.append(self._pixels((coded[:, 1:] * self.scale) @ self.basis + self.mean, self._slot))
        pixels = torch.cat(parts, dim=2)
        return SimpleNamespace(sample=pixels) if return_dict else (pixels,)

    @torch.no_grad()
    def fit(self, clips: Tensor) -> None:
        """Take the principal components of (b, 3, 4k + 1, h, w) pixels in [-1, 1].

        Numbers are scaled to the root of their deviation: halfway between the picture's own scale, where fine things
        drown in noise first, and equal scales, where they count as much as coarse ones.
        """
        for pixels, slot, target in (
            (clips[:, :, :1], 1, (self.first_mean, self.first_basis, self.first_scale)),
            (clips[:, :, 1:], self._slot, (self.mean, self.basis, self.scale)),
        ):
            rows = self._patches(pixels, slot).flatten(0, 3).double()
            mean = rows.mean(0)
            values, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
            count = self.config.latent_channels
            deviation = values.flip(0)[:count].clamp(min=1e-8).sqrt()
            scale = deviation.sqrt()
            scale = scale * (deviation / scale).square().mean().sqrt()  # latents have a mean square of one
            for parameter, value in zip(target, (mean, vectors.T.flip(0)[:count], scale), strict=True):
                parameter.copy_(value)

    @property
    def _slot(self) -> int:
        return self.config.temporal_compression_ratio

    def _patches(self, pixels: Tensor, slot: int) -> Tensor:
        """(b, 3, t, h, w) -> (b, t / slot, h', w', values)."""
        p = self.config.patch_size
        b, _, t, h, w = pixels.shape
        x = pixels.reshape(b, 3, t // slot, slot, h // p, p, w // p, p)
        return x.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4)

    def _pixels(self, patches: Tensor, slot: int) -> Tensor:
        """The inverse of ``_patches``."""
        p = self.config.patch_size
        x = patches.unflatten(-1, (3, slot, p, p)).permute(0, 4, 1, 5, 2, 6, 3, 7)
        return x.flatten(6, 7).flatten(4, 5).flatten(2, 3)


def _frozen(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.ones(shape) if len(shape) == 1 else torch.zeros(shape), requires_grad=False)
