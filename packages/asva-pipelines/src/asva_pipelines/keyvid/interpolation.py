"""KeyVID's second stage: frames at given places become all frames (KeyVID, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from asva_audio import null_mel
from asva_interp import (
    KeyframeInjection,
    blend_noise,
    fuse_windows,
    masked_condition,
    shuffle_noise,
    window_views,
    windowed,
)
from asva_pipelines.base import VideoPipeline, both
from asva_pipelines.inputs import Sound, as_batch, per_sample, read_frames, read_keyframes, read_picture
from asva_pipelines.keyvid.tokens import ClipTokens, audio_tokens
from asva_pipelines.output import VideoOutput
from asva_pipelines.settings import OWN, UNetSampling
from asva_unet import FeatureCache, Guidance, denoise, draw_noise
from asva_unet.guidance import BRANCHES
from asva_unet.stage import StageNetwork
from asva_unet.tokens import project
from asva_unet.transformer import temporal_windows


@dataclass(kw_only=True)
class InterpSampling(UNetSampling):
    """What the second stage takes.

    Attributes:
        interp_num_inference_steps: Steps of the second stage.
        interp_text_guidance_scale: Second stage; 1 is none.
        interp_image_guidance_scale: Second stage; 1 is none.
        interp_audio_guidance_scale: Second stage; 1 is none.
        interp_guidance_rescale: Second stage, 0 to 1.
        eta: Noise of each DDIM step, 0 to 1.
        interp_sampler: Second stage, see `sampler`, which it follows.
        interp_eta: Second stage, see `eta`, which it follows.
        interp_cache_interval: Second stage, see `cache_interval`.
        interp_cache_level: Second stage, see `cache_level`.
        interp_latents: (b, t, c, h, w) initial noise of the second stage, before it is blended.
        interp_step_noise: Noise of each step of the second stage.
        interp_noise: Its initial noise: `"official"` or `"linear"` blend, `"none"` for plain noise, `"freenoise"`.
        interp_window_size: Frames that it sees at once; 0 is all of them.
        interp_window_fusion: Where windows are joined: in every temporal `"attention"`, as FreeNoise does it, or behind
            the whole `"network"`, which then needs no more memory than a window does.
        alignment: Which sound a frame hears, see :func:`asva_audio.frame_audio_tokens`.
    """

    interp_num_inference_steps: int = OWN
    interp_text_guidance_scale: float | Tensor = OWN
    interp_image_guidance_scale: float | Tensor = OWN
    interp_audio_guidance_scale: float | Tensor = OWN
    interp_guidance_rescale: float = OWN
    eta: float = OWN
    interp_sampler: str = OWN
    interp_eta: float = OWN
    interp_cache_interval: int = 1
    interp_cache_level: int = 1
    interp_latents: Tensor | None = None
    interp_step_noise: Sequence[Tensor] | None = None
    interp_noise: str = OWN
    interp_window_size: int | None = OWN
    interp_window_fusion: str = "attention"
    alignment: str = OWN

    def interp_guidance(self, hears: bool) -> Guidance:
        """Without a sound its scale is the text's, so that their common branch cancels."""
        text, audio = self.interp_text_guidance_scale, self.interp_audio_guidance_scale
        return Guidance(text, self.interp_image_guidance_scale, audio if hears else text, self.interp_guidance_rescale)


