"""TPoS: five moments of a sound as words, which pull the pictures that a prompt or a picture begins.

TPoS, arXiv 2309.04509, section 3. No layer sees two frames: they share their first noise, and neighbouring moments
sound alike. The original's safety checker and watermark are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

from asva_baselines.tpos.contexts import between_moments, sound_contexts
from asva_baselines.tpos.encoder import TPoSAudioEncoder, TPoSMapper
from asva_baselines.tpos.sampling import Edits, Grid, sample_ddim, sample_plms, start_from_picture
from asva_baselines.tpos.spectrogram import draw_places, even_segments, placed_segments, spectrogram
from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.inputs import per_sample
from asva_pipelines.settings import OWN, Denoising


@dataclass(kw_only=True)
class TPoSSampling(Denoising):
    """What the call takes.

    Attributes:
        num_inference_steps: Steps.
        text_guidance_scale: 1 is none; None is the model's, for a prompt or for a picture.
        audio_guidance_scale: How much the sound pulls: a number, or one for each frame.
        audio_gain: What the sound's words are made of is multiplied by this; None as for the text's.
        threshold: Share of a channel's places where the sound does not pull.
        edit_below: Time step from which on it does.
        strength: Share of the steps that a picture is noised by, one of them at least.
        concept: Words that pull like the sound.
        segments: ``"official"`` puts the sound anywhere on ten seconds, at random; ``"even"`` cuts it into five.
        fps: Frames per second; the video stays as long as it is.
        latents: (b, 1, c, h, w) noise of all frames.
    """

    num_inference_steps: int = OWN
    text_guidance_scale: float | None = None
    audio_guidance_scale: float | Tensor = OWN
    audio_gain: float | None = None
    threshold: float = OWN
    edit_below: int = OWN
    strength: float = OWN
    concept: str = ""
    segments: str = OWN
    fps: float = OWN
    latents: Tensor | None = None


class TPoSPipeline(VideoPipeline):
    """A sound, and a prompt or a picture or both, become a video. Arguments not named: :class:`VideoPipeline`.

    Defaults are those of the original's scripts; its pictures have no rate, and get that of the field's clips.

    Args:
        unet: Stable Diffusion's.
        scheduler: Whose ``alphas_cumprod`` are the noise levels; the steps are TPoS' own.
        audio_encoder: Hears the five pieces.
        mapper: Makes words of what is heard.
        text_guidance_scales: From a prompt, and from a picture.
        audio_gains: From a prompt, and from a picture.
    """

    arguments = TPoSSampling
    needs_picture = False
    model_cpu_offload_seq = "text_encoder->audio_encoder->mapper->unet->vae"

    @registered
    def __init__(
        self,
        vae: AutoencoderKL,
        tokenizer: Any,
        text_encoder: CLIPTextModel,
        unet: UNet2DConditionModel,
        scheduler: Any,
        audio_encoder: TPoSAudioEncoder,
        mapper: TPoSMapper,
        num_frames: int = 12,
        fps: int | float = 6,
        height: int = 512,
        width: int = 512,
        sample_rate: int = 44100,
        vae_sample: str = "sample",
        num_inference_steps: int = 50,
        text_guidance_scales: tuple[float, float] = (7.5, 5.0),
        audio_guidance_scale: int | float = 4.0,
        audio_gains: tuple[float, float] = (5.0, 20.0),
        threshold: float = 0.85,
        edit_below: int = 800,
        strength: float = 0.75,
        segments: str = "official",
    ) -> None:
        super().__init__()

    def check(self, settings: TPoSSampling, images: list, audios: list) -> None:
        """As of every pipeline; the steps are TPoS' own."""
        super().check(settings, images, audios)
        if settings.sampler != "own" or settings.guidance_range != (0.0, 1.0):
            raise ValueError("`sampler` must be own, and guidance act at every step: TPoS has steps of its own.")
        if settings.segments not in ("official", "even"):
            raise ValueError(f"`segments` must be official or even, got {settings.segments}.")
        if not 0.0 <= settings.threshold <= 1.0:
            raise ValueError(f"`threshold` must be between 0 and 1, got {settings.threshold}.")
        if settings.latents is not None and settings.latents.shape[1] != 1:
            raise ValueError(f"`latents` must have shape (b, 1, c, h, w), got {tuple(settings.latents.shape)}.")
        if not 0.0 < settings.strength < 1.0:
            raise ValueError(f"`strength` must lie between 0 and 1, got {settings.strength}.")

    def make(self, clips: Clips, settings: TPoSSampling) -> dict[str, Any]:
        """Every frame by itself, from the same noise."""
        size, count = len(clips.sounds), self._count_frames(settings.fps)
        grid = Grid(self.scheduler.alphas_cumprod, settings.num_inference_steps)
        noise = self._noise(size, 1, settings).expand(-1, count, -1, -1, -1).flatten(0, 1)
        contexts = self._contexts(clips, count, settings)
        report, dtype = settings.report("frames"), self.unet.dtype

        def predict(latents: Tensor, timestep: int) -> Tensor:
            asked = contexts if timestep < edits.below else contexts[:2]
            groups = [asked] if settings.batched_guidance else [[one] for one in asked]
            answers = [
                self.unet(latents.to(dtype).repeat(len(group), 1, 1, 1), timestep, torch.cat(group).to(dtype)).sample
                for group in groups
            ]
            return torch.cat(answers).float().unflatten(0, (len(asked), -1))

        if clips.pixels is None:
            edits = self._edits(settings, size, count, picture=False)
            latents = sample_plms(predict, noise, grid, edits, report)
        else:
            edits, steps = (
                self._edits(settings, size, count, picture=True),
                max(int(settings.strength * len(grid.timesteps)), 1),
            )
            clean = self._encode_frames(clips.pixels[:, None], settings).expand(-1, count, -1, -1, -1).flatten(0, 1)
            latents = sample_ddim(predict, start_from_picture(clean, noise, grid, steps), grid, edits, steps, report)
        return {"frames": self._finish(latents.unflatten(0, (size, count)), settings)}

    def _edits(self, settings: TPoSSampling, size: int, count: int, *, picture: bool) -> Edits:
        """From a picture concepts pull half as much."""
        scale = torch.as_tensor(settings.audio_guidance_scale, dtype=torch.float32).expand(size, count).flatten()
        given = settings.text_guidance_scale
        return Edits(
            text_guidance_scale=self.config.text_guidance_scales[picture] if given is None else given,
            edit_scale=(scale / (2 if picture else 1))[:, None, None, None].to(self._execution_device),
            threshold=settings.threshold,
            below=settings.edit_below,
        )

    def _contexts(self, clips: Clips, count: int, settings: TPoSSampling) -> list[Tensor]:
        """(b * t, n, d) of no words, of the prompt, of the sound and of a concept, if there are such."""
        size = len(clips.sounds)
        text = self._text_tokens(clips.prompts, True)
        told = [
            text[False],
            text[True],
            *([self._text_tokens([settings.concept], False)[True]] * bool(settings.concept)),
        ]
        nothing, prompt, *concept = [one.expand(size, -1, -1).repeat_interleave(count, dim=0) for one in told]
        if not settings.hears(clips.sounds[0]):
            return [nothing, prompt, *concept]
        heard = self.audio_encoder(self._segments(clips, settings).to(self._execution_device, self.audio_encoder.dtype))
        gain = self.config.audio_gains[clips.pixels is not None] if settings.audio_gain is None else settings.audio_gain
        moments = sound_contexts(self.mapper(heard.weighted * gain), text[False][:1])
        return [nothing, prompt, between_moments(moments, count).flatten(0, 1), *concept]

    def _segments(self, clips: Clips, settings: TPoSSampling) -> Tensor:
        """(b, 5, 128, 153) pieces of the sounds."""
        sounds = [spectrogram(sound.mono) for sound in clips.sounds]
        if settings.segments == "even":
            return torch.stack([even_segments(sound) for sound in sounds])
        generators = (per_sample(settings.generator, place) for place in range(len(sounds)))
        placed = zip(sounds, generators, strict=True)
        return torch.stack([placed_segments(one, draw_places(one.shape[1], generator)) for one, generator in placed])
