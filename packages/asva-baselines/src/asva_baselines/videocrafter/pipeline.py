"""VideoCrafter1 and 2: words, and in one model a picture, become 16 frames (arXiv 2310.19512, section 3).

The picture enters as tokens alone, 16 for the whole clip: no latents of it are given, so the first frame is like the
picture and not the same. Nothing of a sound enters. The models from words alone leave a picture out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPTextModel, CLIPVisionModel

from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.settings import OWN, Denoising
from asva_unet import Guidance, ImageResampler, KeyVIDUNet, UNetConditions, denoise
from asva_unet.guidance import BRANCHES
from asva_unet.stage import StageNetwork, Tokens
from asva_unet.tokens import project


@dataclass(kw_only=True)
class VideoCrafterSampling(Denoising):
    """What the call takes.

    Attributes:
        num_inference_steps: Steps.
        text_guidance_scale: Of words and picture together; 1 is none.
        eta: Noise of each DDIM step, 0 to 1.
        told_fps: What the network is told of the frame rate, where it listens: fewer, more motion.
        latents: (b, t, c, h, w) initial noise.
    """

    num_inference_steps: int = OWN
    text_guidance_scale: float = OWN
    eta: float = OWN
    told_fps: int = OWN
    vae_sample: str = "mode"  # no picture is encoded
    latents: Tensor | None = None


class VideoCrafterPipeline(VideoPipeline):
    """A prompt and, in the image-to-video model, a picture become a video that hears nothing.

    Arguments that are not named here: :class:`asva_pipelines.base.VideoPipeline`.

    Args:
        unet: The network.
        scheduler: See :func:`asva_unet.make_scheduler`.
        image_encoder: None in the models from words alone, as the projector.
        image_projector: Tokens that all frames share.
        fps: Frames per second of the video.
        told_fps: What the network is told.
        dynamic_rescale: Whether the network was trained on scaled latents.
    """

    arguments = VideoCrafterSampling
    needs_picture = False
    model_cpu_offload_seq = "text_encoder->image_encoder->image_projector->unet->vae"
    _optional_components: ClassVar[list[str]] = ["image_encoder", "image_projector"]

    @registered
    def __init__(
        self,
        vae: AutoencoderKL,
        tokenizer: Any,
        text_encoder: CLIPTextModel,
        unet: KeyVIDUNet,
        scheduler: Any,
        image_encoder: CLIPVisionModel | None = None,
        image_projector: ImageResampler | None = None,
        num_frames: int = 16,
        fps: int | float = 8,
        told_fps: int = 8,
        height: int = 320,
        width: int = 512,
        sample_rate: int = 16000,
        dynamic_rescale: bool = True,
        num_inference_steps: int = 50,
        eta: int | float = 1.0,
        text_guidance_scale: int | float = 12.0,
    ) -> None:
        super().__init__()

    def check(self, settings: VideoCrafterSampling, images: list, audios: list) -> None:
        """As of every pipeline; the image-to-video model needs its picture."""
        super().check(settings, images, audios)
        if self.image_projector is not None and images[0] is None:
            raise ValueError("`image` must be given to this model, which makes videos of pictures, got None.")

    def make(self, clips: Clips, settings: VideoCrafterSampling) -> dict[str, Any]:
        """All frames at once."""
        scale = settings.text_guidance_scale
        guidance = Guidance(scale, scale, scale, 0.0)  # equal scales: words and picture are left out together
        unguided = len(guidance.branches) == 1
        image: dict[bool, Any] = {True: None, False: None}
        if self.image_projector is not None:
            towers = self._image_tokens(clips.pixels, not unguided)
            image = {given: project(self.image_projector, tokens) for given, tokens in towers.items()}
        tokens = _Tokens(self._text_tokens(clips.prompts, not unguided), image, {})
        noise = self._noise(len(clips.prompts), self.config.num_frames, settings)
        indices = torch.arange(noise.shape[1], device=noise.device).expand(noise.shape[:2])
        made = denoise(
            StageNetwork(self.unet, tokens, "frames", indices, settings.told_fps),
            noise,
            self._scheduler_for(self.unet, settings.sampler),
            settings.num_inference_steps,
            guidance=guidance,
            prediction_type=self.unet.config.prediction_type,
            eta=settings.eta,
            **settings.steps("frames"),
        )
        return {"frames": self._finish(made, settings)}


class _Tokens(Tokens):
    """Words and, if the network looks at one, the picture; no sound."""

    def conditions(self, unet: KeyVIDUNet, branch: str, frame_indices: Tensor, stage: str) -> UNetConditions:
        """Keys and values of one guidance branch."""
        del frame_indices, stage
        with_text, with_image, _ = BRANCHES[branch]
        return unet.encode_conditions(self.text[with_text], self.image[with_image])
