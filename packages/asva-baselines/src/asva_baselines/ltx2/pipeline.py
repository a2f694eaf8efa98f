"""LTX-2 from sound to video: the sound's latents are held while those of the video are made of noise.

Two stages, as its authors run it: half the size, twice as large by a network for latents, and a short second one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from asva_audio import load_audio
from asva_baselines.ltx2.network import predict_clean
from asva_baselines.ltx2.sampling import denoise
from asva_baselines.ltx2.settings import LTX2Sampling, Stage
from asva_baselines.ltx2.sound import latent_rate, sound_tokens
from asva_baselines.ltx2.tokens import VideoTokens, denormalise, normalise
from asva_baselines.ltx2.versions import (
    DISTILLED_ADAPTER,
    check_versions,
    distilled_loras,
    set_distilled,
    skipped_block,
)
from asva_baselines.ltx2.words import Words, read_words
from asva_pipelines.base import Clips, VideoPipeline, registered
from asva_pipelines.inputs import Sound, per_sample
from asva_pipelines.loading.placement import read_network
from asva_pipelines.mtv.frames import read_given
from asva_unet import draw_noise
from asva_unet.pixels import to_frames, to_pixels
from asva_weights import read_checkpoint

if TYPE_CHECKING:  # not of the oldest diffusers that the package takes
    from diffusers import AutoencoderKLLTX2Audio, AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
    from diffusers.pipelines.ltx2.connectors import LTX2TextConnectors
    from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel


class LTX2AudioToVideoPipeline(VideoPipeline):
    """A sound, words and perhaps pictures become a video. Arguments not named: :class:`VideoPipeline`.

    Args:
        text_encoder: Gemma, all of whose layers are read.
        connectors: Of those to what the transformer reads.
        audio_vae: Spectrogram to latents.
        transformer: Of video and sound together.
        latent_upsampler: Latents of the first stage to twice their size; without it there is one stage.
        num_frames: Of a video unless the call says otherwise.
        max_sequence_length: Tokens of a prompt.
    """

    arguments = LTX2Sampling
    needs_picture = False
    _optional_components: ClassVar[list[str]] = ["latent_upsampler"]
    model_cpu_offload_seq = "text_encoder->connectors->audio_vae->transformer->latent_upsampler->vae"

    @registered
    def __init__(
        self,
        vae: AutoencoderKLLTX2Video,
        tokenizer: Any,
        text_encoder: Any,
        connectors: LTX2TextConnectors,
        audio_vae: AutoencoderKLLTX2Audio,
        transformer: LTX2VideoTransformer3DModel,
        latent_upsampler: LTX2LatentUpsamplerModel | None = None,
        num_frames: int = 121,
        fps: int | float = 24,
        height: int = 1024,
        width: int = 1536,
        sample_rate: int = 16000,
        route: str = "distilled",
        text_guidance_scale: int | float = 3.0,
        audio_guidance_scale: int | float = 3.0,
        stg_scale: int | float = 1.0,
        guidance_rescale: int | float = 0.7,
        max_sequence_length: int = 1024,
    ) -> None:
        super().__init__()
        check_versions(transformer, vae, audio_vae, connectors, latent_upsampler)

    @classmethod
    def from_pretrained(cls, model: Any, **kwargs: Any) -> Self:
        """As of every pipeline; what the released folders hold and their index does not name is taken too."""
        if tuple(int(part) for part in version("diffusers").split(".")[:2]) < (0, 42):
            raise ValueError(f"`diffusers` must be 0.42 or newer for LTX-2, got {version('diffusers')}.")
        from diffusers.loaders import LTX2LoraLoaderMixin
        from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel

        folder = Path(os.fspath(model))
        if (folder / "latent_upsampler/config.json").is_file() and "latent_upsampler" not in kwargs:
            dtype = kwargs.get("dtype", kwargs.get("torch_dtype", torch.float32))
            kwargs["latent_upsampler"] = read_network(LTX2LatentUpsamplerModel, folder / "latent_upsampler", dtype)
        pipeline = super().from_pretrained(model, **kwargs)
        for file in distilled_loras(folder):
            state = LTX2LoraLoaderMixin.lora_state_dict(str(folder), weight_name=file.name)
            pipeline.transformer.load_lora_adapter(state, adapter_name=DISTILLED_ADAPTER)
        return pipeline

    @classmethod
    def further_weights(cls, folder: Path) -> dict[str, int]:
        """Those of the distilled LoRA."""
        return {
            "transformer": sum(
                one.numel() for file in distilled_loras(folder) for one in read_checkpoint(file).values()
            )
        }

    @property
    def _multiple(self) -> int:
        return self.vae.spatial_compression_ratio * (1 if self.latent_upsampler is None else 2)

    def check(self, settings: LTX2Sampling, images: list, audios: list) -> None:
        """As of every pipeline; a length that the network knows."""
        settings.complete(self.transformer)
        super().check(settings, images, audios)
        longest = self.transformer.config.pos_embed_max_pos
        if not self._shortest <= settings.seconds <= longest:
            raise ValueError(
                f"`num_frames` must last from {self._shortest:g} s, a latent of the sound, to {longest} s, which the "
                f"network knows, got {settings.num_frames} at {settings.fps:g} per second."
            )

    @property
    def _shortest(self) -> float:
        return 1 / latent_rate(self.audio_vae)

    def _seconds(self, settings: LTX2Sampling) -> float:
        return settings.seconds

    def _read_sound(self, audio: Any, sample_rate: int | None, seconds: float) -> Sound | None:
        if isinstance(audio, str | os.PathLike):
            audio = load_audio(audio, sample_rate=None, mono=False, duration=seconds)
        sound = super()._read_sound(audio, sample_rate, seconds)
        if sound is not None:
            samples: Any = getattr(audio, "waveform", audio)
            got, shortest = samples.shape[-1] / sound.sample_rate, self._shortest
            if got < shortest:
                raise ValueError(f"`audio` must last at least {shortest:g} s, a latent of the sound, got {got:.3g} s.")
        return sound

    def make(self, clips: Clips, settings: LTX2Sampling) -> dict[str, Any]:
        """One video after the other."""
        videos: list[Any] = []
        for place, (prompt, sound) in enumerate(zip(clips.prompts, clips.sounds, strict=True)):
            picture = None if clips.pixels is None else clips.pixels[place]
            latents = self._latents(picture, prompt, sound, settings, per_sample(settings.generator, place))
            videos.extend(self._decode(latents, settings))
        return {"frames": videos}

    def _latents(
        self, picture: Tensor | None, prompt: str, sound: Sound | None, settings: LTX2Sampling, generator: Any
    ) -> Tensor:
        """(1, c, t, h, w) of a video, as the transformer has them."""
        hears = sound is not None and not settings.no_audio
        stages = settings.stages(self.transformer, self.latent_upsampler is not None, hears)
        pictures = self._pictures(picture, settings)
        passes = self._passes(prompt, settings, hears)
        made = (self._latent_frames(settings) - 1) * self.vae.temporal_compression_ratio + 1
        waveform, rate = (sound.waveform, sound.sample_rate) if hears else (torch.zeros(2, 1), self.config.sample_rate)
        heard = sound_tokens(self.audio_vae, waveform, rate, made / settings.fps, self._execution_device)
        return self._denoise(stages, pictures, heard, passes, settings, generator)

    def _denoise(
        self,
        stages: Sequence[Stage],
        pictures: Mapping[int, Tensor],
        heard: Tensor,
        passes: Mapping[str, Mapping[str, Any]],
        settings: LTX2Sampling,
        generator: Any,
    ) -> Tensor:
        """Latents of the last stage."""
        device, factor = self._execution_device, self.vae.spatial_compression_ratio
        latents: Any = None
        tell, steps = settings.report("frames"), sum(len(stage.sigmas) - 1 for stage in stages)
        count = iter(range(steps))
        for stage in stages:
            size = settings.height // stage.shrink, settings.width // stage.shrink
            grid = self._latent_frames(settings), size[0] // factor, size[1] // factor
            shape = 1, self.vae.config.latent_channels, *grid
            given = {frame: self._encode(one, size) for frame, one in pictures.items()}
            video = VideoTokens.of(self.transformer.rope, shape, settings.fps, given, settings.image_strength, device)
            noise = partial(draw_noise, video.clean.shape, generator, device=device)

            def predict(tokens: Tensor, sigma: Tensor, stage: Stage = stage, video: VideoTokens = video) -> Tensor:
                return stage.guidance(
                    lambda name: predict_clean(self.transformer, tokens, sigma, video, heard, **passes[name])
                )

            set_distilled(self.transformer, stage.distilled)
            before = None if latents is None else self._twice_as_large(latents)
            tokens = denoise(
                predict,
                video.begin(noise(), float(stage.sigmas[0]), before),
                video,
                stage.sigmas,
                skip_steps=settings.skip_steps if stage.guidance.weights else 0,
                noise=noise if stage.ancestral else None,
                report=None if tell is None else lambda made: tell(next(count), steps, made),
            )
            latents = video.latents(tokens)
        return latents

    def _latent_frames(self, settings: LTX2Sampling) -> int:
        """A lone first frame, and then as many as are needed."""
        return -(-(settings.num_frames - 1) // self.vae.temporal_compression_ratio) + 1

    def _pictures(self, picture: Tensor | None, settings: LTX2Sampling) -> dict[int, Tensor]:
        """(3, h, w) in [-1, 1] by their frame, compressed as those of the training were."""
        from diffusers.pipelines.ltx2.utils import apply_image_conditioning_crf

        size = settings.height, settings.width
        given = read_given(picture, settings.frames, settings.num_frames, settings.fps, size)
        seen = {
            frame: apply_image_conditioning_crf(to_frames(one).numpy(), settings.image_crf)
            for frame, one in given.items()
        }
        return {frame: to_pixels(torch.from_numpy(one)) for frame, one in seen.items()}

    def _encode(self, picture: Tensor, size: tuple[int, int]) -> Tensor:
        """Latents (1, c, 1, h, w) of a picture in a size."""
        pixels = F.interpolate(picture[None], size, mode="bilinear", antialias=True)
        latents = self.vae.encode(pixels[:, :, None].to(self._execution_device, self.vae.dtype)).latent_dist.mode()
        return normalise(self.vae, latents.float())

    def _twice_as_large(self, latents: Tensor) -> Tensor:
        raw = denormalise(self.vae, latents).to(self.latent_upsampler.dtype)
        return normalise(self.vae, self.latent_upsampler(raw).float())

    def _passes(self, prompt: str, settings: LTX2Sampling, hears: bool) -> dict[str, dict[str, Any]]:
        """What the network is given in each pass of the guidance."""
        prompts = [prompt] if settings.route == "distilled" else [prompt, settings.negative_prompt]
        length, device = self.config.max_sequence_length, self._execution_device
        words, *others = read_words(self.tokenizer, self.text_encoder, self.connectors, prompts, length, device)
        negative = Words(others[0].video if others else words.video, words.audio, words.mask)
        blocks = [skipped_block(self.transformer)]
        return {
            "full": {"words": words, "isolated": not hears},
            "no_text": {"words": negative, "isolated": not hears},
            "no_attention": {"words": words, "isolated": not hears, "skipped": blocks},
            "no_audio": {"words": words, "isolated": True},
        }

    def _decode(self, latents: Tensor, settings: LTX2Sampling) -> Any:
        """Frames of the wanted type, (1, t, ...); raw latents (1, t, c, h, w) of all that was made."""
        raw = denormalise(self.vae, latents)
        if settings.output_type == "latent":
            return raw.transpose(1, 2).cpu()
        if (tell := settings.report("decode")) is not None:
            tell(0, 1, raw)
        raw = raw.to(self.vae.dtype)
        time = raw.new_zeros(1) if self.vae.config.timestep_conditioning else None
        pixels = self.vae.decode(raw, time, return_dict=False)[0].float().transpose(1, 2)
        return self.as_frames(pixels[:, : settings.num_frames], settings.output_type)
