"""Against drift: windows are held to the colours, and at rest to the picture, of the beginning."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Share of the cells that may show something else than the picture if a frame is still to show the same place: where
# nothing moves, and where something does.
SAME_AT_REST, SAME = 0.5, 0.3
ELSE = 0.5  # mean squared difference, in variances of the picture, from which a cell shows something else
RETURN = 8  # frames in which it comes back to it
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


def come_back(latents: Tensor, picture: Tensor, *, calm: bool = True) -> Tensor:
    """Frames (t, c, h, w) whose last comes back to the picture (c, h, w) of the beginning if it shows the same place.

    Small errors of every window would add up otherwise: a thing at rest would lie a little lower each time, and one
    that was caught in motion would stay where it was. Where the last frame shows something else nearly everywhere, it
    is another scene and nothing is changed.

    Args:
        latents: Of a window, the last of which the next one starts from.
        picture: Of the beginning.
        calm: Whether nothing moves there.
    """
    missing = picture - latents[-1]
    elsewhere = missing.square().mean(dim=0) > ELSE * picture.var()
    if elsewhere.float().mean() > (SAME_AT_REST if calm else SAME):
        return latents
    length = min(RETURN, len(latents))
    share = torch.zeros(len(latents), 1, 1, 1, device=latents.device)
    share[-length:, 0, 0, 0] = torch.linspace(0, 1, length + 1, device=latents.device)[1:]
    return latents + share * missing
