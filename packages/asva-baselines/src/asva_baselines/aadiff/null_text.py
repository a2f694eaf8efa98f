"""Null-text inversion: what stands for no text is learned (arXiv 2211.09794, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from asva_baselines.aadiff.stress import StressedNetwork

RATE, ITERATIONS, CLOSE = 1e-2, 10, 1e-5
"""The original's: first learning rate, updates at each step, and the error at which they end (which grows by 2e-5)."""


class NullTextNetwork:
    """A network whose left-out text is another one at each step.

    Args:
        network: The network.
        texts: (b, n, d) that stand for no text, by time step.
    """

    def __init__(self, network: StressedNetwork, texts: dict[int, Tensor]) -> None:
        self.network, self.texts = network, texts

    def __call__(self, sample: Tensor, timestep: Tensor, branches: tuple[str, ...]) -> Tensor:
        """As the network's own."""
        self.network.text[False] = self.texts[int(timestep[0])]
        return self.network(sample, timestep, branches)


@torch.enable_grad()
def learn_null_texts(
    network: StressedNetwork,
    trail: list[Tensor],
    scheduler: Any,
    scale: float | Tensor,
    report: Callable[[int, int, Tensor], None] | None = None,
) -> dict[int, Tensor]:
    """What has to stand for no text at each step so that guided sampling goes back along a trail.

    Args:
        network: For one frame that stresses nothing; its weights are left alone.
        trail: What :func:`asva_baselines.aadiff.stress.invert` gave.
        scheduler: DDIM, with its time steps set.
        scale: Of the guidance by text.
        report: ``report(step, num_steps, latents)`` after each.
    """
    here, text, found = trail[-1], network.text[False], {}
    timesteps = scheduler.timesteps.tolist()
    for step, timestep in enumerate(timesteps):
        goal, batch = trail[-2 - step], torch.full((len(here),), timestep, device=here.device)
        with torch.no_grad():
            full = network(here, batch, ("full",))
        text = text.detach().float().clone().requires_grad_()
        optimizer = torch.optim.Adam([text], lr=RATE * max(1 - step / 100, 0.0))

        def stepped(text: Tensor, here=here, batch=batch, full=full, timestep=timestep) -> Tensor:
            network.text[False] = text
            empty = network(here, batch, ("audio",))
            return scheduler.step(empty + scale * (full - empty), timestep, here, return_dict=False)[0]

        for _ in range(ITERATIONS):
            loss = (stepped(text) - goal).square().mean()
            if loss < CLOSE + step * 2 * CLOSE:
                break
            (text.grad,) = torch.autograd.grad(loss, [text])
            optimizer.step()
        found[timestep] = text.detach()
        with torch.no_grad():
            here = stepped(found[timestep])
        if report is not None:
            report(step, len(timesteps), here)
    return found
