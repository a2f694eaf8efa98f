"""What the losses of all U-Nets share: conditions, noise, targets, weights (KeyVID, section 3.2)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from asva_unet.losses.dropout import CONDITIONS, dropped
from asva_unet.losses.parts import LearningParts
from asva_unet.losses.settings import LossSettings
from asva_unet.noise_schedule import dynamic_rescale
from asva_unet.pixels import to_pixels
from asva_unet.tokens import image_tokens, project, text_tokens


@dataclass(frozen=True)
class Question:
    """Clips as the network is asked about them.

    Attributes:
        latents: (b, t, c, h, w) clean.
        reference: (b, t, c, h, w) what a residual is added to.
        answer: ``answer(noisy, step)`` is the network's, for noisy latents (b, t, c, h, w) and time steps (b,).
    """

    latents: Tensor
    reference: Tensor
    answer: Callable[[Tensor, Tensor], Tensor]


class DenoisingLoss(LearningParts):
    """One noising step of a video network and the error of its answer.

    A family says in ``question`` how its network is asked.

    Args:
        recipe: Weights and chances.
        parts: Every network by name: ``vae``, the video network, and the encoders of what conditions it.
        tokenizer: Of the text encoder; none where captions are stored as tokens.
        scheduler: Whose ``alphas_cumprod`` are the noise levels, see ``make_scheduler``.
        learning: Names of the parts that learn, the video network first.
    """

    given_frames: ClassVar[int] = 0  # frames at the start that stay clean and are no part of the loss

    def __init__(
        self,
        recipe: LossSettings,
        parts: Mapping[str, Any],
        tokenizer: Any,
        scheduler: Any,
        learning: Sequence[str],
    ):
        super().__init__(parts, learning)
        self.recipe, self.tokenizer = recipe, tokenizer
        self.nothing: dict[str, Tensor] = {}  # tokens of conditions left out, where clips are stored as tokens
        self.alphas_cumprod = scheduler.alphas_cumprod.double()
        if recipe.dynamic_rescale:
            self.scale = dynamic_rescale(len(self.alphas_cumprod)).double()

    @torch.no_grad()
    def encode(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """Latents (b, t, c, h, w) of frames (b, t, h, w, 3), scaled to a standard deviation of about one.

        Or of what is stored of them: (b, t, 2, c, h, w), mean and deviation.
        """
        vae = self.part("vae")
        if frames.ndim == 6:
            mean, std = frames.float().flatten(0, 1).unbind(1)
        else:
            posterior = vae.encode(to_pixels(frames.flatten(0, 1))).latent_dist
            mean, std = posterior.mean, posterior.std
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        latents = (mean + std * noise).float() * vae.config.scaling_factor
        return latents.unflatten(0, frames.shape[:2])

    def stored(self, name: str, tokens: Tensor, drop: Tensor) -> Tensor:
        """Stored tokens (b, n, d) of a condition; a dropped one has those of nothing."""
        tokens = tokens.float()
        return torch.where(drop.view(-1, 1, 1).to(tokens.device), self.nothing[name].to(tokens), tokens)

    def text(self, captions: list[str] | Tensor, drop: Tensor) -> Tensor:
        """Text tokens (b, n, d) of words or of stored tokens; a dropped caption is empty."""
        if isinstance(captions, Tensor):
            return self.stored("text", captions, drop)
        kept = ["" if lost else caption for caption, lost in zip(captions, drop.tolist(), strict=True)]
        return text_tokens(self.tokenizer, self.part("text_encoder"), kept).float()

    def image(self, frame: Tensor, drop: Tensor, indices: Tensor, projector: str = "image_projector") -> Tensor:
        """Image tokens (b, k, q, d) of first frames (b, h, w, 3), or of stored tokens; a dropped one is mid grey."""
        if frame.ndim == 3:
            seen = self.stored("image", frame, drop)
        else:
            pixels = to_pixels(frame) * ~drop.view(-1, 1, 1, 1).to(frame.device)
            seen = image_tokens(self.part("image_encoder"), pixels)
        tokens = project(self.part(projector), seen)
        if tokens.shape[1] == 1:
            return tokens
        return tokens[torch.arange(len(indices), device=indices.device)[:, None], indices]

    @staticmethod
    def picture(batch: dict) -> Tensor:
        """First frames (b, h, w, 3), or their tokens where those are stored."""
        return batch["picture"] if "picture" in batch else batch["frames"][:, 0]

    def question(self, batch: dict, drop: dict[str, Tensor], generator: torch.Generator) -> Question:
        """Latents and conditions of a batch, some of them dropped."""
        raise NotImplementedError

    def forward(self, batch: dict, generator: torch.Generator) -> dict[str, Tensor]:
        recipe, size = self.recipe, len(batch["frames"])
        question = self.question(batch, dropped(recipe, size, generator), generator)
        share = 1 - torch.rand(size, generator=generator, dtype=torch.float64) ** recipe.noise_bias
        step = (share * len(self.alphas_cumprod)).long().clamp(max=len(self.alphas_cumprod) - 1)
        noise = torch.randn(question.latents.shape, generator=generator)
        return self.losses(question, step, noise)

    def losses(self, question: Question, step: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """Errors of the answer at time steps (b,), one for each clip, with unit noise (b, t, c, h, w)."""
        latents, device, first = question.latents, question.latents.device, self.given_frames
        noise, step = noise.to(device), step.cpu()
        level = self.alphas_cumprod[step].view(-1, 1, 1, 1, 1).to(device, torch.float32)
        clean = latents
        if self.recipe.dynamic_rescale:
            clean = latents * self.scale[step].view(-1, 1, 1, 1, 1).to(latents)
        noisy = level.sqrt() * clean + (1 - level).sqrt() * noise
        answer = question.answer(noisy, step.to(device))
        target, weight = self.target(clean, noise, question.reference, level)
        error = (answer.float() - target).square()[:, first:]
        moving = (latents - latents[:, :1]).abs().amax(dim=(1, 2), keepdim=True) > 0.5
        moving = moving.expand_as(latents)[:, first:]
        return {
            "loss": (error * weight * (1 + self.recipe.motion_weight * moving)).mean(),
            "error": error.mean(),
            "moving_error": (error * moving).sum() / moving.sum().clamp(min=1),
        }

    def target(self, clean: Tensor, noise: Tensor, reference: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """What the network should answer, and the weight of its error."""
        kind = self.unet.config.prediction_type
        if kind == "v_prediction":
            return level.sqrt() * noise - (1 - level).sqrt() * clean, torch.ones_like(level)
        if kind == "epsilon":
            return noise, torch.ones_like(level)
        weight = (1 / (1 - level).clamp(min=1e-6)).clamp(max=self.recipe.low_noise_weight)
        return (clean - reference if kind == "residual" else clean), weight

    def first_guess(self, batch: dict, generator: torch.Generator) -> Tensor:
        """Clean latents that the network sees in pure noise, (b, t, c, h, w)."""
        size, device = len(batch["frames"]), batch["frames"].device
        question = self.question(batch, dict.fromkeys(CONDITIONS, torch.zeros(size, dtype=torch.bool)), generator)
        noise = torch.randn(question.latents.shape, generator=generator).to(device)
        last = torch.full((size,), len(self.alphas_cumprod) - 1, device=device)
        answer = question.answer(noise, last).float()
        guess = self.clean(answer, noise, question.reference, float(self.alphas_cumprod[-1]))
        if self.recipe.dynamic_rescale:
            guess = guess / float(self.scale[-1])
        return torch.cat([question.latents[:, : self.given_frames], guess[:, self.given_frames :]], dim=1)

    def clean(self, answer: Tensor, noisy: Tensor, reference: Tensor, level: float, unet: Any = None) -> Tensor:
        """Clean latents by the answer of ``unet``; from pure noise, where epsilon says nothing, by a bounded one."""
        kind = (unet or self.unet).config.prediction_type
        if kind == "v_prediction":
            return level**0.5 * noisy - (1 - level) ** 0.5 * answer
        if kind == "epsilon":
            return (noisy - (1 - level) ** 0.5 * answer) / max(level, 1e-3) ** 0.5
        return answer + reference if kind == "residual" else answer
