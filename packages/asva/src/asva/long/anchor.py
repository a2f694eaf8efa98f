"""Against drift: later windows are drawn to the colours of the first, in latents, a little with every frame."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LIMITS = (0.8, 1.25)  # of the change in contrast; a picture that differs by more has become another one
EPSILON = 1e-6


@dataclass(frozen=True)
class Anchor:
    """Mean and deviation of each channel of the first window's latents.

    Attributes:
        mean: (c, 1, 1).
        deviation: (c, 1, 1).
    """

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, latents: Tensor) -> Anchor:
        """That of the frames (t, c, h, w) of a window."""
        mean = latents.mean(dim=(0, 2, 3))[:, None, None]
        return cls(mean, latents.std(dim=(0, 2, 3), correction=0)[:, None, None])

    def hold(self, latents: Tensor) -> Tensor:
        """Frames (t, c, h, w) drawn to the anchor: not at all just before the first, wholly at the last.

        The border between two windows stays without a seam, and the next window starts from where the anchor is.
        """
        here = Anchor.of(latents)
        gain = (self.deviation / here.deviation.clamp_min(EPSILON)).clamp(*LIMITS)
        wanted = (latents - here.mean) * gain + self.mean
        share = torch.linspace(0, 1, len(latents) + 1, device=latents.device)[1:, None, None, None]
        return latents + share * (wanted - latents)
