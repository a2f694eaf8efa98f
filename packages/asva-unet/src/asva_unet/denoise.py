"""The sampling loop, as one readable function (KeyVID, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from asva_unet.guidance import Unguided, WeightedBranches, guided_prediction

Generators = torch.Generator | Sequence[torch.Generator] | None


def draw_noise(
    shape: Sequence[int], generator: Generators = None, *, device: Any = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Standard normal noise, drawn on the CPU in float32 and then moved, so that every device gets the same.

    Args:
        shape: Shape of the noise, the batch first.
        generator: One CPU generator, or one per sample (then a sample's noise does not depend on its neighbours).
            Without one, a fresh generator is seeded by the operating system; the global one is never touched.
        device: Where the noise goes.
        dtype: What it becomes there.

    Raises:
        ValueError: If a generator does not live on the CPU or there are not as many as samples.
    """
    if generator is None:
        generator = torch.Generator()
        generator.seed()
    several = not isinstance(generator, torch.Generator)
    for one in generator if several else [generator]:
        if one.device.type != "cpu":
            raise ValueError(f"`generator` must live on the CPU, so that devices agree, got one on {one.device}.")
    if several and len(generator) != shape[0]:
        raise ValueError(f"`generator` must be one or as many as samples ({shape[0]}), got {len(generator)}.")
    if several:
        noise = torch.cat([torch.randn((1, *shape[1:]), generator=one) for one in generator])
    else:
        noise = torch.randn(tuple(shape), generator=generator)
    return noise.to(device=device, dtype=dtype)


@torch.no_grad()
def denoise(
    predict: Callable[[Tensor, Tensor, tuple[str, ...]], Tensor],
    latents: Tensor,
    scheduler: Any,
    num_inference_steps: int,
    *,
    guidance: WeightedBranches,
    guidance_range: tuple[float, float] = (0.0, 1.0),
    condition_latents: Tensor | None = None,
    prediction_type: str = "v_prediction",
    eta: float = 0.0,
    generator: Generators = None,
    step_noise: Sequence[Tensor] | None = None,
    batched: bool = False,
    after_step: Callable[[int, Tensor, Callable[[], Tensor], float], Tensor] | None = None,
    callback_on_step_end: Callable[[int, int, Tensor], None] | None = None,
) -> Tensor:
    """Turn noise into latents.

    Args:
        predict: ``predict(network_input, timestep, branches)`` as :func:`asva_unet.guided_prediction` calls it.
        latents: (b, t, c, h, w) initial noise.
        scheduler: One of :func:`asva_unet.make_scheduler`.
        num_inference_steps: Steps, at least 1.
        guidance: Scales of the guidances.
        guidance_range: Shares of the steps between which it acts, 0 to 1; in the others the network is called once,
            under all conditions (limited interval: arXiv 2404.07724).
        condition_latents: (b, t, c', h, w) further input channels, the same at every step and in every branch; the
            network input is ``cat([latents, condition_latents])`` on the channel axis.
        prediction_type: What the network answers: `"v_prediction"`, `"epsilon"`, `"sample"` or `"residual"`, which
            is the clean latents less the first ``c`` channels of `condition_latents`.
        eta: Noise of each DDIM step, 0 to 1.
        generator: CPU generator(s) of the steps' noise.
        step_noise: Unit noise of each step, instead of drawing it.
        batched: Whether all branches of the guidance go through the network at once.
        after_step: ``after_step(step, latents, noise, alpha)`` may replace the latents after each step; ``noise()``
            is the unit noise of that step, ``alpha`` the signal share at which the latents now are.
        callback_on_step_end: ``callback_on_step_end(step, num_steps, latents)``, after each step. What it raises ends
            the loop.

    Returns:
        (b, t, c, h, w) clean latents.

    Raises:
        ValueError: If an argument does not fit the others.
    """
    _check(latents, scheduler, condition_latents, prediction_type, eta, step_noise, num_inference_steps)
    if not 0.0 <= guidance_range[0] <= guidance_range[1] <= 1.0:
        raise ValueError(f"`guidance_range` must be two rising shares between 0 and 1, got {guidance_range}.")
    scheduler.set_timesteps(num_inference_steps)
    timesteps = scheduler.timesteps.tolist()
    first, end = (round(share * len(timesteps)) for share in guidance_range)
    for step, timestep in enumerate(timesteps):
        draw = _StepNoise(latents, generator, None if step_noise is None else step_noise[step])
        network_input = scheduler.scale_model_input(latents, timestep).to(latents.dtype)
        if condition_latents is not None:
            network_input = torch.cat([network_input, condition_latents.to(latents.dtype)], dim=2)
        batch_timestep = torch.full((len(latents),), timestep, device=latents.device)
        acting = guidance if first <= step < end else Unguided()
        output = guided_prediction(predict, network_input, batch_timestep, acting, batched=batched)
        if prediction_type == "residual":
            output = condition_latents[:, :, : latents.shape[2]] + output
        latents = _step(scheduler, output, timestep, latents, eta, draw)
        if after_step is not None:
            latents = after_step(step, latents, draw, _signal_share(scheduler, timesteps, step))
        if callback_on_step_end is not None:
            callback_on_step_end(step, len(timesteps), latents)
    return latents


