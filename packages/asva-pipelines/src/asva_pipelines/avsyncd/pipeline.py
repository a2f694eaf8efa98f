"""AVSyncD and, without sound, its baseline I2VD: a clean first frame among denoised ones (AVSyncD, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPTextModel

from asva_audio import BEATsEncoder, CLAPAudioEncoder, ImageBindAudioEncoder, encoder_segment_mask, segment_tokens
from asva_pipelines.base import Clips, VideoPipeline, both, registered
from asva_pipelines.inputs import Sound
from asva_pipelines.settings import ContinuedSampling
from asva_unet import AVSyncDUNet, TextAudioGuidance, denoise
from asva_unet.avsyncd.stage import AVSyncDStage
from asva_unet.text_audio import BRANCHES


class AVSyncDPipeline(VideoPipeline):
    """A picture and a sound become a video (AVSyncD, figure 2); without an audio encoder, I2VD.

    The first frame stays clean among the frames that are denoised; each frame attends to the audio tokens of its own
    piece of time. Arguments that are not named here: :class:`VideoPipeline`.

    Args:
        unet: The network; of I2VD with ``audio=False``.
        scheduler: Any of diffusers' that takes the network's prediction type; PNDM as released.
        audio_encoder: Spectrogram to tokens: ImageBind's as published; None in I2VD.
        segment_window: Which tokens belong to a frame, `"official"` or `"split"`; see
            :func:`asva_audio.segment_mask`.
    """

    arguments = ContinuedSampling
    model_cpu_offload_seq = "text_encoder->audio_encoder->unet->vae"
    _optional_components: ClassVar[list[str]] = ["audio_encoder"]

    @registered
    def __init__(
        self,
        vae: AutoencoderKL,
        tokenizer: Any,
        text_encoder: CLIPTextModel,
        unet: AVSyncDUNet,
        scheduler: Any,
        audio_encoder: ImageBindAudioEncoder | BEATsEncoder | CLAPAudioEncoder | None = None,
        num_frames: int = 12,
        fps: int | float = 6,
        height: int = 256,
        width: int = 256,
        sample_rate: int = 16000,
        segment_window: str = "official",
        vae_sample: str = "sample",
        num_inference_steps: int = 50,
        text_guidance_scale: int | float = 1.0,
        audio_guidance_scale: int | float = 4.0,
    ) -> None:
        super().__init__()

    def check(self, settings: Any, images: list, audios: list) -> None:
        """As of every pipeline; a network that hears needs its ears."""
        super().check(settings, images, audios)
        if self.unet.config.audio and self.audio_encoder is None:
            raise ValueError("`audio_encoder` must be given with a U-Net that hears, got None: load one, or take I2VD.")

    def make(self, clips: Clips, settings: ContinuedSampling) -> dict[str, Any]:
        """Frames after the first, denoised beside it."""
        hears = settings.hears(clips.sounds[0]) and self.unet.config.audio
        guidance = self._guidance(settings, hears)
        first = self._first_latents(clips.pixels, settings)
        sounds = clips.sounds if hears else [None] * len(clips.sounds)
        network = self._network(first, clips.prompts, sounds, guidance, settings)
        others = self._denoise(network, guidance, settings)
        return {"frames": self._finish(torch.cat([first, others], dim=1), settings)}

    def _guidance(self, settings: ContinuedSampling, hears: bool) -> TextAudioGuidance:
        """Without a sound there is nothing that its guidance could tell apart."""
        return TextAudioGuidance(settings.text_guidance_scale, settings.audio_guidance_scale if hears else 1.0)

    def _network(
        self,
        first: Tensor,
        prompts: list[str],
        sounds: Sequence[Sound | None],
        guidance: TextAudioGuidance,
        settings: ContinuedSampling,
    ) -> AVSyncDStage:
        given = [BRANCHES[branch] for branch in guidance.branches]
        lacks_text, lacks_audio = (not all(flags) for flags in zip(*given, strict=True))
        text = self._text_tokens(prompts, lacks_text)
        audio: dict[bool, Tensor | None] = {True: None, False: None}
        mask = None
        if self.unet.config.audio:
            audio, mask = self._audio(sounds, lacks_audio, settings)
        return AVSyncDStage(self.unet, first, text, audio, mask, settings.cache)

    def _audio(
        self, sounds: Sequence[Sound | None], lacks_audio: bool, settings: ContinuedSampling
    ) -> tuple[dict[bool, Tensor], Tensor]:
        """Tokens with and, where a branch wants it, without sound, and what each frame attends to (t, n)."""
        encoder, device = self.audio_encoder, self._execution_device
        silence = encoder.null_spectrogram(seconds=self.config.num_frames / self.config.fps, device=device)
        mel = silence.expand(len(sounds), *silence.shape[1:])
        if heard := [sound for sound in sounds if sound is not None]:
            mel = self._mel(heard)
            silence = self._mel([sound.turned() for sound in heard]) if settings.against == "shifted" else silence
        tokens = both(lambda mels: segment_tokens(encoder, mels.to(device, encoder.dtype)), mel, silence, lacks_audio)
        mask = encoder_segment_mask(encoder, mel, self.config.num_frames, window=self.config.segment_window)
        return tokens, mask.to(device)

    def _mel(self, sounds: Sequence[Sound]) -> Tensor:
        return self.audio_encoder.spectrogram(torch.stack([sound.mono for sound in sounds]), self.config.sample_rate)

    def _denoise(self, network: AVSyncDStage, guidance: TextAudioGuidance, settings: ContinuedSampling) -> Tensor:
        """Latents (b, t - 1, c, h, w) of the frames after the first."""
        first, kind = network.first, self.unet.config.prediction_type
        shape = (len(first), self.config.num_frames - 1, *first.shape[2:])
        scheduler = self._scheduler_for(self.unet, settings.sampler)
        return denoise(
            network,
            self._noise(*shape[:2], settings) * scheduler.init_noise_sigma,
            scheduler,
            settings.num_inference_steps,
            guidance=guidance.at(torch.arange(1, self.config.num_frames)),
            condition_latents=first.expand(shape) if kind == "residual" else None,
            prediction_type=kind,
            eta=settings.eta,
            **settings.steps("frames"),
        )
