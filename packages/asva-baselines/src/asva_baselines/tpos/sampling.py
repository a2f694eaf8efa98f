"""Pictures that a sound edits: its words pull the noise, where they pull most, and the pull has momentum.

TPoS, section 3.3; the steps are those of PLMS (arXiv 2202.09778) and DDIM as Stable Diffusion's first code has them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# Weights of the last answers, the newest first (Adams and Bashforth).
_MULTISTEP = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))
Predict = Callable[[Tensor, int], Tensor]
Report = Callable[[int, int, Tensor], None] | None


@dataclass(frozen=True, kw_only=True)
class Edits:
    """How concepts pull.

    Attributes:
        text_guidance_scale: Of the prompt; 1 is none.
        edit_scale: Of each concept: a number, or (b, 1, 1, 1).
        threshold: Share of a channel's places, 0 to 1, at which a concept does not pull: those where it would least.
        below: Time step from which on concepts pull.
        momentum: Share of the pull that stays from step to step; the rest is this step's.
        carried: How much of what stayed is added to each step's pull.
    """

    text_guidance_scale: float = 7.5
    edit_scale: float | Tensor = 4.0
    threshold: float = 0.85
    below: int = 800
    momentum: float = 0.6
    carried: float = 0.3

    def __call__(self, answers: Tensor, timestep: int, velocity: Tensor) -> tuple[Tensor, Tensor]:
        """The noise (b, c, h, w) and what stays of the pull.

        Args:
            answers: (2 + concepts, b, c, h, w) the network's for no words, for the prompt and for each concept.
            timestep: Of the answers.
            velocity: (b, c, h, w) what stayed before; zeros at first.
        """
        nothing, prompt, *concepts = answers
        noise = nothing + self.text_guidance_scale * (prompt - nothing)
        if not concepts or timestep >= self.below:
            return noise, velocity
        pull = self.carried * velocity
        for concept in concepts:
            edit = self.edit_scale * (concept - nothing)
            size = edit.abs().flatten(2)
            least = size.quantile(self.threshold, dim=2)[..., None, None]
            pull = pull + edit * (edit.abs() >= least)
        return noise + pull, self.momentum * velocity + (1 - self.momentum) * pull


class Grid:
    """Time steps at equal distances, in rising order, and the share of signal there and one step before.

    Raises:
        ValueError: If there are more than every second one.
    """

    def __init__(self, alphas_cumprod: Tensor, num_inference_steps: int) -> None:
        every = len(alphas_cumprod) // num_inference_steps
        if every < 2:
            most = len(alphas_cumprod) // 2
            raise ValueError(f"`num_inference_steps` must be at most {most}, got {num_inference_steps}.")
        self.timesteps = torch.arange(num_inference_steps) * every + 1
        self.alphas = alphas_cumprod.double()[self.timesteps]
        self.alphas_prev = torch.cat([alphas_cumprod.double()[:1], self.alphas[:-1]])

    def step(self, latents: Tensor, noise: Tensor, index: int) -> Tensor:
        """From one place of the grid to the one before it, without new noise."""
        alpha, prev = float(self.alphas[index]), float(self.alphas_prev[index])
        clean = (latents - (1 - alpha) ** 0.5 * noise) / alpha**0.5
        return prev**0.5 * clean + (1 - prev) ** 0.5 * noise


def sample_plms(predict: Predict, latents: Tensor, grid: Grid, edits: Edits, report: Report = None) -> Tensor:
    """Pictures' latents (b, c, h, w) from noise.

    Args:
        predict: ``predict(latents, timestep)`` gives the answers that :class:`Edits` takes.
        latents: (b, c, h, w) noise.
        grid: Of the steps.
        edits: How concepts pull.
        report: ``report(step, num_steps, latents)`` after each.
    """
    velocity, past = torch.zeros_like(latents), []
    count = len(grid.timesteps)
    for number, index in enumerate(reversed(range(count))):
        timestep = int(grid.timesteps[index])
        noise, velocity = edits(predict(latents, timestep), timestep, velocity)
        past = [noise, *past][:4]
        slope = sum(weight * one for weight, one in zip(_MULTISTEP[len(past) - 1], past, strict=True))
        if len(past) == 1:  # the first step looks ahead, and the pull is then counted twice
            ahead, following = grid.step(latents, noise, index), int(grid.timesteps[max(index - 1, 0)])
            later, velocity = edits(predict(ahead, following), following, velocity)
            slope = (noise + later) / 2
        latents = grid.step(latents, slope, index)
        if report is not None:
            report(number, count, latents)
    return latents


def start_from_picture(clean: Tensor, noise: Tensor, grid: Grid, steps: int) -> Tensor:
    """Latents of a picture with the noise of the place from which some steps lead back to it."""
    alpha = float(grid.alphas[min(steps, len(grid.alphas) - 1)])
    return alpha**0.5 * clean + (1 - alpha) ** 0.5 * noise


def sample_ddim(
    predict: Predict, latents: Tensor, grid: Grid, edits: Edits, steps: int, report: Report = None
) -> Tensor:
    """Pictures' latents from noised pictures, the last `steps` steps of the grid; nothing of the pull stays.

    The original has constants of a momentum here too, but forgets the velocity at every step.
    """
    still = torch.zeros_like(latents)
    for number, index in enumerate(reversed(range(steps))):
        timestep = int(grid.timesteps[index])
        noise, _ = edits(predict(latents, timestep), timestep, still)
        latents = grid.step(latents, noise, index)
        if report is not None:
            report(number, steps, latents)
    return latents
