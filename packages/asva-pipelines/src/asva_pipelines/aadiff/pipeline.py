"""AADiff: the sound's loudness stresses words of the prompt, without training (AADiff, arXiv 2305.04001, section 3).

The baseline row as AVSyncD's authors also re-made it, for its code was not released. What differs from the paper:

- the words are given, or all of the prompt; the paper finds them by comparing sound and words with CLAP;
- attention is re-weighted over the whole picture, as in Prompt-to-Prompt (arXiv 2208.01626, section 4); the paper also
  confines the change to the region where the words are attended to;
- a given first frame is found again by DDIM inversion whose drift is put right at each step (as in arXiv 2310.01506),
  so that it is exact under any guidance; the paper names null-text inversion, an optimisation per picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

from asva_pipelines.aadiff.amplitude import frame_amplitude, word_places
from asva_pipelines.aadiff.stress import StressedNetwork, invert
from asva_pipelines.avsyncd.text_audio import BRANCHES, TextAudioGuidance
from asva_pipelines.base import Callback, VideoPipeline
from asva_pipelines.inputs import Sound, as_batch, read_picture
from asva_pipelines.output import VideoOutput
from asva_pipelines.settings import Settings, check_settings
from asva_unet import denoise, draw_noise
from asva_unet.pixels import latent_shape


class AADiffPipeline(VideoPipeline):
    """A prompt, a sound and, if wanted, a picture become a video, with Stable Diffusion and nothing else.

    Every frame starts from the same noise and is made on its own. Attention to the prompt's words grows with the
    loudness of the frame's piece of sound, so that what they name is stronger where it is loud. Any Stable Diffusion
    1.x folder of diffusers can be read: ``AADiffPipeline.from_pretrained(folder)``.

    Args:
        vae: Frames to latents and back.
        tokenizer: Of the prompt.
        text_encoder: Of the prompt.
        unet: Stable Diffusion's.
        scheduler: Its noise schedule; sampling is DDIM's whichever it is.
        num_frames: Frames of the video.
        fps: Frames per second of the video.
        height: Of the video, in pixels, unless the call says otherwise.
        width: Of the video, in pixels, unless the call says otherwise.
        sample_rate: Hertz at which loudness is measured.
        smoothing: Frames over which loudness is averaged, odd.
        vae_sample: `"mode"` of the posterior or a `"sample"` of it.
        num_inference_steps: Steps.
        text_guidance_scale: 1 is none.
        audio_guidance_scale: By what attention to the words is multiplied where the sound is loudest; 1 is none.
    """

    model_cpu_offload_seq = "text_encoder->unet->vae"

    def __init__(
        self,
        vae: AutoencoderKL,
        tokenizer: Any,
        text_encoder: CLIPTextModel,
        unet: UNet2DConditionModel,
        scheduler: Any,
        num_frames: int = 12,
        fps: int | float = 6,
        height: int = 512,
        width: int = 512,
        sample_rate: int = 16000,
        smoothing: int = 3,
        vae_sample: str = "mode",
        num_inference_steps: int = 50,
        text_guidance_scale: int | float = 7.5,
        audio_guidance_scale: int | float = 3.0,
    ) -> None:
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        super().__init__()
        modules = ("vae", "tokenizer", "text_encoder", "unet", "scheduler")
        self.register_modules(**{name: given.pop(name) for name in modules})
        self.register_to_config(**given)

    @torch.no_grad()
    def __call__(
        self,
        image: Any = None,
        audio: Any = None,
        prompt: str | Sequence[str] = "",
        *,
        words: Sequence[str] | None = None,
        sample_rate: int | None = None,
        height: int | None = None,
        width: int | None = None,
        fps: float | None = None,
        smoothing: int | None = None,
        amplitude: Any = None,
        num_inference_steps: int | None = None,
        text_guidance_scale: float | None = None,
        audio_guidance_scale: float | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
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
                None lets the prompt make all frames.
            audio: Sound: a path, an :class:`asva_audio.Audio`, samples (s,) or (c, s); or a list. None is no sound.
            prompt: What is seen and done; or a list. It must hold words.
            words: Those of the prompt that the sound stresses, in every prompt; None is all.
            sample_rate: Of `audio` in hertz where it is given as samples.
            height: Pixels.
            width: Pixels.
            fps: Frames per second; the video stays as long as it is.
            smoothing: Frames over which loudness is averaged, odd.
            amplitude: (t,) loudness of each frame instead of the sound's: 1 stresses words as the loudest moment does.
            num_inference_steps: Steps.
            text_guidance_scale: 1 is none.
            audio_guidance_scale: By what attention to the words is multiplied where the sound is loudest; a number,
                or (t,) of each frame.
            generator: CPU generator, or one per sample. The same one gives the same video.
            latents: (b, 1, c, h, w) initial noise, which all frames share; not with `image`, whose noise is found.
            vae_sample: `"sample"` or `"mode"`.
            no_audio: Leave the sound out (a control): nothing then moves.
            batched_guidance: Evaluate both guidance branches at once: more memory, faster on a large GPU.
            decode_chunk_size: Frames decoded at once.
            output_type: `"np"` (uint8), `"pt"` (float in [0, 1], (t, 3, h, w)), `"pil"` or `"latent"`.
            callback_on_step_end: ``callback(stage, step, num_steps, latents)`` with stage `"inversion"`, `"frames"` or
                `"decode"`.

        Returns:
            The video.

        Raises:
            ValueError: If an argument cannot be used.
        """
        settings = Settings(self, locals())
        settings.num_frames = self._count_frames(settings.fps)
        images, audios, prompts, single = as_batch(image=image, audio=audio, prompt=prompt)
        self._check_sounds(audios)
        self._check_pictures(images, settings)
        size = (settings.height, settings.width)
        shape = latent_shape(self.vae, size)
        # The U-Net itself takes any size.
        check_settings(settings, len(images), shape, 2 ** (len(self.vae.config.block_out_channels) - 1))
        guidance = TextAudioGuidance(text=settings.text_guidance_scale)
        sounds = [self._read_sound(entry, sample_rate) for entry in audios]
        stress = self._stress(prompts, [None] * len(sounds) if no_audio else sounds, settings)
        pixels = None if image is None else torch.stack([read_picture(entry, size) for entry in images])
        with self._ready():
            lacks_text = not all(BRANCHES[branch][0] for branch in guidance.branches)
            text = self._text_tokens(prompts, lacks_text)
            if pixels is not None:
                stress[:, 0] = 1.0  # the picture itself
            network = StressedNetwork(self.unet, text, stress.to(self._execution_device))
            first = None if pixels is None else self._encode_frames(pixels[:, None], settings)
            latents = self._denoise(network, first, shape, guidance, settings)
            frames = self._finish(latents, settings, callback_on_step_end)
        return VideoOutput.of(sounds, settings.fps, single=single, frames=frames)

    @staticmethod
    def _check_pictures(images: list, settings: Settings) -> None:
        if any(entry is None for entry in images) and not all(entry is None for entry in images):
            raise ValueError("`image` must be given for every sample or for none, got some of each.")
        if settings.latents is not None and (images[0] is not None or settings.latents.shape[1] != 1):
            raise ValueError("`latents` must have shape (b, 1, c, h, w) and stand alone: those of `image` are found.")

    def _stress(self, prompts: list[str], sounds: Sequence[Sound | None], settings: Settings) -> Tensor:
        """(b, t, n) what attention to each token is multiplied by in each frame."""
        scale = torch.as_tensor(settings.audio_guidance_scale, dtype=torch.float32).expand(settings.num_frames)
        if not ((scale >= 0) & (scale <= 100)).all():
            raise ValueError(f"`audio_guidance_scale` must be between 0 and 100, got {settings.audio_guidance_scale}.")
        length = min(self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings)
        rows = []
        for prompt, sound in zip(prompts, sounds, strict=True):
            places = word_places(self.tokenizer, prompt, settings.words, length).float()
            rows.append(1.0 + ((scale - 1.0) * self._loud(sound, settings))[:, None] * places)
        return torch.stack(rows)

    @staticmethod
    def _loud(sound: Sound | None, settings: Settings) -> Tensor:
        """(t,) loudness of each frame: that given, or that of the sound."""
        if sound is None:
            return torch.zeros(settings.num_frames)
        if settings.amplitude is None:
            return frame_amplitude(sound.mono, settings.num_frames, smoothing=settings.smoothing)
        loud = torch.as_tensor(settings.amplitude, dtype=torch.float32)
        if loud.shape != (settings.num_frames,) or not loud.isfinite().all():
            raise ValueError(f"`amplitude` must be {settings.num_frames} finite numbers, got {tuple(loud.shape)}.")
        return loud

    def _denoise(
        self,
        network: StressedNetwork,
        first: Tensor | None,
        shape: tuple[int, int, int],
        guidance: TextAudioGuidance,
        settings: Settings,
    ) -> Tensor:
        """Latents (b, t, c, h, w) of all frames."""
        scheduler = DDIMScheduler.from_config(self.scheduler.config, clip_sample=False, thresholding=False)
        b, t = network.stress.shape[:2]
        correct: Callable[..., Tensor] | None = None
        if first is None:
            noise = draw_noise((b, 1, *shape), settings.generator) if settings.latents is None else settings.latents
        else:
            trail = invert(network.calm(), first, scheduler, settings.num_inference_steps, settings.report("inversion"))
            noise = trail[-1]

            def correct(step: int, latents: Tensor, *_: Any) -> Tensor:
                return latents + (trail[-2 - step] - latents[:, :1])

        return denoise(
            network,
            noise.to(self._execution_device).expand(b, t, *shape),
            scheduler,
            settings.num_inference_steps,
            guidance=guidance,
            prediction_type=scheduler.config.prediction_type,
            batched=settings.batched_guidance,
            after_step=correct,
            callback_on_step_end=settings.report("frames"),
        )
