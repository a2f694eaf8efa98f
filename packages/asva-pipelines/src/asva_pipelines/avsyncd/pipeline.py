"""AVSyncD and, without sound, its baseline I2VD: a clean first frame among denoised ones (AVSyncD, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPTextModel

from asva_audio import ImageBindAudioEncoder
from asva_pipelines.avsyncd.text_audio import BRANCHES, TextAudioGuidance
from asva_pipelines.base import Callback, VideoPipeline
from asva_pipelines.inputs import Sound, as_batch, read_picture
from asva_pipelines.keyvid.tokens import both
from asva_pipelines.output import VideoOutput
from asva_pipelines.settings import Settings, check_settings
from asva_unet import AVSyncDConditions, AVSyncDUNet, denoise, draw_noise
from asva_unet.pixels import latent_shape
from asva_unet.stage import onload


class AVSyncDPipeline(VideoPipeline):
    """A picture and a sound become a video (AVSyncD, figure 2); without an audio encoder, I2VD.

    The first frame stays clean among the frames that are denoised; each frame attends to the audio tokens of its own
    piece of time.

    Args:
        vae: Frames to latents and back.
        tokenizer: Of the prompt.
        text_encoder: Of the prompt.
        unet: The network; of I2VD with ``audio=False``.
        scheduler: Any of diffusers' that takes the network's prediction type; PNDM as released.
        audio_encoder: Mel spectrogram to tokens; None in I2VD.
        num_frames: Frames of the video.
        fps: Frames per second of the video.
        height: Of the video, in pixels, unless the call says otherwise.
        width: Of the video, in pixels, unless the call says otherwise.
        sample_rate: Hertz that the audio encoder hears.
        segment_window: Which tokens belong to a frame, `"official"` or `"split"`; see
            :func:`asva_audio.segment_mask`.
        vae_sample: `"sample"` of the posterior (as released) or its `"mode"`.
        num_inference_steps: Steps.
        text_guidance_scale: 1 is none (as released).
        audio_guidance_scale: 1 is none.
    """

    model_cpu_offload_seq = "text_encoder->audio_encoder->unet->vae"
    _optional_components: ClassVar[list[str]] = ["audio_encoder"]

    def __init__(
        self,
        vae: AutoencoderKL,
        tokenizer: Any,
        text_encoder: CLIPTextModel,
        unet: AVSyncDUNet,
        scheduler: Any,
        audio_encoder: ImageBindAudioEncoder | None = None,
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
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        super().__init__()
        modules = ("vae", "tokenizer", "text_encoder", "unet", "scheduler", "audio_encoder")
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
        num_inference_steps: int | None = None,
        text_guidance_scale: float | None = None,
        audio_guidance_scale: float | None = None,
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
            num_inference_steps: Steps.
            text_guidance_scale: 1 is none.
            audio_guidance_scale: 1 is none.
            generator: CPU generator, or one per sample. The same one gives the same video.
            first_latents: (b, c, h, w) latents that stand for the first frame instead of the picture's own: the
                end of a video that goes on.
            latents: (b, t - 1, c, h, w) initial noise of the frames after the first.
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
        if self.unet.config.audio and self.audio_encoder is None:
            raise ValueError("`audio_encoder` must be given with a U-Net that hears, got None: load one, or take I2VD.")
        size = (settings.height, settings.width)
        # The U-Net itself takes any size.
        check_settings(
            settings, len(images), latent_shape(self.vae, size), 2 ** (len(self.vae.config.block_out_channels) - 1)
        )
        pixels = torch.stack([read_picture(entry, size) for entry in images])
        sounds = [self._read_sound(entry, sample_rate) for entry in audios]
        hears = sounds[0] is not None and not no_audio and self.unet.config.audio
        guidance = self._guidance(settings, hears)
        with self._ready():
            first = self._first_latents(pixels, settings)
            network = self._network(first, prompts, sounds if hears else [None] * len(sounds), guidance)
            others = self._denoise(network, guidance, settings)
            frames = self._finish(torch.cat([first, others], dim=1), settings, callback_on_step_end)
        return VideoOutput.of(sounds, settings.fps, single=single, frames=frames)

    def _guidance(self, settings: Settings, hears: bool) -> TextAudioGuidance:
        """Without a sound there is nothing that its guidance could tell apart."""
        return TextAudioGuidance(settings.text_guidance_scale, settings.audio_guidance_scale if hears else 1.0)

    def _network(
        self, first: Tensor, prompts: list[str], sounds: Sequence[Sound | None], guidance: TextAudioGuidance
    ) -> ClipNetwork:
        given = [BRANCHES[branch] for branch in guidance.branches]
        lacks_text, lacks_audio = (not all(flags) for flags in zip(*given, strict=True))
        text = self._text_tokens(prompts, lacks_text)
        audio: dict[bool, Tensor | None] = {True: None, False: None}
        mask = None
        if self.unet.config.audio:
            audio, mask = self._audio(sounds, lacks_audio)
        return ClipNetwork(self.unet, first, text, audio, mask)

    def _audio(self, sounds: Sequence[Sound | None], lacks_audio: bool) -> tuple[dict[bool, Tensor], Tensor]:
        """Tokens with and, where a branch wants it, without sound, and what each frame attends to (t, n)."""
        from asva_audio import segment_mask, segment_tokens

        encoder, device = self.audio_encoder, self._execution_device
        silence = encoder.null_spectrogram()
        mel = silence.expand(len(sounds), -1, -1, -1)
        if sounds[0] is not None:
            mel = encoder.spectrogram(torch.stack([sound.mono for sound in sounds]), self.config.sample_rate)
        tokens = both(lambda mels: segment_tokens(encoder, mels.to(device, encoder.dtype)), mel, silence, lacks_audio)
        mask = segment_mask(self.config.num_frames, encoder.grid, window=self.config.segment_window)
        return tokens, mask.to(device)

    def _denoise(self, network: ClipNetwork, guidance: TextAudioGuidance, settings: Settings) -> Tensor:
        """Latents (b, t - 1, c, h, w) of the frames after the first."""
        first, kind = network.first, self.unet.config.prediction_type
        shape = (len(first), settings.num_frames - 1, *first.shape[2:])
        noise = draw_noise(shape, settings.generator) if settings.latents is None else settings.latents
        scheduler = self._scheduler_for(self.unet)
        return denoise(
            network,
            noise.to(first) * scheduler.init_noise_sigma,
            scheduler,
            settings.num_inference_steps,
            guidance=guidance.at(torch.arange(1, settings.num_frames)),
            condition_latents=first.expand(shape) if kind == "residual" else None,
            prediction_type=kind,
            generator=settings.generator,
            batched=settings.batched_guidance,
            callback_on_step_end=settings.report("frames"),
        )


class ClipNetwork:
    """``predict`` of :func:`asva_unet.denoise` for the frames after the first, which goes along clean.

    Args:
        unet: The network.
        first: (b, 1, c, h, w) latents of the first frame.
        text: (b, n, d) text tokens, given (True) and left out (False).
        audio: (b, n, d) audio tokens likewise; None in a network without sound.
        mask: (t, n) what each frame attends to.
    """

    def __init__(
        self,
        unet: AVSyncDUNet,
        first: Tensor,
        text: dict[bool, Tensor],
        audio: dict[bool, Tensor | None],
        mask: Tensor | None,
    ) -> None:
        self.unet, self.first, self.text, self.audio, self.mask = unet, first, text, audio, mask
        self.dtype = unet.dtype  # asked once: diffusers walks through all modules for it
        self._encoded: dict[tuple[str, ...], AVSyncDConditions] = {}

    def __call__(self, sample: Tensor, timestep: Tensor, branches: tuple[str, ...]) -> Tensor:
        """Answer for the named branches, laid one behind the other along the batch."""
        if branches not in self._encoded:
            onload(self.unet)
            self._encoded[branches] = AVSyncDConditions.cat([self._conditions(branch) for branch in branches])
        first = self.first.repeat(len(branches), 1, 1, 1, 1)
        clip = torch.cat([first, sample[:, :, : first.shape[2]].to(first)], dim=1)
        answer = self.unet(clip.to(self.dtype), timestep, conditions=self._encoded[branches], return_dict=False)[0]
        return answer[:, 1:].float()

    def _conditions(self, branch: str) -> AVSyncDConditions:
        with_text, with_audio = BRANCHES[branch]
        audio = self.audio[with_audio]
        return self.unet.encode_conditions(
            self.text[with_text].to(self.dtype), None if audio is None else audio.to(self.dtype), self.mask
        )
