"""What a call of LTX-2 takes, and the stages that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from asva_baselines.ltx2.sampling import DISTILLED, SECOND_STAGE, LTX2Guidance, distilled_sigmas, guided_sigmas
from asva_baselines.ltx2.versions import has_distilled, is_latest, own_steps
from asva_pipelines.settings import OWN, Sampling

ROUTES = ("distilled", "guided")
UNGUIDED = LTX2Guidance(text=1.0, attention=0.0, audio=1.0, rescale=0.0)


@dataclass(kw_only=True)
class LTX2Sampling(Sampling):
    """What the call takes.

    Attributes:
        num_frames: Frames of the video, any number.
        fps: Frames per second, which the network knows; it was trained around 24, 25, 30 and 60.
        route: `"distilled"`, 8 steps and 3 without guidance, of distilled weights; `"guided"`, of the others.
        num_inference_steps: Of the first stage: 8 distilled, of which fewer are an even share; 30 guided (LTX-2.0: 40).
        text_guidance_scale: Of the guided route; 1 is none.
        audio_guidance_scale: The same, away from a network that does not hear.
        stg_scale: The same, away from one without self-attention in one block; 0 is none.
        guidance_rescale: 0 to 1.
        skip_steps: Guided steps after each computed one that take its prediction again.
        negative_prompt: What is not to be seen; None is its authors' list.
        frames: Pictures by their seconds.
        image_strength: How much of the pictures is kept, 0 to 1.
        image_crf: How coarsely H.264 compresses pictures first, as in training; 0 leaves it out, None is 33, or 18 of
            LTX-2.5.
        ancestral: Whether distilled steps of the first stage forget their noise; None is so for LTX-2.5.
        no_audio: Leave the sound out (a control).
    """

    num_frames: int = OWN
    fps: float = OWN
    route: str = OWN
    num_inference_steps: int = OWN
    text_guidance_scale: float = OWN
    audio_guidance_scale: float = OWN
    stg_scale: float = OWN
    guidance_rescale: float = OWN
    skip_steps: int = 0
    negative_prompt: str = OWN
    frames: Mapping[float, Any] | None = None
    image_strength: float = 1.0
    image_crf: int = OWN
    ancestral: bool = OWN
    no_audio: bool = False

    @property
    def seconds(self) -> float:
        """Of the video."""
        return self.num_frames / self.fps

    def complete(self, transformer: Any) -> None:
        """Fill in what depends on the version, and refuse what cannot be.

        Raises:
            ValueError: Naming the argument.
        """
        from diffusers.pipelines.ltx2.utils import DEFAULT_NEGATIVE_PROMPT

        if self.route not in ROUTES:
            raise ValueError(f"`route` must be one of {', '.join(ROUTES)}, got {self.route}.")
        own = {
            "num_inference_steps": own_steps(transformer, self.route),
            "negative_prompt": DEFAULT_NEGATIVE_PROMPT,
            "image_crf": 18 if is_latest(transformer) else 33,
            "ancestral": is_latest(transformer),
        }
        for name, value in own.items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        steps, most = self.num_inference_steps, len(DISTILLED)
        if self.route == "distilled" and steps > most:
            raise ValueError(f"`num_inference_steps` must be at most {most} on the distilled route, got {steps}.")
        for name, end in {"image_strength": 1, "guidance_rescale": 1, "image_crf": 51, "skip_steps": 999}.items():
            if not 0 <= getattr(self, name) <= end:
                raise ValueError(f"`{name}` must be from 0 to {end}, got {getattr(self, name)}.")
        if not self.fps > 0:
            raise ValueError(f"`fps` must be above 0, got {self.fps}.")

    def stages(self, transformer: Any, upsamples: bool, hears: bool) -> list[Stage]:
        """One or two; the second needs distilled weights."""
        guided = self.route == "guided"
        audio = self.audio_guidance_scale if hears else 1.0
        guidance = LTX2Guidance(self.text_guidance_scale, self.stg_scale, audio, self.guidance_rescale)
        sigmas = (guided_sigmas if guided else distilled_sigmas)(self.num_inference_steps)
        two = upsamples and (not guided or has_distilled(transformer))
        first = Stage(
            sigmas, guidance if guided else UNGUIDED, 2 if two else 1, not guided, self.ancestral and not guided
        )
        return [first, Stage(distilled_sigmas(self.num_inference_steps, SECOND_STAGE))] if two else [first]


@dataclass(frozen=True)
class Stage:
    """Noise levels and how they are gone down.

    Attributes:
        sigmas: (k + 1,) levels.
        guidance: Of its passes.
        shrink: Of the video's height and width.
        distilled: Whether the weights are to be distilled.
        ancestral: Whether steps forget their noise.
    """

    sigmas: Tensor
    guidance: LTX2Guidance = UNGUIDED
    shrink: int = 1
    distilled: bool = True
    ancestral: bool = False
