"""The sampling loop: guidance, given frames put back before every step (MTV, section 5.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from diffusers import CogVideoXDPMScheduler
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from asva_dit.guidance import MTVGuidance, mtv_guidance

Predict = Callable[[Tensor, Tensor, tuple[str, ...]], Tensor]


def denoise(
    predict: Predict,
    latents: Tensor,
    scheduler: Any,
    *,
    num_inference_steps: int = 20,
    guidance: MTVGuidance | None = None,
    guidance_range: tuple[float, float] = (0.0, 1.0),
    clean_latents: Tensor | None = None,
    clean_frame_mask: Tensor | None = None,
    eta: float = 0.0,
    generator: torch.Generator | list[torch.Generator] | None = None,
    batched: bool = False,
    callback_on_step_end: Callable[[int, Tensor, Tensor], bool | None] | None = None,
) -> Tensor:
    """Latents from noise.

    Args:
        predict: ``predict(sample, timestep, names)`` answers for the named branches of `guidance`, whose samples
            follow one another along the batch axis: branch by branch, not clip by clip. `timestep` is (b,).
        latents: (b, t, c, h, w) standard normal noise.
        scheduler: Of ``make_scheduler``, or another of diffusers' on its noise levels.
        num_inference_steps: Steps, 20 as released.
        guidance: Scales; ``MTVGuidance()`` by default.
        guidance_range: Shares of the steps between which it acts, 0 to 1; in the others the network is called once,
            under all conditions.
        clean_latents: (b, t, c, h, w) latents of the frames that are given; other frames of it are not read.
        clean_frame_mask: (b, t) boolean, True where a frame is given. `predict` must pass it to the network too.
        eta: Noise of each step of DDIM, 0 to 1.
        generator: Draws the noise of every step.
        batched: One call for all branches instead of one each: faster where memory allows.
        callback_on_step_end: Called with the number of the step, its timestep and the latents; stops the loop by
            returning True.

    Returns:
        (b, t, c, h, w) clean latents; given frames come out as they went in.

    Raises:
        ValueError: If one of `clean_latents` and `clean_frame_mask` is missing, or shapes differ.
    """
    guidance = guidance or MTVGuidance()
    alone = replace(guidance, text=1.0, audio=1.0)
    first, end = (round(share * num_inference_steps) for share in guidance_range)
    put_back = _put_back(latents, clean_latents, clean_frame_mask)
    scheduler.set_timesteps(num_inference_steps, device=latents.device)
    predicted, before = None, None
    for index, timestep in enumerate(scheduler.timesteps):
        latents = put_back(latents)
        acting = guidance if first <= index < end else alone
        velocity = _guided(predict, latents, timestep.expand(len(latents)), acting, batched)
        if isinstance(scheduler, CogVideoXDPMScheduler):
            latents, predicted = scheduler.step(
                velocity, predicted, timestep, before, latents, generator=generator, return_dict=False
            )
        else:
            noise = randn_tensor(latents.shape, generator, latents.device, latents.dtype) if eta else None
            further = {"eta": eta, "variance_noise": noise} if eta else {}
            latents = scheduler.step(velocity, timestep, latents, **further, return_dict=False)[0]
        before = timestep
        if callback_on_step_end is not None and callback_on_step_end(index, timestep, put_back(latents)):
            break
    return put_back(latents)


def _guided(predict: Predict, latents: Tensor, timestep: Tensor, guidance: MTVGuidance, batched: bool) -> Tensor:
    names = guidance.branches
    if batched:
        repeats = (len(names), *[1] * (latents.ndim - 1))
        answers = predict(latents.repeat(repeats), timestep.repeat(len(names)), names).chunk(len(names))
    else:
        answers = [predict(latents, timestep, (name,)) for name in names]
    return mtv_guidance(dict(zip(names, answers, strict=True)), guidance)


def _put_back(latents: Tensor, clean: Tensor | None, mask: Tensor | None) -> Callable[[Tensor], Tensor]:
    if clean is None and mask is None:
        return lambda x: x
    if clean is None or mask is None:
        raise ValueError("`clean_latents` and `clean_frame_mask` must be given together, got one of them.")
    if clean.shape != latents.shape or mask.shape != latents.shape[:2] or mask.dtype != torch.bool:
        raise ValueError(
            f"`clean_latents` must have shape {tuple(latents.shape)} and `clean_frame_mask` be boolean of shape "
            f"{tuple(latents.shape[:2])}, got {tuple(clean.shape)} and {mask.dtype} of {tuple(mask.shape)}."
        )
    return lambda x: torch.where(mask[:, :, None, None, None], clean.to(x.dtype), x)