class _StepNoise:
    """Unit noise of one step, drawn when first asked for and the same ever after."""

    def __init__(self, like: Tensor, generator: Generators, given: Tensor | None) -> None:
        self.like, self.generator, self.noise = like, generator, given

    def __call__(self) -> Tensor:
        if self.noise is None:
            self.noise = draw_noise(self.like.shape, self.generator)
        return self.noise.to(self.like)


def _step(scheduler, output: Tensor, timestep: int, latents: Tensor, eta: float, draw: _StepNoise) -> Tensor:
    """One step in float32; only DDIM knows `eta`."""
    extra = {"eta": eta, "variance_noise": draw().float()} if eta > 0 else {}
    stepped = scheduler.step(output.float(), timestep, latents.float(), return_dict=False, **extra)[0]
    return stepped.to(latents.dtype)


def _signal_share(scheduler, timesteps: list[int], step: int) -> float:
    following = timesteps[step + 1] if step + 1 < len(timesteps) else 0
    return float(scheduler.alphas_cumprod[following])


def _check(latents, scheduler, condition_latents, prediction_type, eta, step_noise, num_inference_steps) -> None:
    expected = "sample" if prediction_type == "residual" else prediction_type
    if scheduler.config.prediction_type != expected:
        raise ValueError(
            f"`scheduler` must take the network's prediction type {expected}, got {scheduler.config.prediction_type}."
        )
    if not 0.0 <= eta <= 1.0:
        raise ValueError(f"`eta` must be between 0 and 1, got {eta}.")
    if eta > 0 and not hasattr(scheduler, "grid_sigmas"):
        raise ValueError(f"`eta` must be 0 with {type(scheduler).__name__}, got {eta}; only DDIM adds noise.")
    if step_noise is not None and len(step_noise) < num_inference_steps:
        raise ValueError(f"`step_noise` must hold {num_inference_steps} entries, got {len(step_noise)}.")
    if prediction_type == "residual":
        if condition_latents is None or condition_latents.shape[2] < latents.shape[2]:
            raise ValueError("`condition_latents` must hold the latents that a residual is added to, got too few.")
        if scheduler.config.get("dynamic_rescale", False):
            raise ValueError("`scheduler` must not rescale where the network predicts a residual, got dynamic_rescale.")
    if condition_latents is not None and condition_latents.shape[:2] != latents.shape[:2]:
        raise ValueError(
            f"`condition_latents` must have batch and frames {tuple(latents.shape[:2])}, "
            f"got {tuple(condition_latents.shape[:2])}."
        )
