"""The open-domain audio-window model and, without sound, DynamiCrafter on which it stands (open-domain, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPTextModel, CLIPVisionModel

from asva_audio import (
    BEATsEncoder,
    ImageBindAudioEncoder,
    MultiFeatureEncoder,
    frame_times,
    multi_feature_tokens,
    null_feature_tokens,
)
from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.inputs import Sound
from asva_pipelines.settings import OWN, ImageGuidedSampling
from asva_unet import Guidance, ImageResampler, KeyVIDUNet, UNetConditions, denoise
from asva_unet.guidance import BRANCHES
from asva_unet.stage import StageNetwork, Tokens
from asva_unet.tokens import project

ENCODERS = ("imagebind", "beats")


@dataclass(kw_only=True)
class AudioWindowSampling(ImageGuidedSampling):
    """What the call takes.

    Attributes:
        radius: Of a frame's window, in frames.
    """

    radius: float = OWN


class AudioWindowPipeline(VideoPipeline):
    """A picture and a sound become a video: each frame hears the sound around it; without encoders, DynamiCrafter.

    Arguments that are not named here: :class:`VideoPipeline`.

    Args:
        unet: DynamiCrafter's network, with ``audio_window_attention`` where it hears.
        scheduler: See :func:`asva_unet.make_scheduler`.
        taps: Which layers of the audio encoders are heard, with their projections; None in DynamiCrafter.
        imagebind: Audio encoder, if the taps name it.
        beats: Audio encoder, if the taps name it.
        fps: Frames per second of the video, which the network is told.
        dynamic_rescale: Whether the network was trained on scaled latents (the released DynamiCrafter was).
    """

    arguments = AudioWindowSampling
    model_cpu_offload_seq = "text_encoder->image_encoder->image_projector->imagebind->beats->taps->unet->vae"
    _optional_components: ClassVar[list[str]] = ["taps", *ENCODERS]

    @registered
    def __init__(
        self,
        vae: AutoencoderKL,
        tokenizer: Any,
        text_encoder: CLIPTextModel,
        image_encoder: CLIPVisionModel,
        image_projector: ImageResampler,
        unet: KeyVIDUNet,
        scheduler: Any,
        taps: MultiFeatureEncoder | None = None,
        imagebind: ImageBindAudioEncoder | None = None,
        beats: BEATsEncoder | None = None,
        num_frames: int = 12,
        fps: int | float = 6,
        height: int = 320,
        width: int = 512,
        sample_rate: int = 16000,
        radius: int | float = 1.5,
        dynamic_rescale: bool = False,
        vae_sample: str = "sample",
        num_inference_steps: int = 20,
        eta: int | float = 0.0,
        text_guidance_scale: int | float = 2.0,
        image_guidance_scale: int | float = 2.0,
        audio_guidance_scale: int | float = 4.0,
        guidance_rescale: int | float = 0.0,
    ) -> None:
        super().__init__()

    def make(self, clips: Clips, settings: AudioWindowSampling) -> dict[str, Any]:
        """All frames at once, each with the sound around it."""
        hears = settings.hears(clips.sounds[0]) and self.taps is not None
        guidance = settings.guidance(hears)
        first = self._first_latents(clips.pixels, settings)
        tokens = self._encode_tokens(clips.pixels, clips.prompts, clips.sounds if hears else None, guidance, settings)
        return {"frames": self._finish(self._denoise(first, tokens, guidance, settings), settings)}

    def _encode_tokens(
        self,
        pixels: Tensor,
        prompts: list[str],
        sounds: Sequence[Sound] | None,
        guidance: Guidance,
        settings: AudioWindowSampling,
    ) -> WindowTokens:
        lacks_text, lacks_image, lacks_audio = (
            any(not BRANCHES[b][place] for b in guidance.branches) for place in range(3)
        )
        text, towers = self._text_tokens(prompts, lacks_text), self._image_tokens(pixels, lacks_image)
        image = {given: project(self.image_projector, tokens) for given, tokens in towers.items()}
        audio: dict[bool, Tensor | None] = {True: None, False: None}
        mask = None
        if sounds is not None:
            audio, mask = self._audio(sounds, lacks_audio, settings)
        return WindowTokens(text, image, audio, mask)

    def _audio(
        self, sounds: Sequence[Sound], lacks_audio: bool, settings: AudioWindowSampling
    ) -> tuple[dict[bool, Tensor | None], Tensor]:
        """Tokens with and, where a branch wants it, without sound, and the window of each frame (t, n)."""
        encoders = {name: getattr(self, name) for name in ENCODERS if getattr(self, name) is not None}
        waveform = torch.stack([sound.mono for sound in sounds]).to(self._execution_device)
        heard = multi_feature_tokens(encoders, self.taps, waveform, self.config.sample_rate)
        audio: dict[bool, Tensor | None] = {True: heard.tokens, False: None}
        if lacks_audio and settings.against == "shifted":
            turned = torch.stack([sound.turned().mono for sound in sounds]).to(waveform)
            audio[False] = multi_feature_tokens(encoders, self.taps, turned, self.config.sample_rate).tokens
        elif lacks_audio:
            seconds = waveform.shape[1] / self.config.sample_rate
            nothing = {"batch": len(sounds), "seconds": seconds, "device": waveform.device}
            audio[False] = null_feature_tokens(encoders, self.taps, **nothing).tokens
        times = frame_times(self.config.num_frames, self.config.fps)
        return audio, heard.mask(times, settings.radius / self.config.fps).to(self._execution_device)

    def _denoise(
        self, first: Tensor, tokens: WindowTokens, guidance: Guidance, settings: AudioWindowSampling
    ) -> Tensor:
        """Latents (b, t, c, h, w) of all frames."""
        shape = (len(first), self.config.num_frames, *first.shape[2:])
        indices = torch.arange(self.config.num_frames, device=first.device).expand(len(first), -1)
        return denoise(
            StageNetwork(self.unet, tokens, "frames", indices, self.config.fps, settings.cache),
            self._noise(*shape[:2], settings),
            self._scheduler_for(self.unet, settings.sampler),
            settings.num_inference_steps,
            guidance=guidance,
            condition_latents=first.expand(shape),
            prediction_type=self.unet.config.prediction_type,
            eta=settings.eta,
            **settings.steps("frames"),
        )


@dataclass(frozen=True)
class WindowTokens(Tokens):
    """Those of the clips and, as ``mask`` (t, n), which of the sound's each frame hears; None without sound."""

    mask: Tensor | None

    def conditions(self, unet: KeyVIDUNet, branch: str, frame_indices: Tensor, stage: str) -> UNetConditions:
        """Keys and values of one guidance branch for all frames, in order."""
        del frame_indices, stage
        with_text, with_image, with_audio = BRANCHES[branch]
        audio = self.audio[with_audio]
        mask = None if audio is None else self.mask
        return unet.encode_conditions(
            self.text[with_text], self.image[with_image], audio_window_embeds=audio, audio_window_mask=mask
        )
