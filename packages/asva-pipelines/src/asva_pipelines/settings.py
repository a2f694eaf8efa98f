"""Settings of one call of a pipeline: what was given, and the model's configuration for the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from asva_unet import Guidance

CHOICES = {
    "output_type": ("np", "pt", "pil", "latent"),
    "interp_noise": ("official", "linear", "none", "freenoise"),
    "vae_sample": ("sample", "mode"),
    "handover": ("latents", "pixels"),
    "selection": ("inference", "training", "even", "uniform"),
}


class Settings:
    """Attributes by the names of the pipeline's arguments and of its configuration.

    Args:
        pipeline: The pipeline.
        arguments: Those of its call; where one is None, the configuration of that name counts.
    """

    def __init__(self, pipeline: Any, arguments: dict[str, Any]) -> None:
        vars(self).update(pipeline.config)
        known = vars(self)
        for name, value in arguments.items():
            if name not in ("self", "sample_rate") and (value is not None or name not in known):
                known[name] = value
        if self.generator is None:
            self.generator = torch.Generator()
            self.generator.seed()
        adds_noise = "eta" in known and hasattr(getattr(pipeline, "scheduler", None), "grid_sigmas")
        if arguments.get("eta") is None and not adds_noise:
            self.eta = 0.0  # only DDIM adds noise

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"The pipeline has neither an argument nor a setting `{name}`.")

    def guidance(self, stage: str, *, hears: bool) -> Guidance:
        """Guidance of one stage; without a sound its scale is the text's, so that their common branch cancels."""
        prefix = "interp_" if stage == "interp" else ""
        text, image, audio = (getattr(self, f"{prefix}{name}_guidance_scale") for name in ("text", "image", "audio"))
        return Guidance(text, image, audio if hears else text, getattr(self, f"{prefix}guidance_rescale"))

    def report(self, stage: str) -> Callable[[int, int, Tensor], None] | None:
        """The callback of one stage."""
        callback = self.callback_on_step_end
        return None if callback is None else lambda step, total, latents: callback(stage, step, total, latents)


def check_settings(settings: Settings, batch_size: int, latent: tuple[int, int, int], multiple: int) -> None:
    """Refuse settings that would fail later.

    Args:
        settings: Of this call.
        batch_size: Samples.
        latent: Channels, height and width of the latents.
        multiple: What height and width must be divisible by.

    Raises:
        ValueError: Naming the argument, the rule and the value.
    """
    for name in ("height", "width"):
        value = getattr(settings, name)
        if not isinstance(value, int) or value < 1 or value % multiple:
            raise ValueError(f"`{name}` must be a positive multiple of {multiple}, got {value}.")
    for name, allowed in CHOICES.items():
        if getattr(settings, name, allowed[0]) not in allowed:
            raise ValueError(f"`{name}` must be one of {', '.join(allowed)}, got {getattr(settings, name)}.")
    for name in ("num_inference_steps", "interp_num_inference_steps", "decode_chunk_size"):
        value = getattr(settings, name, 1)
        if not isinstance(value, int) or not 1 <= value <= 1000:
            raise ValueError(f"`{name}` must be a whole number between 1 and 1000, got {value}.")
    if not 0.0 <= settings.eta <= 1.0:
        raise ValueError(f"`eta` must be between 0 and 1, got {settings.eta}.")
    if not isinstance(settings.generator, torch.Generator) and len(settings.generator) != batch_size:
        raise ValueError(
            f"`generator` must be one or as many as samples ({batch_size}), got {len(settings.generator)}."
        )
    for name, count in (("latents", None), ("interp_latents", settings.num_frames)):
        value = getattr(settings, name, None)
        if value is None:
            continue
        if (
            value.ndim != 5
            or value.shape[0] != batch_size
            or value.shape[2:] != latent
            or value.shape[1] != (count or value.shape[1])
        ):
            expected = ", ".join(str(size) for size in (batch_size, count or "k", *latent))
            raise ValueError(f"`{name}` must have shape ({expected}), got {tuple(value.shape)}.")
