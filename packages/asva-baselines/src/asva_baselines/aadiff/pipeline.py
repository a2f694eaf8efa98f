"""AADiff: the sound's loudness stresses words of the prompt, without training (AADiff, arXiv 2305.04001, section 3).

The baseline row as AVSyncD's authors also re-made it, for its code was not released. What the paper does not say is
ours: attention is re-weighted as in Prompt-to-Prompt (arXiv 2208.01626, section 4); the word is the one that CLAP finds
most like the sound, the region where the words are attended to. Both are left out by default, as is null-text inversion
(`inversion="null-text"`), which the paper names: by default a given first frame is found again by DDIM inversion whose
drift is put right at each step (as in arXiv 2310.01506), so that it is exact under any guidance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

from asva_baselines.aadiff.null_text import NullTextNetwork, learn_null_texts
from asva_baselines.aadiff.region import WordRegion
from asva_baselines.aadiff.stress import StressedNetwork, invert
from asva_baselines.aadiff.words import heard_word, word_places
from asva_pipelines.amplitude import frame_amplitude
from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.inputs import Sound
from asva_pipelines.settings import OWN, TextAudioSampling
from asva_unet import denoise
from asva_unet.pixels import latent_shape
from asva_unet.text_audio import BRANCHES, TextAudioGuidance


@dataclass(kw_only=True)
class AADiffSampling(TextAudioSampling):
    """What the call takes; `latents` are (b, 1, c, h, w), which all frames share, and not with a picture.

    Attributes:
        words: Those of the prompt that the sound stresses, in every prompt; None is all.
        clap: Folder of transformers' ClapModel: stresses the word of each prompt that sounds most like its sound.
        region: The picture changes only where attention to the words is above this share of its greatest; 0 to 1, and
            None is everywhere.
        inversion: How a picture is found again: ``"corrected"``, or ``"null-text"``, which learns at each step.
        fps: Frames per second; the video stays as long as it is.
        smoothing: Frames over which loudness is averaged, odd.
        amplitude: (t,) loudness of each frame instead of the sound's: 1 stresses words as the loudest moment does.
    """

    words: Sequence[str] | None = None
    clap: str | Path | None = None
    region: float | None = None
    inversion: str = OWN
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
        inversion: str = "corrected",
        vae_sample: str = "mode",
        num_inference_steps: int = 50,
        text_guidance_scale: int | float = 7.5,
        audio_guidance_scale: int | float = 3.0,
    ) -> None:
        super().__init__()

    def check(self, settings: AADiffSampling, images: list, audios: list) -> None:
        """As of every pipeline; the noise of a picture is found, not given."""
        super().check(settings, images, audios)
        if settings.sampler not in ("own", "ddim"):
            raise ValueError(f"`sampler` must be ddim, by which a picture's noise is found, got {settings.sampler}.")
        if settings.latents is not None and (images[0] is not None or settings.latents.shape[1] != 1):
            raise ValueError("`latents` must have shape (b, 1, c, h, w) and stand alone: those of `image` are found.")
        if settings.words is not None and settings.clap is not None:
            raise ValueError("`words` must not be given beside `clap`, which finds them.")
        if settings.region is not None and not 0.0 <= settings.region < 1.0:
            raise ValueError(f"`region` must lie between 0 and 1, got {settings.region}.")
        if settings.inversion not in ("corrected", "null-text"):
            raise ValueError(f"`inversion` must be corrected or null-text, got {settings.inversion}.")

    def make(self, clips: Clips, settings: AADiffSampling) -> dict[str, Any]:
        """All frames from the same noise, that of the picture where there is one."""
        guidance = TextAudioGuidance(text=settings.text_guidance_scale)
        sounds = [None] * len(clips.sounds) if settings.no_audio else clips.sounds
        places, stress = self._stress(clips.prompts, sounds, settings)
        text = self._text_tokens(clips.prompts, not all(BRANCHES[branch][0] for branch in guidance.branches))
        calm = torch.ones_like(stress[:, :1])
        if clips.pixels is not None:
            stress = torch.cat([calm, stress[:, 1:]], dim=1)  # the picture itself
        elif settings.region is not None:
            stress = torch.cat([calm, stress], dim=1)  # what stays of it is left out at the end
        device = self._execution_device
        region = None if settings.region is None else WordRegion(places.to(device), settings.region)
        network = StressedNetwork(self.unet, text, stress.to(device), region)
        first = None if clips.pixels is None else self._encode_frames(clips.pixels[:, None], settings)
        shape = latent_shape(self.vae, (settings.height, settings.width))
        latents = self._denoise(network, first, shape, guidance, settings)
        return {"frames": self._finish(latents[:, -self._count_frames(settings.fps) :], settings)}

    def _stress(
        self, prompts: list[str], sounds: Sequence[Sound | None], settings: AADiffSampling
    ) -> tuple[Tensor, Tensor]:
        """(b, n) which tokens are stressed, and (b, t, n) what attention to each is multiplied by in each frame."""
        num_frames = self._count_frames(settings.fps)
        scale = torch.as_tensor(settings.audio_guidance_scale, dtype=torch.float32).expand(num_frames)
        if not ((scale >= 0) & (scale <= 100)).all():
            raise ValueError(f"`audio_guidance_scale` must be between 0 and 100, got {settings.audio_guidance_scale}.")
        length = min(self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings)
        chosen, rows = [], []
        for prompt, sound in zip(prompts, sounds, strict=True):
            words = settings.words
            if settings.clap is not None and sound is not None:
                words = [heard_word(settings.clap, prompt, sound.mono, self.config.sample_rate)]
            chosen.append(word_places(self.tokenizer, prompt, words, length).float())
            rows.append(1.0 + ((scale - 1.0) * self._loud(sound, num_frames, settings))[:, None] * chosen[-1])
        return torch.stack(chosen), torch.stack(rows)

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
        scheduler: Any = DDIMScheduler.from_config(self.scheduler.config, clip_sample=False, thresholding=False)
        b, t = network.stress.shape[:2]
        predict, trail = network, None
        if first is None:
            noise = self._noise(b, 1, settings)
        else:
            calm, report = network.calm(), settings.report("inversion")
            trail = invert(calm, first, scheduler, settings.num_inference_steps, report)
            noise = trail[-1]
            if settings.inversion == "null-text" and len(guidance.branches) > 1:
                found = learn_null_texts(calm, trail, scheduler, settings.text_guidance_scale, report)
                predict, trail = NullTextNetwork(network, found), None

        def correct(step: int, latents: Tensor, *_: Any) -> Tensor:
            if trail is not None:
                latents = latents + (trail[-2 - step] - latents[:, :1])
            return latents if network.region is None else network.region.keep(latents)

        return denoise(
            predict,
            noise.to(self._execution_device).expand(b, t, *shape),
            scheduler,
            settings.num_inference_steps,
            guidance=guidance,
            prediction_type=scheduler.config["prediction_type"],
            after_step=correct,
            **settings.steps("frames"),
        )
