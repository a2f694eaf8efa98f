"""Sinusoids and the small networks that turn time, frame rate, frame index and sound into the time embedding."""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Layer = TypeVar("Layer", bound=nn.Module)


def sinusoid(values: Tensor, width: int, max_period: float = 10_000.0) -> Tensor:
    """Cosines, then sines, of ``values`` at geometrically falling frequencies (KeyVID code; DDPM, appendix B).

    Args:
        values: (...) numbers, for example timesteps.
        width: Even number of channels.
        max_period: Longest period, in units of ``values`` and of 2 pi.

    Returns:
        (..., width) float32.
    """
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float32, device=values.device) / half
    angles = values.float()[..., None] * torch.exp(-math.log(max_period) * exponents)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class ScalarEmbedding(nn.Module):
    """Sinusoid of a number per clip or per frame, then Linear, SiLU, Linear.

    Args:
        width: Channels of the sinusoid.
        embedding_dim: Channels of the result.
        zero_init: Start with an output of zero, so that a pretrained network is left as it is.
    """

    def __init__(self, width: int, embedding_dim: int, *, zero_init: bool = False) -> None:
        super().__init__()
        self.width = width
        self.linear_1 = nn.Linear(width, embedding_dim)
        self.linear_2 = nn.Linear(embedding_dim, embedding_dim)
        if zero_init:
            zero_(self.linear_2)

    def forward(self, values: Tensor) -> Tensor:
        angles = sinusoid(values, self.width).to(self.linear_1.weight.dtype)
        return self.linear_2(F.silu(self.linear_1(angles)))


class AudioTimeEmbedding(nn.Module):
    """The sound of a frame as a part of its time embedding; zero at the start (an addition of this project).

    Args:
        audio_embed_dim: Channels of an audio token.
        embedding_dim: Channels of the result.
        tokens_per_frame: Tokens of a frame, laid side by side; None averages over them instead.
    """

    def __init__(self, audio_embed_dim: int, embedding_dim: int, tokens_per_frame: int | None = None) -> None:
        super().__init__()
        self.tokens_per_frame = tokens_per_frame
        self.norm = nn.LayerNorm(audio_embed_dim)
        self.linear_1 = nn.Linear(audio_embed_dim * (tokens_per_frame or 1), embedding_dim)
        self.linear_2 = zero_(nn.Linear(embedding_dim, embedding_dim))

    def forward(self, audio_embeds: Tensor) -> Tensor:
        """(b, t, l, d) tokens of each frame -> (b, t, embedding_dim)."""
        if self.tokens_per_frame not in (None, audio_embeds.shape[2]):
            raise ValueError(
                f"`audio_embeds` must hold {self.tokens_per_frame} tokens per frame (`audio_tokens_per_frame`), "
                f"got {audio_embeds.shape[2]}."
            )
        tokens = self.norm(audio_embeds)
        tokens = tokens.mean(2) if self.tokens_per_frame is None else tokens.flatten(2)
        return self.linear_2(F.silu(self.linear_1(tokens)))


def zero_(module: Layer) -> Layer:
    """Set every parameter of ``module`` to zero and return it."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module