class InterpolatingPipeline(VideoPipeline):
    """A pipeline with an ``interp_unet`` that fills in what lies between keyframes, whoever made these."""

    @torch.no_grad()
    def interpolate(
        self,
        keyframes: Any,
        keyframe_indices: Any,
        audio: Any = None,
        prompt: str | Sequence[str] = "",
        *,
        image: Any = None,
        sample_rate: int | None = None,
        **arguments: Any,
    ) -> VideoOutput:
        """Make all frames from some: those of another method at a lower frame rate, for example.

        Args:
            keyframes: (k, h, w, 3) uint8, or float (k, 3, h, w) in [-1, 1]; or a list of them, equal in shape.
            keyframe_indices: (k,) or (b, k) their places among all frames, rising.
            audio: As in the call.
            prompt: As in the call.
            image: What the network is shown as the clip's picture, as in the call; the first keyframe without it.
            sample_rate: As in the call.
            arguments: Fields of :class:`InterpSampling` but for the size; what is None is taken from the model's
                configuration.

        Returns:
            The video of all frames.

        Raises:
            ValueError: If an argument cannot be used.
        """
        settings = InterpSampling.of(self, arguments)
        clips, audios, prompts, pictures, single = as_batch(
            keyframes=keyframes, audio=audio, prompt=prompt, image=image
        )
        given = read_frames(clips)
        settings.height, settings.width = size = given.shape[-2], given.shape[-1]
        InterpolatingPipeline.check(self, settings, clips, audios)
        indices = read_keyframes(keyframe_indices, len(given), self.config.num_frames)
        if indices.shape[1] != given.shape[1]:
            raise ValueError(
                f"`keyframe_indices` must be as many as keyframes ({given.shape[1]}), got {indices.shape[1]}."
            )
        pixels = torch.stack(
            [clip[0] if one is None else read_picture(one, size) for clip, one in zip(given, pictures, strict=True)]
        )
        sounds = [self._read_sound(entry, sample_rate, self._seconds(settings)) for entry in audios]
        hears = settings.hears(sounds[0])
        guidance = settings.interp_guidance(hears)
        with self._ready():
            latents = self._encode_frames(given, settings)
            heard = sounds if hears else None
            tokens = self._encode_tokens(pixels, prompts, heard, {"interp": guidance}, settings)
            latents = self._between(latents, tokens["interp"], indices, guidance, settings)
            frames = self._finish(latents, settings)
        return VideoOutput.of(sounds, self.config.fps, single=single, frames=frames)

    def check(self, settings: Any, images: list, audios: list) -> None:
        """As of every pipeline; given noise of the second stage is that of all frames."""
        super().check(settings, images, audios)
        given = settings.interp_latents
        if given is not None and given.shape[1] != self.config.num_frames:
            raise ValueError(
                f"`interp_latents` must have shape (b, {self.config.num_frames}, c, h, w), got {tuple(given.shape)}."
            )

    def _mel(self, sounds: Sequence[Sound]) -> Tensor:
        waveform = torch.stack([sound.mono for sound in sounds])
        return self.audio_encoder.spectrogram(waveform, self.config.sample_rate)

    def _encode_tokens(
        self,
        pixels: Tensor,
        prompts: list[str],
        sounds: Sequence[Sound] | None,
        guidance: dict[str, Guidance],
        settings: InterpSampling,
        mel: Tensor | None = None,
    ) -> dict[str, ClipTokens]:
        """Tokens for each stage, of the clips and, where a branch wants them, of nothing: "", grey, a mel of zeros."""
        branches = {branch for scales in guidance.values() for branch in scales.branches}
        lacks_text, lacks_image, lacks_audio = (any(not BRANCHES[b][place] for b in branches) for place in range(3))
        text, towers = self._text_tokens(prompts, lacks_text), self._image_tokens(pixels, lacks_image)
        shape = self.audio_encoder.config
        silence = null_mel(num_mel_bins=shape.num_mel_bins, num_frames=shape.num_frames)
        heard = silence.expand(len(pixels), -1, -1, -1)
        if sounds is not None:
            heard = self._mel(sounds) if mel is None else mel
            silence = self._mel([sound.turned() for sound in sounds]) if settings.against == "shifted" else silence
        audio = both(
            lambda mels: audio_tokens(self.audio_encoder, mels, self._execution_device), heard, silence, lacks_audio
        )
        projectors = {"keyframe": self.image_projector, "interp": self.interp_image_projector or self.image_projector}
        projectors = {stage: projectors[stage] for stage in guidance}
        projected = {id(one): {k: project(one, v) for k, v in towers.items()} for one in projectors.values()}
        return {
            stage: ClipTokens(
                text=text,
                image=projected[id(projector)],
                audio=audio,
                grid=self.audio_encoder.grid,
                num_frames=self.config.num_frames,
                alignment=settings.alignment,
            )
            for stage, projector in projectors.items()
        }

    def _between(
        self,
        keyframe_latents: Tensor,
        tokens: ClipTokens,
        indices: Tensor,
        guidance: Guidance,
        settings: InterpSampling,
    ) -> Tensor:
        """Second stage: latents (b, t, c, h, w) of all frames."""
        b, _, *latent = keyframe_latents.shape
        indices = indices.to(keyframe_latents.device)
        condition = masked_condition(
            keyframe_latents,
            indices,
            self.config.num_frames,
            fill=self.config.interp_fill,
            mask_channel=self.config.interp_mask_channel,
        )
        all_frames = torch.arange(self.config.num_frames, device=indices.device).expand(b, -1)
        cache = FeatureCache(settings.interp_cache_interval, settings.interp_cache_level)
        network = StageNetwork(self.interp_unet, tokens, "interp", all_frames, self.config.fps, cache)
        windows: AbstractContextManager[None] = nullcontext()
        if settings.interp_window_size:
            views = window_views(self.config.num_frames, settings.interp_window_size, self.config.interp_window_stride)
            if settings.interp_window_fusion == "network":
                network = windowed(network, views)
            else:
                fuse = partial(fuse_windows, views=views, num_frames=self.config.num_frames)
                windows = temporal_windows(self.interp_unet, views, fuse)
        with windows:
            return denoise(
                network,
                self._interp_noise((b, self.config.num_frames, *latent), indices, settings).to(keyframe_latents),
                self._scheduler_for(self.interp_unet, settings.interp_sampler),
                settings.interp_num_inference_steps,
                guidance=guidance,
                condition_latents=condition,
                prediction_type=self.interp_unet.config.prediction_type,
                eta=settings.interp_eta,
                step_noise=settings.interp_step_noise,
                after_step=KeyframeInjection(keyframe_latents, indices) if self.config.interp_injection else None,
                **settings.steps("interp"),
            )

    def _interp_noise(self, shape: tuple[int, ...], indices: Tensor, settings: InterpSampling) -> Tensor:
        given = settings.interp_latents
        noise = draw_noise(shape, settings.generator) if given is None else given.cpu()
        if settings.interp_noise == "none":
            return noise
        if settings.interp_noise in ("official", "linear"):
            return blend_noise(noise, indices.cpu(), settings.interp_noise)
        window = (settings.interp_window_size or 12, self.config.interp_window_stride)
        shuffled = [
            shuffle_noise(one[None], *window, generator=per_sample(settings.generator, place))
            for place, one in enumerate(noise)
        ]
        return torch.cat(shuffled)
