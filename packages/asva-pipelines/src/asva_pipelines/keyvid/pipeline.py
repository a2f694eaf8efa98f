"""KeyVID from end to end: a picture and a sound become a video (KeyVID, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPTextModel, CLIPVisionModel

from asva_audio import ImageBindAudioEncoder
from asva_keyframe import MotionLocalizer
from asva_pipelines.base import Callback
from asva_pipelines.inputs import as_batch, per_sample, read_keyframes, read_picture
from asva_pipelines.keyvid.interpolation import InterpolatingPipeline
from asva_pipelines.keyvid.tokens import ClipTokens
from asva_pipelines.output import KeyVIDOutput
from asva_pipelines.settings import Settings
from asva_unet import Guidance, ImageResampler, KeyVIDUNet, denoise, draw_noise
from asva_unet.pixels import decode_latents, quantise
from asva_unet.schedulers import KeyVIDDDIMScheduler, KeyVIDDPMSolverScheduler, KeyVIDUniPCScheduler
from asva_unet.stage import StageNetwork

STAGES = ("keyframe", "interp")


class KeyVIDPipeline(InterpolatingPipeline):
    """A picture and a sound become a video that moves in time with the sound (KeyVID, figure 2).

    The localizer hears where something moves; keyframes are chosen there; the first U-Net makes them from the first
    frame, the prompt and the sound; the second one fills in the frames between. Everything that differs between
    models is a part of the configuration, so ``KeyVIDPipeline.from_pretrained(folder)(image, audio)`` does it.

    Args:
        vae: Frames to latents and back.
        tokenizer: Of the prompt.
        text_encoder: Of the prompt.
        image_encoder: Of the first frame.
        image_projector: Its tokens to those of every frame.
        audio_encoder: Mel spectrogram to tokens.
        keyframe_unet: First stage.
        interp_unet: Second stage.
        localizer: Mel spectrogram to motion curve; None where keyframes are always given.
        scheduler: See :func:`asva_unet.make_scheduler`; its prediction type follows the networks.
        interp_image_projector: The second stage's projector, where it has its own (the released weights do).
        num_frames: Frames of the video.
        fps: Frames per second of the video.
        num_keyframes: Keyframes chosen.
        keyframe_fps: Frame rate that the first stage is told.
        height: Of the video, in pixels, unless the call says otherwise.
        width: Of the video, in pixels, unless the call says otherwise.
        sample_rate: Hertz that the audio encoder hears.
        alignment: `"aligned"`, or `"official"` for the released weights; see :func:`asva_audio.frame_audio_tokens`.
        selection: Rule of :func:`asva_keyframe.select_keyframes`.
        dynamic_rescale: Whether the networks were trained on scaled latents (the released ones were).
        interp_fill: What the second stage sees between keyframes; see :func:`asva_interp.masked_condition`.
        interp_mask_channel: Whether it is given the mask.
        interp_noise: Its initial noise: `"official"` or `"linear"` blend, `"none"` for plain noise, `"freenoise"`.
        interp_injection: Whether keyframe latents are injected after its first step.
        interp_window_size: Frames that it sees at once; None is all of them.
        interp_window_stride: Distance of its windows.
        vae_sample: `"sample"` of the posterior (as released) or its `"mode"`.
        num_inference_steps: Steps of the first stage.
        interp_num_inference_steps: Steps of the second stage.
        eta: Noise of each DDIM step.
        text_guidance_scale: First stage; 1 is none.
        image_guidance_scale: First stage; 1 is none.
        audio_guidance_scale: First stage; 1 is none.
        guidance_rescale: First stage, 0 to 1.
        interp_text_guidance_scale: Second stage.
        interp_image_guidance_scale: Second stage.
        interp_audio_guidance_scale: Second stage.
        interp_guidance_rescale: Second stage.
    """

    model_cpu_offload_seq = (
        "text_encoder->image_encoder->image_projector->interp_image_projector->audio_encoder->localizer->"
        "keyframe_unet->interp_unet->vae"
    )
    _optional_components: ClassVar[list[str]] = ["localizer", "interp_image_projector"]

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
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        super().__init__()
        modules = (
            "vae tokenizer text_encoder image_encoder image_projector audio_encoder keyframe_unet interp_unet "
            "localizer scheduler interp_image_projector"
        ).split()
        self.register_modules(**{name: given.pop(name) for name in modules})
        self.register_to_config(**given)

    @torch.no_grad()
    def __call__(
        self,
        image: Any,
        audio: Any = None,
        prompt: str | Sequence[str] = "",
        *,
        sample_rate: int | None = None,
        height: int | None = None,
        width: int | None = None,
        keyframe_indices: Any = None,
        selection: str | None = None,
        num_inference_steps: int | None = None,
        interp_num_inference_steps: int | None = None,
        text_guidance_scale: float | None = None,
        image_guidance_scale: float | None = None,
        audio_guidance_scale: float | None = None,
        guidance_rescale: float | None = None,
        interp_text_guidance_scale: float | None = None,
        interp_image_guidance_scale: float | None = None,
        interp_audio_guidance_scale: float | None = None,
        interp_guidance_rescale: float | None = None,
        eta: float | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        first_latents: Tensor | None = None,
        latents: Tensor | None = None,
        interp_latents: Tensor | None = None,
        step_noise: Sequence[Tensor] | None = None,
        interp_step_noise: Sequence[Tensor] | None = None,
        vae_sample: str | None = None,
        interp_noise: str | None = None,
        interp_window_size: int | None = None,
        handover: str = "latents",
        no_audio: bool = False,
        batched_guidance: bool = False,
        decode_chunk_size: int = 8,
        output_type: str = "np",
        callback_on_step_end: Callback | None = None,
    ) -> KeyVIDOutput:
        """Make one video, or one for each entry of the given lists.

        What is None is taken from the model's configuration.

        Args:
            image: First frame: a path, a PIL image, uint8 (h, w, 3), or a float (3, h, w) tensor in [-1, 1]; or a list.
            audio: Sound: a path, an :class:`asva_audio.Audio`, samples (s,) or (c, s); or a list. None is no sound.
            prompt: What is seen and done; or a list.
            sample_rate: Of `audio` in hertz where it is given as samples.
            height: Pixels.
            width: Pixels.
            keyframe_indices: (k,) or (b, k) frames to use as keyframes instead of choosing them from the sound.
            selection: Rule by which keyframes are chosen.
            num_inference_steps: Steps of the first stage.
            interp_num_inference_steps: Steps of the second stage.
            text_guidance_scale: First stage; 1 is none.
            image_guidance_scale: First stage.
            audio_guidance_scale: First stage.
            guidance_rescale: First stage.
            interp_text_guidance_scale: Second stage.
            interp_image_guidance_scale: Second stage.
            interp_audio_guidance_scale: Second stage.
            interp_guidance_rescale: Second stage.
            eta: Noise of each DDIM step, 0 to 1.
            generator: CPU generator, or one per sample. The same one gives the same video.
            first_latents: (b, c, h, w) latents that stand for the first frame instead of the picture's own, which the
                image encoder still sees: the end of a video that goes on.
            latents: (b, k, c, h, w) initial noise of the first stage.
            interp_latents: (b, t, c, h, w) initial noise of the second stage, before it is blended.
            step_noise: Noise of each step of the first stage.
            interp_step_noise: Noise of each step of the second stage.
            vae_sample: `"sample"` or `"mode"`.
            interp_noise: See the configuration.
            interp_window_size: See the configuration; 0 is all frames at once.
            handover: How the second stage gets the keyframes: their `"latents"`, or `"pixels"`, decoded and encoded
                again as the released scripts do.
            no_audio: Leave the sound out everywhere (a control); keyframes are then uniform unless given.
            batched_guidance: Evaluate all guidance branches at once: more memory, faster on a large GPU.
            decode_chunk_size: Frames decoded at once.
            output_type: `"np"` (uint8), `"pt"` (float in [0, 1], (t, 3, h, w)), `"pil"` or `"latent"`.
            callback_on_step_end: ``callback(stage, step, num_steps, latents)`` with stage `"keyframe"`, `"interp"` or
                `"decode"`, after each step. Raising from it stops the pipeline and leaves it ready for the next call.

        Returns:
            The video and how it came about.

        Raises:
            ValueError: If an argument cannot be used.
        """
        settings = Settings(self, locals())
        images, audios, prompts, single = as_batch(image=image, audio=audio, prompt=prompt)
        size = (settings.height, settings.width)
        self.check_inputs(settings, images, audios)
        pixels = torch.stack([read_picture(entry, size) for entry in images])
        sounds = [self._read_sound(entry, sample_rate) for entry in audios]
        fixed = None
        if keyframe_indices is not None:
            fixed = read_keyframes(keyframe_indices, len(images), settings.num_frames)

        hears = sounds[0] is not None and not no_audio
        guidance = {stage: settings.guidance(stage, hears=hears) for stage in STAGES}

        with self._ready():
            # 1. the first frame's latents
            first = self._first_latents(pixels, settings)
            # 2. where something moves
            mel = self._mel(sounds) if hears else None
            indices, curve = self._choose_keyframes(fixed, mel, settings, len(images))
            # 3. what the networks look at
            tokens = self._encode_tokens(pixels, prompts, mel, guidance)
            # 4. keyframes, then the frames between them
            keyframe_latents = self._keyframes(first, tokens["keyframe"], indices, guidance["keyframe"], settings)
            handed = self._hand_over(keyframe_latents, settings)
            frame_latents = self._between(handed, tokens["interp"], indices, guidance["interp"], settings)
            # 5. pixels
            frames = self._finish(frame_latents, settings, callback_on_step_end)
            keyframes = self._finish(keyframe_latents, settings, None)
        return KeyVIDOutput.of(
            sounds,
            settings.fps,
            single=single,
            frames=frames,
            keyframe_frames=keyframes,
            keyframe_indices=indices.numpy(),
            motion_curve=curve,
        )

    def check_inputs(self, settings: Settings, images: list, audios: list) -> None:
        """Refuse at the door what would fail later; see :func:`asva_pipelines.settings.check_settings`."""
        super().check_inputs(settings, images, audios)
        hears = audios[0] is not None and not settings.no_audio and settings.selection != "uniform"
        if self.localizer is None and hears and settings.keyframe_indices is None:
            raise ValueError("`keyframe_indices` must be given: this model has no localizer to find them.")

    def _choose_keyframes(
        self, fixed: Tensor | None, mel: Tensor | None, settings: Settings, batch_size: int
    ) -> tuple[Tensor, np.ndarray | None]:
        """Keyframes (b, k) and motion curves (b, t)."""
        from asva_keyframe import select_keyframes, uniform_keyframes

        curves = None
        if mel is not None and self.localizer is not None:
            curves = self.localizer.predict(mel.to(self._execution_device, self.localizer.dtype)).numpy()
        if fixed is not None:
            return fixed, curves
        if curves is None or settings.selection == "uniform":
            uniform = uniform_keyframes(settings.num_frames, settings.num_keyframes)
            return torch.from_numpy(uniform).expand(batch_size, -1), curves
        chosen = [
            select_keyframes(
                curve,
                settings.num_keyframes,
                rule=settings.selection,
                fps=settings.fps,
                generator=per_sample(settings.generator, place),
            )
            for place, curve in enumerate(curves)
        ]
        return torch.from_numpy(np.stack(chosen)), curves

    def _keyframes(
        self, first: Tensor, tokens: ClipTokens, indices: Tensor, guidance: Guidance, settings: Settings
    ) -> Tensor:
        """First stage: latents (b, k, c, h, w) of the keyframes."""
        shape = (*indices.shape, *first.shape[2:])
        noise = draw_noise(shape, settings.generator) if settings.latents is None else settings.latents
        indices = indices.to(first.device)
        return denoise(
            StageNetwork(self.keyframe_unet, tokens, "keyframe", indices, settings.keyframe_fps),
            noise.to(first),
            self._scheduler_for(self.keyframe_unet),
            settings.num_inference_steps,
            guidance=guidance.at(indices),
            condition_latents=first.expand(shape),
            prediction_type=self.keyframe_unet.config.prediction_type,
            eta=settings.eta,
            generator=settings.generator,
            step_noise=settings.step_noise,
            batched=settings.batched_guidance,
            callback_on_step_end=settings.report("keyframe"),
        )

    def _hand_over(self, keyframe_latents: Tensor, settings: Settings) -> Tensor:
        """The keyframes as the second stage gets them."""
        if settings.handover == "latents":
            return keyframe_latents
        pixels = quantise(decode_latents(self.vae, keyframe_latents, settings.decode_chunk_size))
        return self._encode_frames(pixels.float() / 127.5 - 1, settings)
