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
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

from asva_pipelines.aadiff.amplitude import frame_amplitude, word_places
from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.inputs import Sound
from asva_pipelines.settings import OWN, TextAudioSampling
from asva_unet import denoise, draw_noise
from asva_unet.pixels import latent_shape
from asva_unet.stress import StressedNetwork, invert
from asva_unet.text_audio import BRANCHES, TextAudioGuidance


@dataclass(kw_only=True)
class AADiffSampling(TextAudioSampling):
    """What the call takes; `latents` are (b, 1, c, h, w), which all frames share, and not with a picture.

    Attributes:
        words: Those of the prompt that the sound stresses, in every prompt; None is all.
        fps: Frames per second; the video stays as long as it is.
        smoothing: Frames over which loudness is averaged, odd.
        amplitude: (t,) loudness of each frame instead of the sound's: 1 stresses words as the loudest moment does.
    """

    words: Sequence[str] | None = None
    fps: float = OWN
    smoothing: int = OWN
    amplitude: Any = None


class AADiffPipeline(VideoPipeline):
    """A prompt, a sound and, if wanted, a picture become a video, with Stable Diffusion and nothing else.

    Every frame starts from the same noise and is made on its own. Attention to the prompt's words grows with the
    loudness of the frame's piece of sound, so that what they name is stronger where it is loud. Any Stable Diffusion
    1.x folder of diffusers can be read: ``AADiffPipeline.from_pretrained(folder)``. Without a picture the prompt, which
    must hold words, makes all frames. Arguments that are not named here: :class:`VideoPipeline`.

    Args:
        unet: Stable Diffusion's.
        scheduler: Its noise schedule; sampling is DDIM's whichever it is.
        audio_guidance_scale: By what attention to the words is multiplied where the sound is loudest; 1 is none.
    """

    arguments = AADiffSampling
    needs_picture = False
    model_cpu_offload_seq = "text_encoder->unet->vae"

    @registered
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
        super().__init__()

    def check(self, settings: AADiffSampling, images: list, audios: list) -> None:
        """As of every pipeline; the noise of a picture is found, not given."""
        super().check(settings, images, audios)
        if settings.latents is not None and (images[0] is not None or settings.latents.shape[1] != 1):
            raise ValueError("`latents` must have shape (b, 1, c, h, w) and stand alone: those of `image` are found.")

    def make(self, clips: Clips, settings: AADiffSampling) -> dict[str, Any]:
        """All frames from the same noise, that of the picture where there is one."""
        guidance = TextAudioGuidance(text=settings.text_guidance_scale)
        sounds = [None] * len(clips.sounds) if settings.no_audio else clips.sounds
        stress = self._stress(clips.prompts, sounds, settings)
        text = self._text_tokens(clips.prompts, not all(BRANCHES[branch][0] for branch in guidance.branches))
        if clips.pixels is not None:
            stress[:, 0] = 1.0  # the picture itself
        network = StressedNetwork(self.unet, text, stress.to(self._execution_device))
        first = None if clips.pixels is None else self._encode_frames(clips.pixels[:, None], settings)
        shape = latent_shape(self.vae, (settings.height, settings.width))
        return {"frames": self._finish(self._denoise(network, first, shape, guidance, settings), settings)}

    def _stress(self, prompts: list[str], sounds: Sequence[Sound | None], settings: AADiffSampling) -> Tensor:
        """(b, t, n) what attention to each token is multiplied by in each frame."""
        num_frames = self._count_frames(settings.fps)
        scale = torch.as_tensor(settings.audio_guidance_scale, dtype=torch.float32).expand(num_frames)
        if not ((scale >= 0) & (scale <= 100)).all():
            raise ValueError(f"`audio_guidance_scale` must be between 0 and 100, got {settings.audio_guidance_scale}.")
        length = min(self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings)
        rows = []
        for prompt, sound in zip(prompts, sounds, strict=True):
            places = word_places(self.tokenizer, prompt, settings.words, length).float()
            rows.append(1.0 + ((scale - 1.0) * self._loud(sound, num_frames, settings))[:, None] * places)
        return torch.stack(rows)

    @staticmethod
    def _loud(sound: Sound | None, num_frames: int, settings: AADiffSampling) -> Tensor:
        """(t,) loudness of each frame: that given, or that of the sound."""
        if sound is None:
            return torch.zeros(num_frames)
        if settings.amplitude is None:
            return frame_amplitude(sound.mono, num_frames, smoothing=settings.smoothing)
        loud = torch.as_tensor(settings.amplitude, dtype=torch.float32)
        if loud.shape != (num_frames,) or not loud.isfinite().all():
            raise ValueError(f"`amplitude` must be {num_frames} finite numbers, got {tuple(loud.shape)}.")
        return loud

    def _denoise(
        self,
        network: StressedNetwork,
        first: Tensor | None,
        shape: tuple[int, int, int],
        guidance: TextAudioGuidance,
        settings: AADiffSampling,
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
            prediction_type=scheduler.config["prediction_type"],
            guidance_range=settings.guidance_range,
            batched=settings.batched_guidance,
            after_step=correct,
            callback_on_step_end=settings.report("frames"),
        )
