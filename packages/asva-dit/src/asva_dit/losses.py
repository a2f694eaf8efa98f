"""MTV's training step: latent frames are denoised beside those that are given (MTV, section 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from asva_dit.masks import draw_masks
from asva_dit.rotary import rotary_embedding


@dataclass(frozen=True, kw_only=True)
class MTVSettings:
    """Weights and chances of the loss, as recipes hold them.

    Attributes:
        prediction_type: ``"v_prediction"`` as published, or ``"residual"``: what to add to the first frame standing
            still.
        frame_masks: How often which latent frames are given, by name, see ``asva_dit.masks``; the rest of
            the clips are given none.
        given_loss: Whether frames that are given count in the loss, as published.
        dropout: Chance that ``text`` or ``audio`` is left out.
        motion_weight: Extra weight of the latent cells in which something moves.
        noise_bias: Time steps are ``1000 * (1 - u^noise_bias)``, u uniform: 1 is uniform, more prefers much noise.
        low_noise_weight: Largest weight of a step with little noise (``residual`` only).
    """

    prediction_type: Literal["v_prediction", "residual"] = "v_prediction"
    frame_masks: Mapping[str, float] = field(default_factory=dict)
    given_loss: bool = True
    dropout: Mapping[str, float] = field(default_factory=dict)
    motion_weight: float = 0.0
    noise_bias: float = 1.0
    low_noise_weight: float = 4.0


@dataclass(frozen=True)
class MTVClips:
    """Clips as the transformer sees them.

    Attributes:
        latents: (b, t, c, h, w) clean.
        text: (b, n, d) tokens.
        tracks: Features of the tracks of sound as the transformer takes them, by ``speech_embeds`` and so on.
        still: (b, t, c, h, w) latents of the first frame standing still; for ``"residual"`` alone.
        moving: (b, t, 1, h, w) bool, latent cells in which something moves, see :func:`moving_cells`; all if none.
    """

    latents: Tensor
    text: Tensor
    tracks: dict[str, Tensor]
    still: Tensor | None = None
    moving: Tensor | None = None


@dataclass(frozen=True)
class MTVQuestion:
    """Clips as the network is asked about them.

    Attributes:
        clips: What is true.
        reference: (b, t, c, h, w) what a residual is added to.
        given: (b, t) bool, latent frames that are clean.
        answer: ``answer(noisy, step)`` is the network's, for noisy latents (b, t, c, h, w) and time steps (b,).
    """

    clips: MTVClips
    reference: Tensor
    given: Tensor
    answer: Callable[[Tensor, Tensor], Tensor]


class MTVLoss:
    """Noising of latent frames beside those that are given, and the error of the answer.

    Args:
        network: An ``MTVTransformer3DModel``.
        scheduler: Whose ``alphas_cumprod`` are the noise levels, see ``make_scheduler``.
        settings: Weights and chances; any object with the attributes of :class:`MTVSettings` will do.
    """

    def __init__(self, network: Any, scheduler: Any, settings: Any = None):
        self.network, self.settings = network, settings or MTVSettings()
        self.alphas_cumprod = scheduler.alphas_cumprod.double()

    def __call__(self, clips: MTVClips, generator: torch.Generator) -> dict[str, Tensor]:
        """``loss``, and ``error`` and ``moving_error`` without weights."""
        settings, (size, t) = self.settings, clips.latents.shape[:2]
        # One draw each, that of a picture, which the other methods have, as well.
        drop = {
            name: torch.rand(size, generator=generator) < settings.dropout.get(name, 0.0)
            for name in ("text", "image", "audio")
        }
        given = draw_masks(settings.frame_masks, size, t, generator)
        share = 1 - torch.rand(size, generator=generator, dtype=torch.float64) ** settings.noise_bias
        step = (share * len(self.alphas_cumprod)).long().clamp(max=len(self.alphas_cumprod) - 1)
        noise = torch.randn(clips.latents.shape, generator=generator)
        return self.losses(self.question(self.without(clips, drop["text"], drop["audio"]), given), step, noise)

    def without(self, clips: MTVClips, text: Tensor, audio: Tensor) -> MTVClips:
        """The same with zeros for the words and the sound of some clips, (b,) bool."""
        kept = (~audio).view(-1, 1, 1, 1, 1).to(clips.latents.device)
        tracks = {name: x * (kept if x.ndim == 5 else kept[..., None]) for name, x in clips.tracks.items()}
        words = clips.text * (~text).view(-1, 1, 1).to(clips.text.device)
        return MTVClips(clips.latents, words, tracks, clips.still, clips.moving)

    def question(self, clips: MTVClips, given: Tensor) -> MTVQuestion:
        """How the network is asked with the frames ``given`` (b, t) clean."""
        latents, given = clips.latents, given.to(clips.latents.device)
        _, t, _, height, width = latents.shape
        reference = torch.zeros_like(latents)
        if self.settings.prediction_type == "residual":
            reference = clips.still * given[:, :1, None, None, None]
        rotary = rotary_embedding(self.network, t, height, width, device=latents.device)
        options: dict[str, Any] = {"image_rotary_emb": rotary, "clean_frame_mask": given, **clips.tracks}

        def answer(noisy: Tensor, step: Tensor) -> Tensor:
            return self.network(noisy, clips.text, step, **options).sample

        return MTVQuestion(clips, reference, given, answer)

    def losses(self, question: MTVQuestion, step: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """Errors of the answer at time steps (b,) with unit noise (b, t, c, h, w)."""
        latents, given = question.clips.latents, question.given[:, :, None, None, None]
        noise, level = noise.to(latents), self.alphas_cumprod[step.cpu()].view(-1, 1, 1, 1, 1).to(latents)
        noisy = torch.where(given, latents, level.sqrt() * latents + (1 - level).sqrt() * noise)
        answer = question.answer(noisy, step.to(latents.device)).float()
        target, weight = self.target(latents, noise, question.reference, level)
        error = (answer - target).square()
        counts = torch.ones_like(error) if self.settings.given_loss else (~given).expand_as(error).float()
        moving = counts if question.clips.moving is None else question.clips.moving.to(error.device) * counts
        total = counts.sum().clamp(min=1)
        return {
            "loss": (error * weight * counts * (1 + self.settings.motion_weight * moving)).sum() / total,
            "error": (error * counts).sum() / total,
            "moving_error": (error * moving).sum() / moving.sum().clamp(min=1),
        }

    def target(self, clean: Tensor, noise: Tensor, reference: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """What the network should answer, and the weight of its error (published: plain v)."""
        if self.settings.prediction_type == "v_prediction":
            return level.sqrt() * noise - (1 - level).sqrt() * clean, torch.ones_like(level)
        return clean - reference, (1 / (1 - level).clamp(min=1e-6)).clamp(max=self.settings.low_noise_weight)

    def first_guess(self, clips: MTVClips, generator: torch.Generator) -> Tensor:
        """Clean latents that the network sees in pure noise beside the first frame, (b, t, c, h, w)."""
        latents = clips.latents
        question = self.question(clips, draw_masks({"first": 1.0}, *latents.shape[:2], generator))
        noise = torch.randn(latents.shape, generator=generator).to(latents.device)
        mask = question.given[:, :, None, None, None]
        last = torch.full((len(latents),), len(self.alphas_cumprod) - 1, device=latents.device)
        answer = question.answer(torch.where(mask, latents, noise), last).float()
        guess = answer + question.reference if self.settings.prediction_type == "residual" else -answer
        return torch.where(mask, latents, guess)


def moving_cells(moving: Tensor, shape: torch.Size) -> Tensor:
    """(b, 4t - 3, H, W) pixels -> (b, t, 1, h, w) cells of latents of ``shape`` that hold one."""
    padded = torch.cat([moving[:, :1].expand(-1, 3, -1, -1), moving], dim=1).float()
    _, t, _, h, w = shape
    return F.adaptive_max_pool3d(padded[:, None], (t, h, w)).transpose(1, 2) > 0
