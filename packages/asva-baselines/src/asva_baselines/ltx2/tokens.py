"""The video as tokens: one for each place of its latents, some known from pictures, each with its seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


def pack(latents: Tensor) -> Tensor:
    """Tokens (b, n, c) of latents (b, c, t, h, w), time slowest."""
    return latents.flatten(2).transpose(1, 2)


def normalise(vae: Any, latents: Tensor) -> Tensor:
    """Latents (b, c, t, h, w) of the autoencoder as the transformer has them."""
    mean, std = (one.to(latents)[:, None, None, None] for one in (vae.latents_mean, vae.latents_std))
    return (latents - mean) * vae.config.scaling_factor / std


def denormalise(vae: Any, latents: Tensor) -> Tensor:
    """The inverse of :func:`normalise`."""
    mean, std = (one.to(latents)[:, None, None, None] for one in (vae.latents_mean, vae.latents_std))
    return latents * std / vae.config.scaling_factor + mean


@dataclass(frozen=True)
class VideoTokens:
    """What is known of a video before it is made, and where its tokens lie; later pictures stand behind the others.

    Attributes:
        grid: Frames, rows and columns of the latents.
        clean: (b, n, c) what is known, zeros elsewhere.
        mask: (b, n, 1) how much of it is kept, 0 to 1.
        coords: (b, 3, n, 2) seconds, rows and columns at which each token begins and ends.
        marks: (b, n, 1) ones where a token stands for a single frame of the video: the first latent frame (LTX-2.5).
    """

    grid: tuple[int, int, int]
    clean: Tensor
    mask: Tensor
    coords: Tensor
    marks: Tensor

    @classmethod
    def of(
        cls, rope: Any, shape: tuple[int, ...], fps: float, given: Mapping[int, Tensor], strength: float, device: Any
    ) -> VideoTokens:
        """Tokens of a video of which some frames are given.

        Args:
            rope: Of the transformer, which tells where tokens lie.
            shape: Of the latents, (b, c, t, h, w).
            fps: Frames per second of the video.
            given: Latents (b, c, 1, h, w) by their frame of the video.
            strength: How much of them is kept, 0 to 1.
            device: Of the tokens.
        """
        batch, channels, *grid = shape
        coords = rope.prepare_video_coords(batch, *grid, device, fps=fps)
        single = rope.prepare_video_coords(batch, 1, *grid[1:], device, fps=fps)
        known = torch.zeros(batch, coords.shape[2], channels + 1, device=device)  # the last one is the mask
        marks = torch.zeros_like(known[..., :1])
        marks[:, : single.shape[2]] = 1
        for frame, latents in sorted(given.items()):
            tokens = torch.nn.functional.pad(pack(latents.to(known)), (0, 1), value=strength)
            if frame == 0:
                known[:, : tokens.shape[1]] = tokens
                continue
            place = single.clone()
            place[:, 0] += frame / fps
            known, coords = torch.cat([known, tokens], 1), torch.cat([coords, place], 2)
            marks = torch.cat([marks, torch.zeros_like(tokens[..., :1])], 1)
        return cls((grid[0], grid[1], grid[2]), known[..., :-1], known[..., -1:], coords, marks)

    def begin(self, noise: Tensor, sigma: float, latents: Tensor | None = None) -> Tensor:
        """(b, n, c) at a noise level, of what is known and of the latents (b, c, t, h, w) of a stage before."""
        start = self.clean
        if latents is not None:
            count = self.grid[0] * self.grid[1] * self.grid[2]
            before = torch.cat([pack(latents), self.clean[:, count:]], 1)
            start = torch.where(self.mask > 0, self.clean, before)
        return torch.lerp(start, noise, (1 - self.mask) * sigma)

    def keep(self, tokens: Tensor) -> Tensor:
        """Tokens with what is known in its place."""
        return torch.lerp(tokens, self.clean, self.mask)

    def latents(self, tokens: Tensor) -> Tensor:
        """Latents (b, c, t, h, w); what was appended is left out."""
        count = self.grid[0] * self.grid[1] * self.grid[2]
        return tokens[:, :count].transpose(1, 2).unflatten(2, self.grid)
