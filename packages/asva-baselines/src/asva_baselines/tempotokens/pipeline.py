"""TempoTokens: BEATs hears, a mapper turns that into words for each frame, a text-to-video network reads them.

TempoTokens, arXiv 2309.16429, sections 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet3DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

from asva_audio import BEATsEncoder
from asva_baselines.tempotokens.mapper import TempoTokensMapper
from asva_baselines.tempotokens.network import FrameWordsNetwork, all_layers, frame_contexts, word_ids
from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.settings import OWN, Denoising
from asva_unet import TextAudioGuidance, denoise, draw_noise


@dataclass(kw_only=True)
class TempoTokensSampling(Denoising):
    """What the call takes.

    Attributes:
        num_inference_steps: Steps.
        audio_guidance_scale: 1 is none; a number, or one for each frame.
        latents: (b, t, c, h, w) initial noise.
        reference_dropout: Drop half of what the clip's word is weighed by, at random, as the original does in sampling
            too, by oversight.
    """

    num_inference_steps: int = OWN
    audio_guidance_scale: float | Tensor = OWN
    latents: Tensor | None = None
    reference_dropout: bool = OWN


class TempoTokensPipeline(VideoPipeline):
    """A sound becomes a video; there is neither a picture nor a prompt. Arguments not named: :class:`VideoPipeline`.

    Defaults are those of the original's script; weights do not carry them.

    Args:
        unet: Of a text-to-video model: ModelScope's or zeroscope.
        audio_encoder: BEATs.
        mapper: All of its layers to words.
        audio_guidance_scale: How much further than without words.
    """

    arguments = TempoTokensSampling
    needs_picture = takes_picture = False
    model_cpu_offload_seq = "audio_encoder->mapper->text_encoder->unet->vae"

    @registered
    def __init__(
        self,
        vae: AutoencoderKL,
        tokenizer: Any,
        text_encoder: CLIPTextModel,
        unet: UNet3DConditionModel,
        scheduler: Any,
        audio_encoder: BEATsEncoder,
        mapper: TempoTokensMapper,
        num_frames: int = 24,
        fps: int | float = 12,
        height: int = 384,
        width: int = 384,
        sample_rate: int = 16000,
        vae_sample: str = "mode",
        num_inference_steps: int = 25,
        audio_guidance_scale: int | float = 25.0,
        reference_dropout: bool = False,
    ) -> None:
        super().__init__()

    def check(self, settings: TempoTokensSampling, images: list, audios: list) -> None:
        """As of every pipeline; the mapper makes words for a number of frames of its own."""
        super().check(settings, images, audios)
        if self.mapper.config.num_frames != self.config.num_frames:
            raise ValueError(
                f"`mapper` must make words for {self.config.num_frames} frames, got {self.mapper.config.num_frames}."
            )

    def make(self, clips: Clips, settings: TempoTokensSampling) -> dict[str, Any]:
        """All frames at once."""
        noise = self._noise(len(clips.sounds), self.config.num_frames, settings)
        hears = settings.hears(clips.sounds[0])
        guidance = TextAudioGuidance(audio=settings.audio_guidance_scale if hears else 1.0)
        network = FrameWordsNetwork(self.unet, self._contexts(clips, settings, hears))
        scheduler = self._scheduler_for(self.unet, settings.sampler)
        latents = denoise(
            network,
            noise * scheduler.init_noise_sigma,
            scheduler,
            settings.num_inference_steps,
            guidance=guidance,
            prediction_type=scheduler.config.prediction_type,
            **settings.steps("frames"),
        )
        return {"frames": self._finish(latents, settings)}

    def _contexts(self, clips: Clips, settings: TempoTokensSampling, hears: bool) -> dict[bool, Tensor]:
        """Hidden states (b, t, n, d) with the sound's words, and of no words."""
        size, count, device = len(clips.sounds), self.config.num_frames, self._execution_device
        given, nothing = word_ids(self.tokenizer, self.text_encoder).to(device)
        silent = self.text_encoder(nothing[None]).last_hidden_state[:, None].expand(size, count, -1, -1)
        if not hears:
            return {True: silent, False: silent}
        fbank = self.audio_encoder.spectrogram(torch.stack([sound.mono for sound in clips.sounds]))
        words = self.mapper(all_layers(self.audio_encoder, fbank.to(device)), self._dropout(size, settings))
        return {True: frame_contexts(self.text_encoder, given, words), False: silent}

    def _dropout(self, size: int, settings: TempoTokensSampling) -> Tensor | None:
        if not settings.reference_dropout:
            return None
        shape = (size, self.config.num_frames, self.mapper.config.output_size)
        kept = draw_noise(shape, settings.generator, device=self._execution_device) > 0
        return 2 * kept.to(self.mapper.dtype)
