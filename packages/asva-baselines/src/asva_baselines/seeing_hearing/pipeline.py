"""Words become a video, and ImageBind says at each step whether it looks as the sound sounds.

Xing et al., "Seeing and Hearing", CVPR 2024, section 3. Their code for this direction was never released: what is here
is our reading, the loop of their video-to-audio code around AnimateDiff, which their paper names. No figure of theirs
can be made again with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, UNetMotionModel
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTextModel

from asva_audio import ImageBindAudioEncoder, ImageBindAudioHead
from asva_baselines.seeing_hearing.aligner import Alignment, denoise_aligned
from asva_metrics import ImageBindTextTower, ImageBindVisionTower
from asva_metrics.networks.preprocessing import CLIP_MEAN, CLIP_STD, smooth_resize
from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.settings import OWN, Denoising
from asva_unet import TextAudioGuidance
from asva_unet.pixels import decode_latents
from asva_unet.text_audio import BRANCHES
from asva_unet.tokens import prompt_ids


@dataclass(kw_only=True)
class SeeingHearingSampling(Denoising):
    """What the call takes.

    Attributes:
        num_inference_steps: Steps.
        text_guidance_scale: Of the network; 1 is none.
        audio_guidance_scale: Weight of the sound in the alignment, where that of the words is 1.
        learning_rate: By about how much each number of the latents moves after a step.
        align_after: Share of the steps after which they move.
        latents: (b, t, c, h, w) initial noise.
    """

    num_inference_steps: int = OWN
    text_guidance_scale: float = OWN
    audio_guidance_scale: float = OWN
    learning_rate: float = OWN
    align_after: float = OWN
    latents: Tensor | None = None


class SeeingHearingPipeline(VideoPipeline):
    """A prompt and a sound become a video; there is no picture. Arguments not named: :class:`VideoPipeline`.

    Defaults are of their video-to-audio script and of AnimateDiff's example; their own for it are not known.

    Args:
        unet: AnimateDiff's.
        vision: ImageBind's tower of pictures, which sees two frames of each second.
        words: ImageBind's tower of texts.
        audio_encoder: ImageBind's ears, which hear two seconds.
        audio_head: What makes a vector of that.
    """

    arguments = SeeingHearingSampling
    needs_picture = takes_picture = False
    rehearsed_steps = 2  # the first is never aligned
    model_cpu_offload_seq = "text_encoder->words->audio_encoder->audio_head->unet->vae->vision"

    @registered
    def __init__(
        self,
        vae: AutoencoderKL,
        tokenizer: Any,
        text_encoder: CLIPTextModel,
        unet: UNetMotionModel,
        scheduler: Any,
        vision: ImageBindVisionTower,
        words: ImageBindTextTower,
        audio_encoder: ImageBindAudioEncoder,
        audio_head: ImageBindAudioHead,
        num_frames: int = 16,
        fps: int | float = 8,
        height: int = 512,
        width: int = 512,
        sample_rate: int = 16000,
        vae_sample: str = "mode",
        num_inference_steps: int = 30,
        text_guidance_scale: int | float = 7.5,
        audio_guidance_scale: int | float = 1.0,
        learning_rate: float = 0.1,
        align_after: float = 0.2,
    ) -> None:
        super().__init__()

    def check(self, settings: SeeingHearingSampling, images: list, audios: list) -> None:
        """As of every pipeline; guidance acts at every step."""
        super().check(settings, images, audios)
        if settings.guidance_range != (0.0, 1.0):
            raise ValueError("`guidance_start` and `guidance_stop` must be left out: guidance acts at every step.")
        if not 0.0 <= settings.align_after <= 1.0 or settings.learning_rate < 0:
            given = f"{settings.align_after} and {settings.learning_rate}"
            raise ValueError(f"`align_after` must be in [0, 1] and `learning_rate` not below 0, got {given}.")

    def make(self, clips: Clips, settings: SeeingHearingSampling) -> dict[str, Any]:
        """All frames at once, aligned step by step."""
        count = self.config.num_frames
        text = self._text_tokens(clips.prompts, True)
        dtype = self.unet.dtype

        def predict(sample: Tensor, timestep: Tensor, branches: tuple[str, ...]) -> Tensor:
            told = torch.cat([text[BRANCHES[branch][0]] for branch in branches]).repeat_interleave(count, dim=0)
            frames = sample.transpose(1, 2).to(dtype)
            return self.unet(frames, timestep, told.to(dtype), return_dict=False)[0].transpose(1, 2).float()

        scheduler = self._scheduler_for(self.unet, settings.sampler)
        latents = denoise_aligned(
            predict,
            self._noise(len(clips.prompts), count, settings) * scheduler.init_noise_sigma,
            scheduler,
            settings.num_inference_steps,
            guidance=TextAudioGuidance(text=settings.text_guidance_scale),
            alignment=self._alignment(clips, settings),
            batched=settings.batched_guidance,
            callback_on_step_end=settings.report("frames"),
        )
        return {"frames": self._finish(latents, settings)}

    def _alignment(self, clips: Clips, settings: SeeingHearingSampling) -> Alignment | None:
        """To the words and to the sound; None without a sound."""
        if not settings.hears(clips.sounds[0]):
            return None
        said, heard = self._said(clips.prompts), self._heard(clips)

        def unlike(clean: Tensor) -> Tensor:
            seen = self._seen(clean, settings)
            words, sound = (1 - F.cosine_similarity(seen, one, dim=-1) for one in (said, heard))
            return (words + settings.audio_guidance_scale * sound).sum()

        return Alignment(unlike=unlike, start=settings.align_after, learning_rate=settings.learning_rate)

    def _said(self, prompts: list[str]) -> Tensor:
        """(b, d) of the prompts."""
        ids = prompt_ids(self.tokenizer, prompts, self.words.config.context_length)
        return self.words(ids.to(self._execution_device)).float()

    def _heard(self, clips: Clips) -> Tensor:
        """(b, d) of the sounds."""
        mel = self.audio_encoder.spectrogram(torch.stack([sound.mono for sound in clips.sounds]))
        tokens = self.audio_encoder(mel.to(self._execution_device, self.audio_encoder.dtype)).last_hidden_state
        return self.audio_head(tokens).float()

    def _seen(self, clean: Tensor, settings: SeeingHearingSampling) -> Tensor:
        """(b, d) of latents (b, t, c, h, w): the first and the last frame of each second, and their mean."""
        rate, count = self.config.fps, clean.shape[1]
        ends = [(round(at), min(round(at + rate), count) - 1) for at in (rate * s for s in range(round(count / rate)))]
        places = [place for pair in ends or [(0, count - 1)] for place in pair]
        pixels = (decode_latents(self.vae, clean[:, places], settings.decode_chunk_size) + 1) / 2
        frames = smooth_resize(pixels.flatten(0, 1), self.vision.config.image_size)
        mean, deviation = (torch.tensor(one).to(frames)[:, None, None] for one in (CLIP_MEAN, CLIP_STD))
        pairs = ((frames - mean) / deviation).unflatten(0, (-1, 2))
        return self.vision(pairs).float().unflatten(0, (len(clean), -1)).mean(1)
