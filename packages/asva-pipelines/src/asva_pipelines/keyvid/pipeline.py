"""KeyVID from end to end: a picture and a sound become a video (KeyVID, section 3)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPTextModel, CLIPVisionModel

from asva_audio import ImageBindAudioEncoder
from asva_keyframe import MotionLocalizer, load_bundled_localizer, select_keyframes, uniform_keyframes
from asva_pipelines.base import Clips, registered
from asva_pipelines.inputs import per_sample, read_keyframes
from asva_pipelines.keyvid.interpolation import InterpolatingPipeline, InterpSampling
from asva_pipelines.keyvid.tokens import ClipTokens
from asva_pipelines.loading.folders import shared_parts
from asva_pipelines.output import KeyVIDOutput
from asva_pipelines.settings import OWN, ImageGuidedSampling
from asva_unet import Guidance, ImageResampler, KeyVIDUNet, TextureCarry, denoise
from asva_unet.pixels import decode_latents, quantise
from asva_unet.schedulers import KeyVIDDDIMScheduler, KeyVIDDPMSolverScheduler, KeyVIDUniPCScheduler
from asva_unet.stage import StageNetwork


@dataclass(kw_only=True)
class KeyVIDSampling(InterpSampling, ImageGuidedSampling):
    """What the call takes; what does not begin with `interp` is the first stage's.

    Attributes:
        keyframe_indices: (k,) or (b, k) frames to use as keyframes instead of choosing them from the sound, which the
            localizer then does not hear.
        selection: Rule of :func:`asva_keyframe.select_keyframes`.
        step_noise: Noise of each step of the first stage.
        handover: How the second stage gets the keyframes: their `"latents"`, or `"pixels"`, decoded and encoded again
            as the released scripts do.
    """

    keyframe_indices: Any = None
    selection: str = OWN
    step_noise: Sequence[Tensor] | None = None
    handover: str = "latents"


class KeyVIDPipeline(InterpolatingPipeline):
    """A picture and a sound become a video that moves in time with the sound (KeyVID, figure 2).

    The localizer hears where something moves; keyframes are chosen there; the first U-Net makes them from the first
    frame, the prompt and the sound; the second one fills in the frames between. Everything that differs between
    models is a part of the configuration, so ``KeyVIDPipeline.from_pretrained(folder)(image, audio)`` does it. With
    `no_audio`, keyframes are uniform unless given. Arguments that are not named here: :class:`VideoPipeline`.

    Args:
        keyframe_unet: First stage.
        interp_unet: Second stage.
        localizer: Mel spectrogram to motion curve; None where keyframes are always given.
        scheduler: See :func:`asva_unet.make_scheduler`.
        interp_image_projector: The second stage's projector, where it has its own (the released weights do).
        texture_carry: Sharpens the decoded frames by the first one, ours.
        num_keyframes: Keyframes chosen.
        keyframe_fps: Frame rate that the first stage is told.
        alignment: `"aligned"`, or `"official"` for the released weights; see :func:`asva_audio.frame_audio_tokens`.
        dynamic_rescale: Whether the networks were trained on scaled latents (the released ones were).
        interp_fill: What the second stage sees between keyframes; see :func:`asva_interp.masked_condition`.
        interp_mask_channel: Whether it is given the mask.
        interp_injection: Whether keyframe latents are injected after its first step.
        interp_window_stride: Distance of its windows.
    """

    arguments = KeyVIDSampling
    output = KeyVIDOutput
    model_cpu_offload_seq = (
        "text_encoder->image_encoder->image_projector->interp_image_projector->audio_encoder->localizer->"
        "keyframe_unet->interp_unet->vae->texture_carry"
    )
    _optional_components: ClassVar[list[str]] = ["localizer", "interp_image_projector", "texture_carry"]

    @registered
    def __init__(
        self,
        vae: AutoencoderKL,
        tokenizer: Any,
        text_encoder: CLIPTextModel,
        image_encoder: CLIPVisionModel,
        image_projector: ImageResampler,
        audio_encoder: ImageBindAudioEncoder,
        keyframe_unet: KeyVIDUNet,
        interp_unet: KeyVIDUNet,
        localizer: MotionLocalizer | None,
        scheduler: KeyVIDDDIMScheduler | KeyVIDUniPCScheduler | KeyVIDDPMSolverScheduler,
        interp_image_projector: ImageResampler | None = None,
        texture_carry: TextureCarry | None = None,
        num_frames: int = 48,
        fps: int | float = 24,
        num_keyframes: int = 12,
        keyframe_fps: int | float = 6,
        height: int = 320,
        width: int = 512,
        sample_rate: int = 16000,
        alignment: str = "aligned",
        selection: str = "inference",
        dynamic_rescale: bool = False,
        interp_fill: str = "zeros",
        interp_mask_channel: bool = False,
        interp_noise: str = "official",
        interp_injection: bool = True,
        interp_window_size: int | None = None,
        interp_window_stride: int = 6,
        vae_sample: str = "sample",
        num_inference_steps: int = 90,
        interp_num_inference_steps: int = 90,
        eta: int | float = 1.0,
        text_guidance_scale: int | float = 7.5,
        image_guidance_scale: int | float = 2.0,
        audio_guidance_scale: int | float = 7.5,
        guidance_rescale: int | float = 0.7,
        interp_text_guidance_scale: int | float = 7.5,
        interp_image_guidance_scale: int | float = 2.0,
        interp_audio_guidance_scale: int | float = 7.5,
        interp_guidance_rescale: int | float = 0.7,
    ) -> None:
        super().__init__()

    @classmethod
    def from_pretrained(cls, model: str | os.PathLike[str], **how: Any) -> Self:
        """As of every pipeline; a folder that names a localizer and holds none gets the bundled one."""
        if "localizer" in shared_parts(Path(model)):
            dtype = how.get("dtype") or how.get("torch_dtype") or torch.float32
            localizer = torch.nn.Module.to(load_bundled_localizer(), dtype)  # without a word of diffusers'
            how.setdefault("localizer", localizer)
        return super().from_pretrained(model, **how)

    def check(self, settings: Any, images: list, audios: list) -> None:
        """As of every pipeline; keyframes must be findable."""
        super().check(settings, images, audios)
        if settings.keyframe_indices is not None:
            read_keyframes(settings.keyframe_indices, len(images), self.config.num_frames)
        elif self.localizer is None and settings.hears(audios[0]) and settings.selection != "uniform":
            raise ValueError("`keyframe_indices` must be given: this model has no localizer to find them.")

    def make(self, clips: Clips, settings: KeyVIDSampling) -> dict[str, Any]:
        """Both stages."""
        hears = settings.hears(clips.sounds[0])
        guidance = {"keyframe": settings.guidance(hears), "interp": settings.interp_guidance(hears)}
        # 1. the first frame's latents
        first = self._first_latents(clips.pixels, settings)
        # 2. where something moves
        mel = self._mel(clips.sounds) if hears else None
        indices, curve = self._choose_keyframes(mel, settings, len(first))
        # 3. what the networks look at
        heard = clips.sounds if hears else None
        tokens = self._encode_tokens(clips.pixels, clips.prompts, heard, guidance, settings, mel)
        # 4. keyframes, then the frames between them
        keyframe_latents = self._keyframes(first, tokens["keyframe"], indices, guidance["keyframe"], settings)
        handed = self._hand_over(keyframe_latents, settings)
        frame_latents = self._between(handed, tokens["interp"], indices, guidance["interp"], settings)
        # 5. pixels
        return {
            "frames": self._finish(frame_latents, settings, picture=clips.pixels),
            "keyframe_frames": self._finish(keyframe_latents, settings, picture=clips.pixels, quiet=True),
            "keyframe_indices": indices.numpy(),
            "motion_curve": curve,
        }

    def _choose_keyframes(
        self, mel: Tensor | None, settings: KeyVIDSampling, batch_size: int
    ) -> tuple[Tensor, np.ndarray | None]:
        """Keyframes (b, k) and motion curves (b, t)."""
        if settings.keyframe_indices is not None:
            return read_keyframes(settings.keyframe_indices, batch_size, self.config.num_frames), None
        curves = None
        if mel is not None and self.localizer is not None:
            curves = self.localizer.predict(mel.to(self._execution_device, self.localizer.dtype)).numpy()
        if curves is None or settings.selection == "uniform":
            uniform = uniform_keyframes(self.config.num_frames, self.config.num_keyframes)
            return torch.from_numpy(uniform).expand(batch_size, -1), curves
        chosen = [
            select_keyframes(
                curve,
                self.config.num_keyframes,
                rule=settings.selection,
                fps=self.config.fps,
                generator=per_sample(settings.generator, place),
            )
            for place, curve in enumerate(curves)
        ]
        return torch.from_numpy(np.stack(chosen)), curves

    def _keyframes(
        self, first: Tensor, tokens: ClipTokens, indices: Tensor, guidance: Guidance, settings: KeyVIDSampling
    ) -> Tensor:
        """First stage: latents (b, k, c, h, w) of the keyframes."""
        shape = (*indices.shape, *first.shape[2:])
        indices = indices.to(first.device)
        return denoise(
            StageNetwork(self.keyframe_unet, tokens, "keyframe", indices, self.config.keyframe_fps, settings.cache),
            self._noise(*indices.shape, settings),
            self._scheduler_for(self.keyframe_unet, settings.sampler),
            settings.num_inference_steps,
            guidance=guidance.at(indices),
            condition_latents=first.expand(shape),
            prediction_type=self.keyframe_unet.config.prediction_type,
            eta=settings.eta,
            step_noise=settings.step_noise,
            **settings.steps("keyframe"),
        )

    def _hand_over(self, keyframe_latents: Tensor, settings: KeyVIDSampling) -> Tensor:
        """The keyframes as the second stage gets them."""
        if settings.handover == "latents":
            return keyframe_latents
        pixels = quantise(decode_latents(self.vae, keyframe_latents, settings.decode_chunk_size))
        return self._encode_frames(pixels.float() / 127.5 - 1, settings)
