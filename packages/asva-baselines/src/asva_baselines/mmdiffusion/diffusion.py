"""Noise levels and steps of MM-Diffusion: DDPM, DDIM, and a given sound or video held while the other is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from asva_baselines.mmdiffusion.layers import Pair

STEPS = 1000
OFFICIAL_GRADIENT = 2.0**20  # half precision's loss scale, by which the original never divides again
Predict = Callable[[Tensor, Tensor, int], Pair]


def alphas_cumprod() -> np.ndarray:
    """Signal share of the 1000 timesteps, betas linear, float64."""
    return np.cumprod(1 - np.linspace(1e-4, 0.02, STEPS))


def even_timesteps(steps: int) -> list[int]:
    """From 0 to 999, rising."""
    return [round(step * (STEPS - 1) / max(steps - 1, 1)) for step in range(steps)]


class Chain:
    """A rising choice of the timesteps, and what a step from one to the one before does; elementwise.

    Args:
        timesteps: Those of the network.
    """

    def __init__(self, timesteps: Sequence[int]) -> None:
        self.timesteps = list(timesteps)
        self.alphas = alphas_cumprod()[self.timesteps]
        self.before = np.append(1.0, self.alphas[:-1])
        self.betas = 1 - self.alphas / self.before

    def noised(self, clean: Tensor, index: int, noise: Tensor) -> Tensor:
        """Clean samples at a level."""
        return self.alphas[index] ** 0.5 * clean + (1 - self.alphas[index]) ** 0.5 * noise

    def clean(self, x: Tensor, eps: Tensor, index: int) -> Tensor:
        """The clean sample that the noise speaks of, within [-1, 1]."""
        alpha = self.alphas[index]
        return (alpha**-0.5 * x - (1 / alpha - 1) ** 0.5 * eps).clamp(-1, 1)

    def ddpm(self, x: Tensor, eps: Tensor, index: int, noise: Tensor) -> Tensor:
        """One step down with noise of variance beta; none behind the last."""
        alpha, before, beta = self.alphas[index], self.before[index], self.betas[index]
        mean = before**0.5 * beta / (1 - alpha) * self.clean(x, eps, index)
        mean = mean + (1 - before) * (1 - beta) ** 0.5 / (1 - alpha) * x
        return mean + beta**0.5 * noise if index else mean

    def ddim(self, x: Tensor, eps: Tensor, index: int) -> Tensor:
        """One step down without noise."""
        alpha, before, clean = self.alphas[index], self.before[index], self.clean(x, eps, index)
        eps = (alpha**-0.5 * x - clean) / (1 / alpha - 1) ** 0.5
        return before**0.5 * clean + (1 - before) ** 0.5 * eps


def held_step(
    chain: Chain,
    predict: Callable[[Pair, int], Pair],
    free: Tensor,
    held: Tensor,
    index: int,
    held_noise: Tensor,
    noises: Pair,
    *,
    gradient: float = 0.0,
) -> Tensor:
    """One DDPM step of one stream while the other is given (section 3.3): by replacement, or by gradient beside it.

    Args:
        chain: The steps.
        predict: ``predict((free, held), timestep)`` answers the noise of both; with a gradient it must be one that
            can be differentiated.
        free: The stream that is made.
        held: The other, clean.
        index: Of the step.
        held_noise: The one noise that it bears at every step.
        noises: Of this step, for both.
        gradient: Strength of the gradient by which the step of the held stream is drawn to the truth; 0 is none. The
            original's is 3 times :data:`OFFICIAL_GRADIENT`.
    """
    noisy = chain.noised(held, index, held_noise)
    timestep = chain.timesteps[index]
    with torch.set_grad_enabled(gradient > 0):
        free = free.detach().requires_grad_(gradient > 0)
        eps = predict((free, noisy), timestep)
        made = chain.ddpm(free, eps[0], index, noises[0])
        if not gradient or index == 0:
            return made.detach()
        step = chain.ddpm(noisy, eps[1], index, noises[1])
        loss = (step - chain.noised(held, index - 1, held_noise)).square().flatten(1).mean()
        (slope,) = torch.autograd.grad(loss, free)
    return made.detach() - gradient * chain.alphas[index] ** 0.5 * slope
