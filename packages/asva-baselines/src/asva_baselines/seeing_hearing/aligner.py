"""The aligner: after each step the latents move to where what they show is nearer to what was given.

Seeing and Hearing, section 3.2; the loop is that of the only code released, which makes sound of video.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from asva_unet.guidance import WeightedBranches, guided_prediction


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """How latents are moved.

    Attributes:
        unlike: ``unlike(clean)`` is how far clean latents are from what was given: a number that has gradients.
        start: Share of the steps after which they are moved.
        learning_rate: By about how much each number moves at once.
        rounds: Moves after each step.
    """

    unlike: Callable[[Tensor], Tensor]
    start: float = 0.2
    learning_rate: float = 0.1
    rounds: int = 1

    def move(self, latents: Tensor, noise: Tensor, alpha: float) -> Tensor:
        """Latents after some moves of an optimizer that begins anew at each step.

        Args:
            latents: After the step.
            noise: The network's answer before it, which stays as it is: no gradient goes through the network.
            alpha: Share of signal before the step, as in the original.
        """
        moved = latents.detach().clone().requires_grad_()
        optimizer = torch.optim.Adam([moved], lr=self.learning_rate)
        for _ in range(self.rounds):
            with torch.enable_grad():
                clean = (moved - (1 - alpha) ** 0.5 * noise) / alpha**0.5
                (moved.grad,) = torch.autograd.grad(self.unlike(clean), moved)
            optimizer.step()
        return moved.detach()


@torch.no_grad()
def denoise_aligned(
    predict: Callable[[Tensor, Tensor, tuple[str, ...]], Tensor],
    latents: Tensor,
    scheduler: Any,
    num_inference_steps: int,
    *,
    guidance: WeightedBranches,
    alignment: Alignment | None,
    batched: bool = False,
    callback_on_step_end: Callable[[int, int, Tensor], None] | None = None,
) -> Tensor:
    """Turn noise into latents that agree with what was given.

    Args:
        predict: See :func:`asva_unet.denoise`; answers with the noise.
        latents: (b, ...) initial noise.
        scheduler: Of diffusers, with ``alphas_cumprod``.
        num_inference_steps: Steps.
        guidance: Of the network.
        alignment: None leaves the latents to the network.
        batched: Whether all branches of the guidance go through the network at once.
        callback_on_step_end: ``callback_on_step_end(step, num_steps, latents)``, after each step.
    """
    scheduler.set_timesteps(num_inference_steps)
    timesteps = scheduler.timesteps.tolist()
    for step, timestep in enumerate(timesteps):
        batch_timestep = torch.full((len(latents),), timestep, device=latents.device)
        noise = guided_prediction(predict, latents, batch_timestep, guidance, batched=batched)
        latents = scheduler.step(noise, timestep, latents, return_dict=False)[0]
        if alignment is not None and step > int(alignment.start * len(timesteps)):
            latents = alignment.move(latents, noise, float(scheduler.alphas_cumprod[timestep]))
        if callback_on_step_end is not None:
            callback_on_step_end(step, len(timesteps), latents)
    return latents
