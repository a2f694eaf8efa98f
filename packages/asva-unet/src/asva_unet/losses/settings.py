"""Weights and chances of the losses, as recipes hold them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """What every loss of a video network asks.

    Attributes:
        dynamic_rescale: Scale latents down with the noise as the official code of DynamiCrafter does.
        dropout: Chance that a condition is replaced by its null, by name (``text``, ``image``, ``audio``).
        dropout_rule: ``"official"`` (one draw per sample, ``dropout`` holds p under ``"p"``), or ``"independent"``.
        motion_weight: Extra weight of the latent cells that change during the clip.
        noise_bias: Time steps are ``1000 * (1 - u^noise_bias)``, u uniform: 1 is uniform, more prefers much noise.
        low_noise_weight: Largest weight of a step with little noise (``residual`` and ``sample`` predictions only).
    """

    dynamic_rescale: bool = False
    dropout: Mapping[str, float] = field(default_factory=dict)
    dropout_rule: Literal["official", "independent"] = "independent"
    motion_weight: float = 0.0
    noise_bias: float = 1.0
    low_noise_weight: float = 4.0


@dataclass(frozen=True, kw_only=True)
class KeyVIDSettings(LossSettings):
    """What the loss of one of KeyVID's stages asks besides.

    Attributes:
        task: ``"keyframe"`` or ``"interp"``.
        keyframe_fps: Frame rate given to the network with keyframes.
        keyframe_noise: Largest standard deviation of noise on the interpolator's keyframes.
        generated_keyframes: Share of clips whose keyframes the interpolator gets from the generator of the same folder,
            one step from noise, and not true; so it meets in training what it meets in sampling.
    """

    task: Literal["keyframe", "interp"] = "keyframe"
    keyframe_fps: int = 6
    keyframe_noise: float = 0.0
    generated_keyframes: float = 0.0
