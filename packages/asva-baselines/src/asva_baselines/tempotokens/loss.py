"""TempoTokens' loss: the mapper alone learns, through a text encoder and a network that stand still (section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from asva_baselines.tempotokens.network import all_layers, frame_contexts, predict_noise
from asva_unet.losses import LearningParts
from asva_unet.pixels import encode_pixels, to_pixels


class TempoTokensLoss(LearningParts):
    """Error of what the network answers (noise, or clean latents), and how large the frames' own words are.

    Args:
        parts: ``mapper``, which learns, and frozen ``text_encoder`` and ``unet``; of clips also ``vae`` and
            ``audio_encoder``.
        scheduler: Whose ``add_noise`` makes noisy latents.
        ids: (n,) of the prompt of six words, see :func:`asva_baselines.tempotokens.network.word_ids`.
        word_weight: Of the mean size of a frame's own word.
        dropout: Whether half of what the clip's word is weighed by is dropped, as in the original.
    """

    def __init__(
        self,
        parts: Mapping[str, Any],
        scheduler: Any,
        ids: Tensor,
        *,
        word_weight: float = 0.01,
        dropout: bool = True,
    ) -> None:
        super().__init__(parts, ["mapper"])
        self.scheduler, self.word_weight, self.dropout = scheduler, word_weight, dropout
        self.register_buffer("ids", ids, persistent=False)

    def forward(self, batch: dict, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of ``frames`` (b, t, h, w, 3) uint8 with their ``waveform`` (b, s) at 16 kHz."""
        latents, features = self._encode(batch, generator)
        device, (b, t) = latents.device, latents.shape[:2]
        step = torch.randint(len(self.scheduler.alphas_cumprod), (b,), generator=generator).to(device)
        noise = torch.randn(latents.shape, generator=generator).to(device)
        kept = torch.rand((b, t, self.part("mapper").config["output_size"]), generator=generator).to(device) < 0.5
        return self.losses(latents, features, step, noise, 2.0 * kept if self.dropout else None)

    @torch.no_grad()
    def _encode(self, batch: dict, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latents (b, t, c, h, w), and what BEATs hears (b, n, d)."""
        vae, ears = self.part("vae"), self.part("audio_encoder")
        pixels = to_pixels(batch["frames"].flatten(0, 1))
        factor = 2 ** (len(vae.config.block_out_channels) - 1)
        shape = (len(pixels), vae.config.latent_channels, *(side // factor for side in pixels.shape[-2:]))
        latents = encode_pixels(vae, pixels, torch.randn(shape, generator=generator).to(pixels))
        fbank = ears.spectrogram(batch["waveform"].float())
        return latents.unflatten(0, batch["frames"].shape[:2]), all_layers(ears, fbank.to(pixels.device))

    def losses(
        self, latents: Tensor, features: Tensor, step: Tensor, noise: Tensor, dropout: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Losses of clips.

        Args:
            latents: (b, t, c, h, w) clean, scaled.
            features: (b, n, d) what BEATs heard, all layers.
            step: (b,) time steps.
            noise: Unit noise of the latents' shape.
            dropout: See :class:`asva_baselines.TempoTokensMapper`.
        """
        words = self.part("mapper")(features, dropout)
        contexts = frame_contexts(self.part("text_encoder"), self.get_buffer("ids"), words)
        noisy = self.scheduler.add_noise(latents, noise, step)
        target = latents if self.scheduler.config.prediction_type == "sample" else noise
        error = F.mse_loss(predict_noise(self.part("unet"), noisy, step, contexts).float(), target.float())
        size = words[:, :, 0].abs().mean()
        return {"loss": error + self.word_weight * size, "error": error, "size": size}
