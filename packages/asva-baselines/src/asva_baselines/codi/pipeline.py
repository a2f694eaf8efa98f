"""CoDi: a sound, a picture, a video and words, each one vector, mixed to one that a video is made of (2305.11846).

Nothing tells the frames when something sounds: the sound is heard as a whole. The picture, too, is one vector, so the
first frame is at best like it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import ClapAudioModelWithProjection

from asva_baselines.codi.clip import CoDiCLIP
from asva_baselines.codi.contexts import audio_context, seen_context
from asva_baselines.codi.unet import CoDiUNet
from asva_data import read_video
from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.settings import OWN, Denoising
from asva_unet import TextAudioGuidance, denoise
from asva_unet.tokens import prompt_ids


@dataclass(kw_only=True)
class CoDiSampling(Denoising):
    """What the call takes. The weights are divided by the sum of those of what is given.

    Attributes:
        num_inference_steps: Steps.
        audio_guidance_scale: Of everything that is given, together; 1 is none.
        audio_weight: Of the sound in the mixture.
        image_weight: Of the picture.
        video_weight: Of the video.
        text_weight: Of the words.
        video: A file, of whose first four seconds four frames are seen: what is to be like it.
        latents: (b, t, c, h, w) initial noise.
    """

    num_inference_steps: int = OWN
    audio_guidance_scale: float = OWN
    audio_weight: float = 1.0
    image_weight: float = 1.0
    video_weight: float = 1.0
    text_weight: float = 1.0
    video: str | Path | None = None
    vae_sample: str = "mode"  # no picture is encoded
    latents: Tensor | None = None


class CoDiPipeline(VideoPipeline):
    """A sound, a picture, a video, words, or several of them become a video.

    Arguments not named: :class:`VideoPipeline`.

    Args:
        unet: Of videos.
        scheduler: See :func:`asva_unet.make_scheduler`.
        clip: Sees and reads.
        clap: Hears.
        fps: Frames per second, which the network knows no others of.
    """

    arguments = CoDiSampling
    needs_picture = False
    model_cpu_offload_seq = "clap->clip->unet->vae"

    @registered
    def __init__(
        self,
        vae: AutoencoderKL,
        tokenizer: Any,
        clip: CoDiCLIP,
        clap: ClapAudioModelWithProjection,
        unet: CoDiUNet,
        scheduler: Any,
        num_frames: int = 8,
        fps: int | float = 4,
        height: int = 256,
        width: int = 256,
        sample_rate: int = 16000,
        num_inference_steps: int = 50,
        audio_guidance_scale: int | float = 7.5,
    ) -> None:
        super().__init__()

    @property
    def _multiple(self) -> int:
        return 2 ** (len(self.vae.config.block_out_channels) + len(self.unet.config.block_out_channels) - 2)

    def make(self, clips: Clips, settings: CoDiSampling) -> dict[str, Any]:
        """All frames at once."""
        contexts = self._contexts(clips, settings)

        def predict(sample: Tensor, timestep: Tensor, branches: tuple[str, ...]) -> Tensor:
            context = torch.cat([contexts[branch == "full"] for branch in branches])
            return self.unet.noise(sample.to(self.unet.dtype), timestep, context.to(self.unet.dtype)).float()

        scale = settings.audio_guidance_scale
        latents = denoise(
            predict,
            self._noise(len(clips.prompts), self.config.num_frames, settings),
            self._scheduler_for(self.unet, settings.sampler),
            settings.num_inference_steps,
            guidance=TextAudioGuidance(text=scale, audio=scale),  # equal scales: all is given, or nothing
            prediction_type="epsilon",
            **settings.steps("frames"),
        )
        return {"frames": self._finish(latents, settings)}

    def _contexts(self, clips: Clips, settings: CoDiSampling) -> dict[bool, Tensor]:
        """(b, 1, d) of what is given (True), and of silence, mid grey and no words in its place (False)."""
        device, rate, parts = self._execution_device, self.config.sample_rate, []
        if settings.hears(clips.sounds[0]):
            sounds = torch.stack([sound.mono for sound in clips.sounds])
            heard = [audio_context(self.clap, one, rate, device) for one in (sounds, torch.zeros_like(sounds))]
            parts.append((settings.audio_weight, heard))
        video = None
        if settings.video is not None:
            video = self._four_frames(settings.video, settings).expand(len(clips.prompts), -1, -1, -1, -1)
        for weight, pixels in ((settings.image_weight, clips.pixels), (settings.video_weight, video)):
            if pixels is not None:
                seen = [seen_context(self.clip, one, device) for one in (pixels, torch.zeros_like(pixels))]
                parts.append((weight, seen))
        if any(prompt.strip() for prompt in clips.prompts):
            parts.append((settings.text_weight, [self._words(clips.prompts), self._words([""] * len(clips.prompts))]))
        total = sum(weight for weight, _ in parts)
        if not total > 0 or any(weight < 0 for weight, _ in parts):
            raise ValueError("`audio`, `image`, `video` or `prompt` must be given, with a weight above 0, got none.")
        given, nothing = (sum(weight / total * pair[place] for weight, pair in parts) for place in (0, 1))
        return {True: given, False: nothing}

    def _words(self, prompts: list[str]) -> Tensor:
        ids = prompt_ids(self.tokenizer, prompts, self.clip.config.text_config.max_position_embeddings)
        return self.clip(ids.to(self._execution_device))

    @staticmethod
    def _four_frames(path: str | Path, settings: CoDiSampling) -> Tensor:
        """(1, 4, 3, h, w) in [-1, 1]; the original cuts four seconds anywhere."""
        frames = read_video(path, duration=4.0, size=(settings.height, settings.width), sound=False).frames
        four = torch.from_numpy(frames[np.linspace(0, len(frames) - 1, 4).astype(int)])
        return (four.permute(0, 3, 1, 2).float() / 127.5 - 1)[None]
