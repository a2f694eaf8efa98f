"""TPoS' loss of the ears: sounds meet the pictures' words of their label (TPoS, section 3.1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva_baselines.tpos.encoder import TPoSAudioEncoder, TPoSMapper

SCALE = math.exp(0.07)  # as the code has it; the usual one would be 1 / 0.07


class TPoSLoss(nn.Module):
    """Likeness of sounds to their labels and to changed copies of themselves, and error of their words.

    Args:
        encoder: Learns.
        mapper: Learns.
        copies: ``"official"`` sets the copies beside themselves, and only by their last piece, by oversight: they learn
            to differ from one another. ``"corrected"`` sets them beside the sounds, by last piece and by sum.
    """

    def __init__(self, encoder: TPoSAudioEncoder, mapper: TPoSMapper, *, copies: str = "official") -> None:
        super().__init__()
        if copies not in ("official", "corrected"):
            raise ValueError(f"`copies` must be official or corrected, got {copies}.")
        self.encoder, self.mapper, self.copies = encoder, mapper, copies

    def forward(self, segments: Tensor, changed: Tensor, label: Tensor, words: Tensor) -> dict[str, Tensor]:
        """Losses of a batch of sounds.

        Args:
            segments: (b, k, 128, 153) pieces of spectrograms.
            changed: The same with parts masked.
            label: (b, d) CLIP's feature of the label.
            words: (b, n, d) hidden states of the label.
        """
        (last, whole), (copy, copied) = (self._said(pieces) for pieces in (segments, changed))
        label = F.normalize(label, dim=-1)
        meaning = (alike(last, label) + alike(whole, label)) / 4
        error = F.mse_loss(self.mapper(whole), words[:, 1:])
        pairs = ((copy, copy), (copy, copy)) if self.copies == "official" else ((copy, last), (copied, whole))
        copies = torch.stack([alike(*pair) for pair in pairs]).sum() / 6
        return {"loss": meaning + copies + error, "meaning": meaning, "copies": copies, "error": error}

    def _said(self, segments: Tensor) -> tuple[Tensor, Tensor]:
        """By the last piece, and by all of them."""
        heard = self.encoder(segments)
        return heard.pieces[:, -1], heard.weighted.sum(1)


def alike(one: Tensor, other: Tensor) -> Tensor:
    """How badly each of (b, d) is told from the others by its counterpart, both ways."""
    scores, right = SCALE * one @ other.mT, torch.arange(len(one), device=one.device)
    return F.cross_entropy(scores, right) + F.cross_entropy(scores.mT, right)
