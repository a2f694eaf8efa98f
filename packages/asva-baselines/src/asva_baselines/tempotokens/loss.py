"""TempoTokens' loss: the mapper alone learns, through a text encoder and a network that stand still (section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from asva_baselines.tempotokens.network import frame_contexts, predict_noise
from asva_unet.losses import LearningParts


class TempoTokensLoss(LearningParts):
    """Error of the predicted noise, and how large the frames' own words are.

    Args:
        parts: ``mapper``, which learns, and frozen ``text_encoder`` and ``unet``.
        scheduler: Whose ``add_noise`` makes noisy latents.
        ids: (n,) of the prompt of six words, see :func:`asva_baselines.tempotokens.network.word_ids`.
        word_weight: Of the mean size of a frame's own word.
    """

    def __init__(self, parts: Mapping[str, Any], scheduler: Any, ids: Tensor, word_weight: float = 0.01) -> None:
        super().__init__(parts, ["mapper"])
        self.scheduler, self.word_weight = scheduler, word_weight
        self.register_buffer("ids", ids, persistent=False)

    def forward(
        self, latents: Tensor, features: Tensor, step: Tensor, noise: Tensor, dropout: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Losses of clips.

        Args:
            latents: (b, t, c, h, w) clean, scaled.
            features: (b, n, d) what BEATs heard, all layers.
            step: (b,) time steps.
            noise: Unit noise of the latents' shape.
            dropout: See :class:`asva_baselines.TempoTokensMapper`; the original always drops half.
        """
        words = self.part("mapper")(features, dropout)
        contexts = frame_contexts(self.part("text_encoder"), self.get_buffer("ids"), words)
        noisy = self.scheduler.add_noise(latents, noise, step)
        error = F.mse_loss(predict_noise(self.part("unet"), noisy, step, contexts).float(), noise.float())
        size = words[:, :, 0].abs().mean()
        return {"loss": error + self.word_weight * size, "error": error, "size": size}
