"""Noise levels, guidance by up to four passes, and steps, in float32."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from asva_baselines.ltx2.tokens import VideoTokens

DISTILLED = (1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875)
SECOND_STAGE = (0.909375, 0.725, 0.421875)
_SHIFT, _LAST = 2.05, 0.1  # of 4096 tokens, whatever their number; the last level above 0


def guided_sigmas(steps: int) -> Tensor:
    """(k + 1,) falling noise levels of the guided route, the last 0."""
    even = torch.linspace(1, 0, steps + 1)[:-1]
    shifted = math.exp(_SHIFT) / (math.exp(_SHIFT) + (1 / even - 1))
    stretched = 1 - (1 - shifted) / ((1 - shifted[-1]) / (1 - _LAST)) if steps > 1 else shifted
    return torch.cat([stretched, torch.zeros(1)])


def distilled_sigmas(steps: int, levels: tuple[float, ...] = DISTILLED) -> Tensor:
    """(k + 1,) of the distilled route; fewer steps than it has take an even share of its levels."""
    steps = min(steps, len(levels))
    return torch.tensor([*(levels[place * len(levels) // steps] for place in range(steps)), 0.0])


@dataclass(frozen=True)
class LTX2Guidance:
    """How far each of the passes pushes; a neutral one is not run.

    Attributes:
        text: Away from the negative prompt; 1 is neutral.
        attention: Away from skipped self-attention; 0 is neutral.
        audio: Away from a video that does not hear; 1 is neutral.
        rescale: 0 to 1, how far the spread is brought back.
    """

    text: float = 3.0
    attention: float = 1.0
    audio: float = 3.0
    rescale: float = 0.7

    @property
    def weights(self) -> dict[str, float]:
        """Of the passes beside the full one that are run: ``no_text``, ``no_attention`` and ``no_audio``."""
        every = {"no_text": self.text - 1, "no_attention": self.attention, "no_audio": self.audio - 1}
        return {name: weight for name, weight in every.items() if weight}

    def __call__(self, predict: Callable[[str], Tensor]) -> Tensor:
        """The guided video without noise.

        Args:
            predict: The video without noise of a pass, by its name.
        """
        full = guided = predict("full")
        for name, weight in self.weights.items():
            guided = guided + weight * (full - predict(name))
        return guided * (1 + self.rescale * (full.std() / guided.std() - 1)) if self.rescale else guided


def denoise(
    predict: Callable[[Tensor, Tensor], Tensor],
    tokens: Tensor,
    video: VideoTokens,
    sigmas: Tensor,
    *,
    skip_steps: int = 0,
    noise: Callable[[], Tensor] | None = None,
    report: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Tokens (b, n, c) from the first noise level to the last.

    Args:
        predict: The video without noise, of tokens and a noise level.
        tokens: At the first level.
        video: What is known.
        sigmas: (k + 1,) falling levels, the last 0.
        skip_steps: Steps after each computed one that take its prediction again.
        noise: Draws fresh noise for steps that forget theirs (ancestral); None is plain Euler.
        report: Told the tokens after each step.
    """
    clean = tokens
    for index, (sigma, following) in enumerate(pairwise(sigmas)):
        if index % (skip_steps + 1) == 0:
            clean = predict(tokens, sigma)
        known = video.keep(clean)
        if noise is None:
            tokens = tokens + (tokens - known) / sigma * (following - sigma)
        elif following == 0:
            tokens = known
        else:
            tokens = video.keep(ancestral_step(tokens, known, sigma, following, noise()))
        if report is not None:
            report(tokens)
    return tokens


def ancestral_step(tokens: Tensor, clean: Tensor, sigma: Tensor, following: Tensor, noise: Tensor) -> Tensor:
    """Further down than the next level, and up to it with fresh noise."""
    down = following * (following / sigma)
    share = (1 - following) / (1 - down)
    fresh = (following**2 - (down * share) ** 2).clamp(min=0).sqrt()
    return share * torch.lerp(clean, tokens, float(down / sigma)) + fresh * noise
