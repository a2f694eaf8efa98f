"""The head that carries texture, learned on decoded frames beside the true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from asva_unet.pixels import to_pixels

if TYPE_CHECKING:
    from asva_unet.texture_carry import TextureCarry


class TextureCarryLoss(nn.Module):
    """Squared error of the sharpened frames, more where objects move, and a little of the absolute error.

    Args:
        carry: The head.
        motion_weight: Extra weight of the pixels of moving objects.
        absolute_weight: Weight of the absolute error.

    >>> from asva_unet import TextureCarry
    >>> frames = torch.zeros(1, 2, 8, 8, 3, dtype=torch.uint8)
    >>> clips = {"decoded": frames, "frames": frames, "picture": frames[:, 0], "moving": torch.ones(1, 2, 8, 8).bool()}
    >>> sorted(TextureCarryLoss(TextureCarry(8, 8))(clips, torch.Generator()))
    ['gain', 'loss', 'moving_psnr']
    """

    def __init__(self, carry: TextureCarry, *, motion_weight: float = 8.0, absolute_weight: float = 0.02):
        super().__init__()
        self.carry, self.motion_weight, self.absolute_weight = carry, motion_weight, absolute_weight

    def forward(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of ``decoded`` and true ``frames`` (b, t, h, w, 3) uint8, of which ``moving`` (b, t, h, w) moves.

        ``picture`` (b, h, w, 3) is the first frame. ``gain`` is what the head adds to the decibels of moving pixels.
        """
        decoded, true, picture = (to_pixels(batch[name]) for name in ("decoded", "frames", "picture"))
        moving = batch["moving"].unsqueeze(2).float()
        error = self.carry(decoded, picture).float() - true
        weight = (1 + self.motion_weight * moving).expand_as(error)
        loss = (weight * (error.square() + self.absolute_weight * error.abs())).sum() / weight.sum()
        after, before = (_psnr(one, moving) for one in (error, decoded - true))
        return {"loss": loss, "moving_psnr": after, "gain": after - before}


def _psnr(error: Tensor, moving: Tensor) -> Tensor:
    """Decibels of errors (b, t, 3, h, w) in [-2, 2] where ``moving`` (b, t, 1, h, w) is 1."""
    with torch.no_grad():
        mean = (error.square().mean(dim=2, keepdim=True) * moving).sum() / moving.sum().clamp_min(1)
        return 10 * torch.log10(4 / mean.clamp_min(1e-8))
