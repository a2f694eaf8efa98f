"""Training and sampling of any backbone beside a clean first frame: a straight flow, or the v of a diffusion."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from asva_dit.backbones import Question, backbone_of
from asva_dit.scheduler import make_scheduler


def levels(predicts: str, time: Tensor) -> tuple[Tensor, Tensor]:
    """Shares (b, 1, 1, 1, 1) of signal and noise at times (b,) from 0, clean, to 1.

    >>> [share.item() for share in levels("velocity", torch.tensor([0.25]))]
    [0.75, 0.25]
    """
    time = time.view(-1, 1, 1, 1, 1)
    if predicts == "velocity":
        return 1 - time, time
    kept = make_scheduler().alphas_cumprod.to(time)[(999 * time).round().long()]
    return kept.sqrt(), (1 - kept).sqrt()


def clean_and_noise(predicts: str, noisy: Tensor, answer: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """What an answer says of noisy latents: the clean ones and the noise in them."""
    signal, noise = levels(predicts, time)
    if predicts == "velocity":
        return noisy - noise * answer, noisy + signal * answer
    return signal * noisy - noise * answer, noise * noisy + signal * answer


def loss(
    transformer: Any, question: Question, clean: Tensor, noise: Tensor, weight: Tensor | float = 1.0
) -> dict[str, Tensor]:
    """``loss`` and ``error``, the same without weights, of the answer for latents behind the first.

    Args:
        transformer: Of a backbone, with or without a control.
        question: Without noisy latents, which are made here.
        clean: (b, t, c, h, w) latents.
        noise: The same shape, normal.
        weight: (b, t, 1, h, w) of each cell, the larger the more moves there.
    """
    backbone = backbone_of(transformer)
    signal, share = levels(backbone.predicts, question.time)
    answer = backbone.ask(transformer, replace(question, noisy=signal * clean + share * noise)).float()
    target = noise - clean if backbone.predicts == "velocity" else signal * noise - share * clean
    error = (answer - target).square()[:, 1:]
    weighted = error * weight[:, 1:] if isinstance(weight, Tensor) else error * weight
    return {"loss": weighted.mean(), "error": error.mean()}


@torch.no_grad()
def sample(transformer: Any, question: Question, steps: int, shift: float = 1.0) -> Tensor:
    """Latents (b, t, c, h, w) of the noise in `question`, in even steps without new noise.

    Args:
        transformer: Of a backbone.
        question: With pure noise as the noisy latents.
        steps: Number of steps.
        shift: More than 1 spends more of them on much noise.
    """
    backbone, x = backbone_of(transformer), question.noisy
    even = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    times = (shift * even / (1 + (shift - 1) * even)).to(x)
    for now, following in pairwise(times):
        time = now.expand(len(x))
        answer = backbone.ask(transformer, replace(question, noisy=x, time=time)).to(x)
        clean, noise = clean_and_noise(backbone.predicts, x, answer, time)
        signal, share = levels(backbone.predicts, following.expand(len(x)))
        x = signal * clean + share * noise
    return torch.cat([question.first, x[:, 1:]], dim=1)
