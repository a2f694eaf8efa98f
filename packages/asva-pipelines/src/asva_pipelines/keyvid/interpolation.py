"""KeyVID's second stage: frames at given places become all frames (KeyVID, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from asva_pipelines.base import Callback, VideoPipeline
from asva_pipelines.inputs import Sound, as_batch, per_sample, read_frames, read_keyframes, read_picture
from asva_pipelines.keyvid.tokens import ClipTokens, audio_tokens, both
from asva_pipelines.output import VideoOutput
from asva_pipelines.settings import Settings, check_settings
from asva_unet import Guidance, denoise, draw_noise
from asva_unet.guidance import BRANCHES
from asva_unet.pixels import latent_shape
from asva_unet.stage import StageNetwork
from asva_unet.tokens import project


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
        interp_num_inference_steps: int | None = None,
        interp_text_guidance_scale: float | None = None,
        interp_image_guidance_scale: float | None = None,
        interp_audio_guidance_scale: float | None = None,
        interp_guidance_rescale: float | None = None,
        eta: float | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        interp_latents: Tensor | None = None,
        interp_step_noise: Sequence[Tensor] | None = None,
        vae_sample: str | None = None,
        interp_noise: str | None = None,
        interp_window_size: int | None = None,
        no_audio: bool = False,
        batched_guidance: bool = False,
        decode_chunk_size: int = 8,
        output_type: str = "np",
        callback_on_step_end: Callback | None = None,
    ) -> VideoOutput:
        """Make all frames from some: those of another method at a lower frame rate, for example.

        What is None is taken from the model's configuration.

        Args:
            keyframes: (k, h, w, 3) uint8, or float (k, 3, h, w) in [-1, 1]; or a list of them, equal in shape.
            keyframe_indices: (k,) or (b, k) their places among all frames, rising.
            audio: Sound: a path, an :class:`asva_audio.Audio`, samples (s,) or (c, s); or a list. None is no sound.
            prompt: What is seen and done; or a list.
            image: What the network is shown as the clip's picture, as in the call; the first keyframe without it.
            sample_rate: Of `audio` in hertz where it is given as samples.
            interp_num_inference_steps: Steps.
            interp_text_guidance_scale: 1 is none.
            interp_image_guidance_scale: 1 is none.
            interp_audio_guidance_scale: 1 is none.
            interp_guidance_rescale: 0 to 1.
            eta: Noise of each DDIM step, 0 to 1.
            generator: CPU generator, or one per sample. The same one gives the same video.
            interp_latents: (b, t, c, h, w) initial noise, before it is blended.
            interp_step_noise: Noise of each step.
            vae_sample: `"sample"` or `"mode"`.
            interp_noise: See the configuration.
            interp_window_size: See the configuration; 0 is all frames at once.
            no_audio: Leave the sound out (a control).
            batched_guidance: Evaluate all guidance branches at once: more memory, faster on a large GPU.
            decode_chunk_size: Frames decoded at once.
            output_type: `"np"` (uint8), `"pt"` (float in [0, 1], (t, 3, h, w)), `"pil"` or `"latent"`.
            callback_on_step_end: ``callback(stage, step, num_steps, latents)`` with stage `"interp"` or `"decode"`.

        Returns:
            The video of all frames.

        Raises:
            ValueError: If an argument cannot be used.
        """
        settings = Settings(self, locals())
        clips, audios, prompts, pictures, single = as_batch(
            keyframes=keyframes, audio=audio, prompt=prompt, image=image
        )
        given = read_frames(clips)
        settings.height, settings.width = size = tuple(given.shape[-2:])
        self.check_inputs(settings, clips, audios)
        indices = read_keyframes(keyframe_indices, len(given), settings.num_frames)
        if indices.shape[1] != given.shape[1]:
            raise ValueError(
                f"`keyframe_indices` must be as many as keyframes ({given.shape[1]}), got {indices.shape[1]}."
            )
        pixels = torch.stack(
            [clip[0] if one is None else read_picture(one, size) for clip, one in zip(given, pictures, strict=True)]
        )
        sounds = [self._read_sound(entry, sample_rate) for entry in audios]
        hears = sounds[0] is not None and not no_audio
        guidance = settings.guidance("interp", hears=hears)
        with self._ready():
            latents = self._encode_frames(given, settings)
            tokens = self._encode_tokens(pixels, prompts, self._mel(sounds) if hears else None, {"interp": guidance})
            latents = self._between(latents, tokens["interp"], indices, guidance, settings)
            frames = self._finish(latents, settings, callback_on_step_end)
        return VideoOutput.of(sounds, settings.fps, single=single, frames=frames)

    def check_inputs(self, settings: Settings, images: list, audios: list) -> None:
        """Refuse at the door what would fail later; see :func:`asva_pipelines.settings.check_settings`."""
        shape = latent_shape(self.vae, (settings.height, settings.width))
        depths = [len(part.config.block_out_channels) - 1 for part in (self.vae, self.keyframe_unet, self.interp_unet)]
        check_settings(settings, len(images), shape, 2 ** (depths[0] + max(depths[1:])))
        self._check_sounds(audios)

    def _mel(self, sounds: Sequence[Sound]) -> Tensor:
        waveform = torch.stack([sound.mono for sound in sounds])
        return self.audio_encoder.spectrogram(waveform, self.config.sample_rate)

    def _encode_tokens(
        self, pixels: Tensor, prompts: list[str], mel: Tensor | None, guidance: dict[str, Guidance]
    ) -> dict[str, ClipTokens]:
        """Tokens for each stage, of the clips and, where a branch wants them, of nothing: "", grey, a mel of zeros."""
        from asva_audio import null_mel

        branches = {branch for scales in guidance.values() for branch in scales.branches}
        lacks_text, lacks_image, lacks_audio = (any(not BRANCHES[b][place] for b in branches) for place in range(3))
        text, towers = self._text_tokens(prompts, lacks_text), self._image_tokens(pixels, lacks_image)
        shape = self.audio_encoder.config
        silence = null_mel(num_mel_bins=shape.num_mel_bins, num_frames=shape.num_frames)
        heard = silence.expand(len(pixels), -1, -1, -1) if mel is None else mel
        audio = both(lambda mels: audio_tokens(self.audio_encoder, mels), heard, silence, lacks_audio)
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
                alignment=self.config.alignment,
            )
            for stage, projector in projectors.items()
        }

    def _between(
        self, keyframe_latents: Tensor, tokens: ClipTokens, indices: Tensor, guidance: Guidance, settings: Settings
    ) -> Tensor:
        """Second stage: latents (b, t, c, h, w) of all frames."""
        from asva_interp import KeyframeInjection, masked_condition, window_views, windowed

        b, _, *latent = keyframe_latents.shape
        indices = indices.to(keyframe_latents.device)
        condition = masked_condition(
            keyframe_latents,
            indices,
            settings.num_frames,
            fill=settings.interp_fill,
            mask_channel=settings.interp_mask_channel,
        )
        all_frames = torch.arange(settings.num_frames, device=indices.device).expand(b, -1)
        network = StageNetwork(self.interp_unet, tokens, "interp", all_frames, settings.fps)
        if settings.interp_window_size:
            views = window_views(settings.num_frames, settings.interp_window_size, settings.interp_window_stride)
            network = windowed(network, views)
        return denoise(
            network,
            self._interp_noise((b, settings.num_frames, *latent), indices, settings).to(keyframe_latents),
            self._scheduler_for(self.interp_unet),
            settings.interp_num_inference_steps,
            guidance=guidance,
            condition_latents=condition,
            prediction_type=self.interp_unet.config.prediction_type,
            eta=settings.eta,
            generator=settings.generator,
            step_noise=settings.interp_step_noise,
            batched=settings.batched_guidance,
            after_step=KeyframeInjection(keyframe_latents, indices) if settings.interp_injection else None,
            callback_on_step_end=settings.report("interp"),
        )

    def _interp_noise(self, shape: tuple[int, ...], indices: Tensor, settings: Settings) -> Tensor:
        from asva_interp import blend_noise, shuffle_noise

        given = settings.interp_latents
        noise = draw_noise(shape, settings.generator) if given is None else given.cpu()
        if settings.interp_noise == "none":
            return noise
        if settings.interp_noise in ("official", "linear"):
            return blend_noise(noise, indices.cpu(), settings.interp_noise)
        window = (settings.interp_window_size or 12, settings.interp_window_stride)
        shuffled = [
            shuffle_noise(one[None], *window, generator=per_sample(settings.generator, place))
            for place, one in enumerate(noise)
        ]
        return torch.cat(shuffled)
