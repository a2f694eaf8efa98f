"""Noise levels, latent scales and timestep grids of KeyVID (KeyVID, section 4; DynamiCrafter)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

SPACINGS = ("trailing", "leading", "quad")


def noise_schedule(
    num_train_timesteps: int = 1000,
    beta_start: float = 0.00085,
    beta_end: float = 0.012,
    *,
    zero_terminal_snr: bool = True,
) -> Tensor:
    """Cumulative signal share ``alpha_bar`` of every timestep, in float64 as in the original.

    Betas are the squares of an even grid of square roots; zero terminal SNR moves and scales the square root of
    ``alpha_bar`` so that its last value is exactly 0 (arXiv 2305.08891, algorithm 1).

    Args:
        num_train_timesteps: Length of the schedule.
        beta_start: First beta.
        beta_end: Last beta.
        zero_terminal_snr: Whether the last timestep holds no signal at all.

    Returns:
        (num_train_timesteps,) float64, falling.
    """
    betas = torch.linspace(beta_start**0.5, beta_end**0.5, num_train_timesteps, dtype=torch.float64) ** 2
    alphas_cumprod = (1 - betas).cumprod(0)
    if zero_terminal_snr:
        root = alphas_cumprod.sqrt()
        alphas_cumprod = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    return alphas_cumprod


def dynamic_rescale(num_train_timesteps: int = 1000, base_scale: float = 0.7, turning_step: int = 400) -> Tensor:
    """Factor of the clean latents at every timestep: falls from 1 to `base_scale`, then stays (DynamiCrafter).

    Returns:
        (num_train_timesteps,) float64.
    """
    scale = torch.full((num_train_timesteps,), base_scale, dtype=torch.float64)
    falling = torch.linspace(1.0, base_scale, turning_step, dtype=torch.float64)
    scale[:turning_step] = falling[:num_train_timesteps]
    return scale


def timestep_grid(
    num_inference_steps: int, spacing: str, num_train_timesteps: int = 1000, offset: int = 0
) -> np.ndarray:
    """Exactly `num_inference_steps` different timesteps, falling (int64 numpy).

    `"trailing"` is the original's ``uniform_trailing`` and `"leading"` with an offset of 1 its ``uniform``, wherever
    those give as many entries as asked for; elsewhere the surplus entry is left out. `"quad"` is its ``quad``: squares
    of an even grid up to four fifths of the training's timesteps, from 1 on, dense where there is little noise.

    Raises:
        ValueError: If the number of steps is outside [1, num_train_timesteps], or such that entries of `"quad"` fall
            together, or the spacing is unknown.
    """
    if not 1 <= num_inference_steps <= num_train_timesteps:
        raise ValueError(
            f"`num_inference_steps` must be between 1 and {num_train_timesteps}, got {num_inference_steps}."
        )
    if spacing == "trailing":
        grid = np.arange(num_train_timesteps, 0, -num_train_timesteps / num_inference_steps)
        return grid[:num_inference_steps].round().astype(np.int64) - 1
    if spacing == "leading":
        grid = np.arange(num_inference_steps) * (num_train_timesteps // num_inference_steps)
        return (grid + min(offset, num_train_timesteps - 1 - int(grid[-1])))[::-1].copy()
    if spacing == "quad":
        grid = (np.linspace(0, math.sqrt(0.8 * num_train_timesteps), num_inference_steps) ** 2).astype(np.int64) + 1
        if num_inference_steps < 2 or grid[1] == grid[0]:
            raise ValueError(f"`num_inference_steps` must keep the steps of quad apart, got {num_inference_steps}.")
        return grid[::-1].copy()
    raise ValueError(f"`timestep_spacing` must be one of {', '.join(SPACINGS)}, got {spacing}.")
