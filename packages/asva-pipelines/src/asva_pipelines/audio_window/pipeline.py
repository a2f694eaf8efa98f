"""The open-domain audio-window model and, without sound, DynamiCrafter on which it stands (open-domain, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPTextModel, CLIPVisionModel

from asva_audio import BEATsEncoder, ImageBindAudioEncoder, MultiFeatureEncoder
from asva_pipelines.base import Callback, VideoPipeline
from asva_pipelines.inputs import Sound, as_batch, read_picture
from asva_pipelines.output import VideoOutput
from asva_pipelines.settings import Settings, check_settings
from asva_unet import Guidance, ImageResampler, KeyVIDUNet, UNetConditions, denoise, draw_noise
from asva_unet.guidance import BRANCHES
from asva_unet.pixels import latent_shape
from asva_unet.stage import StageNetwork
from asva_unet.tokens import project

ENCODERS = ("imagebind", "beats")


class AudioWindowPipeline(VideoPipeline):
    """A picture and a sound become a video: each frame hears the sound around it; without encoders, DynamiCrafter.

    Args:
        vae: Frames to latents and back.
        tokenizer: Of the prompt.
        text_encoder: Of the prompt.
        image_encoder: Of the first frame.
        image_projector: Its tokens to those of every frame.
        unet: DynamiCrafter's network, with ``audio_window_attention`` where it hears.
        scheduler: See :func:`asva_unet.make_scheduler`; its prediction type follows the network.
        taps: Which layers of the audio encoders are heard, with their projections; None in DynamiCrafter.
        imagebind: Audio encoder, if the taps name it.
        beats: Audio encoder, if the taps name it.
        num_frames: Frames of the video.
        fps: Frames per second of the video, which the network is told.
        height: Of the video, in pixels, unless the call says otherwise.
        width: Of the video, in pixels, unless the call says otherwise.
        sample_rate: Hertz that the audio encoders hear.
        radius: Of a frame's window, in frames.
        dynamic_rescale: Whether the network was trained on scaled latents (the released DynamiCrafter was).
        vae_sample: `"sample"` of the posterior or its `"mode"`.
        num_inference_steps: Steps.
        eta: Noise of each DDIM step.
        text_guidance_scale: 1 is none.
        image_guidance_scale: 1 is none.
        audio_guidance_scale: 1 is none.
        guidance_rescale: 0 to 1.
    """

    model_cpu_offload_seq = "text_encoder->image_encoder->image_projector->imagebind->beats->taps->unet->vae"
    _optional_components: ClassVar[list[str]] = ["taps", *ENCODERS]

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
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        super().__init__()
        modules = "vae tokenizer text_encoder image_encoder image_projector unet scheduler taps".split()
        self.register_modules(**{name: given.pop(name) for name in (*modules, *ENCODERS)})
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
        radius: float | None = None,
        num_inference_steps: int | None = None,
        text_guidance_scale: float | None = None,
        image_guidance_scale: float | None = None,
        audio_guidance_scale: float | None = None,
        guidance_rescale: float | None = None,
        eta: float | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        first_latents: Tensor | None = None,
        latents: Tensor | None = None,
        vae_sample: str | None = None,
        no_audio: bool = False,
        batched_guidance: bool = False,
        decode_chunk_size: int = 8,
        output_type: str = "np",
        callback_on_step_end: Callback | None = None,
    ) -> VideoOutput:
        """Make one video, or one for each entry of the given lists.

        What is None is taken from the model's configuration.

        Args:
            image: First frame: a path, a PIL image, uint8 (h, w, 3), or a float (3, h, w) tensor in [-1, 1]; or a list.
            audio: Sound: a path, an :class:`asva_audio.Audio`, samples (s,) or (c, s); or a list. None is no sound.
            prompt: What is seen and done; or a list.
            sample_rate: Of `audio` in hertz where it is given as samples.
            height: Pixels.
            width: Pixels.
            radius: Of a frame's window, in frames.
            num_inference_steps: Steps.
            text_guidance_scale: 1 is none.
            image_guidance_scale: 1 is none.
            audio_guidance_scale: 1 is none.
            guidance_rescale: 0 to 1.
            eta: Noise of each DDIM step, 0 to 1.
            generator: CPU generator, or one per sample. The same one gives the same video.
            first_latents: (b, c, h, w) latents that stand for the first frame instead of the picture's own, which the
                image encoder still sees: the end of a video that goes on.
            latents: (b, t, c, h, w) initial noise.
            vae_sample: `"sample"` or `"mode"`.
            no_audio: Leave the sound out (a control).
            batched_guidance: Evaluate all guidance branches at once: more memory, faster on a large GPU.
            decode_chunk_size: Frames decoded at once.
            output_type: `"np"` (uint8), `"pt"` (float in [0, 1], (t, 3, h, w)), `"pil"` or `"latent"`.
            callback_on_step_end: ``callback(stage, step, num_steps, latents)`` with stage `"frames"` or `"decode"`.

        Returns:
            The video.

        Raises:
            ValueError: If an argument cannot be used.
        """
        settings = Settings(self, locals())
        images, audios, prompts, single = as_batch(image=image, audio=audio, prompt=prompt)
        self._check_sounds(audios)
        size = (settings.height, settings.width)
        depth = sum(len(part.config.block_out_channels) - 1 for part in (self.vae, self.unet))
        check_settings(settings, len(images), latent_shape(self.vae, size), 2**depth)
        pixels = torch.stack([read_picture(entry, size) for entry in images])
        sounds = [self._read_sound(entry, sample_rate) for entry in audios]
        hears = sounds[0] is not None and not no_audio and self.taps is not None
        guidance = settings.guidance("frames", hears=hears)
        with self._ready():
            first = self._first_latents(pixels, settings)
            tokens = self._encode_tokens(pixels, prompts, sounds if hears else None, guidance, settings)
            frames = self._finish(self._denoise(first, tokens, guidance, settings), settings, callback_on_step_end)
        return VideoOutput.of(sounds, settings.fps, single=single, frames=frames)

    def _encode_tokens(
        self,
        pixels: Tensor,
        prompts: list[str],
        sounds: Sequence[Sound] | None,
        guidance: Guidance,
        settings: Settings,
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
        self, sounds: Sequence[Sound], lacks_audio: bool, settings: Settings
    ) -> tuple[dict[bool, Tensor | None], Tensor]:
        """Tokens with and, where a branch wants it, without sound, and the window of each frame (t, n)."""
        from asva_audio import frame_times, multi_feature_tokens, null_feature_tokens

        encoders = {name: getattr(self, name) for name in ENCODERS if getattr(self, name) is not None}
        waveform = torch.stack([sound.mono for sound in sounds]).to(self._execution_device)
        heard = multi_feature_tokens(encoders, self.taps, waveform, self.config.sample_rate)
        audio: dict[bool, Tensor | None] = {True: heard.tokens, False: None}
        if lacks_audio:
            seconds = waveform.shape[1] / self.config.sample_rate
            audio[False] = null_feature_tokens(encoders, self.taps, batch=len(sounds), seconds=seconds).tokens
        times = frame_times(settings.num_frames, settings.fps)
        return audio, heard.mask(times, settings.radius / settings.fps).to(self._execution_device)

    def _denoise(self, first: Tensor, tokens: WindowTokens, guidance: Guidance, settings: Settings) -> Tensor:
        """Latents (b, t, c, h, w) of all frames."""
        shape = (len(first), settings.num_frames, *first.shape[2:])
        noise = draw_noise(shape, settings.generator) if settings.latents is None else settings.latents
        indices = torch.arange(settings.num_frames, device=first.device).expand(len(first), -1)
        return denoise(
            StageNetwork(self.unet, tokens, "frames", indices, settings.fps),
            noise.to(first),
            self._scheduler_for(self.unet),
            settings.num_inference_steps,
            guidance=guidance,
            condition_latents=first.expand(shape),
            prediction_type=self.unet.config.prediction_type,
            eta=settings.eta,
            generator=settings.generator,
            batched=settings.batched_guidance,
            callback_on_step_end=settings.report("frames"),
        )


@dataclass(frozen=True)
class WindowTokens:
    """Tokens of each condition, given (True) and left out (False).

    Attributes:
        text: (b, n, d).
        image: (b, t, q, d), or (b, 1, q, d) where all frames share them.
        audio: (b, n, d) tokens of the clip; None without sound.
        mask: (t, n) those that each frame hears; None without sound.
    """

    text: dict[bool, Tensor]
    image: dict[bool, Tensor]
    audio: dict[bool, Tensor | None]
    mask: Tensor | None

    def conditions(self, unet: KeyVIDUNet, branch: str, frame_indices: Tensor, stage: str) -> UNetConditions:
        """Keys and values of one guidance branch for the frames (b, t)."""
        del frame_indices, stage  # all frames, in order
        with_text, with_image, with_audio = BRANCHES[branch]
        image = self.image[with_image]
        audio = self.audio[with_audio]
        return unet.encode_conditions(
            self.text[with_text],
            image,
            audio_window_embeds=audio,
            audio_window_mask=None if audio is None else self.mask,
        )

    def to(self, dtype: torch.dtype) -> WindowTokens:
        """The same in another precision."""
        cast = {
            name: {key: None if x is None else x.to(dtype) for key, x in getattr(self, name).items()}
            for name in ("text", "image", "audio")
        }
        return replace(self, **cast)
