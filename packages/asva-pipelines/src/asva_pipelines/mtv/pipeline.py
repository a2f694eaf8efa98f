"""MTV: words, three tracks of sound and frames at any time become a video of any length (MTV, section 4)."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKLCogVideoX, FirstBlockCacheConfig
from torch import Tensor
from transformers import CLIPTextModel, T5EncoderModel, Wav2Vec2Model

from asva_audio import LogMelFrames
from asva_audio.mtv_features import hear_tracks
from asva_audio.stems import TRACKS
from asva_dit import (
    MTVDPMScheduler,
    MTVGuidance,
    MTVPrompt,
    MTVStage,
    MTVTransformer3DModel,
    PatchVideoAutoencoder,
    WindowPlan,
    denoise,
    latent_frames,
    plan_windows,
)
from asva_dit.pixels import decode_video, encode_video, spatial_factor
from asva_dit.prompt import prompt_embeds
from asva_pipelines.base import VideoPipeline, registered
from asva_pipelines.inputs import Sound, as_batch
from asva_pipelines.mtv.frames import fill_slots, read_given
from asva_pipelines.mtv.tracks import Tracks, read_tracks
from asva_pipelines.output import MTVOutput
from asva_pipelines.settings import OWN, Sampling, check_settings
from asva_unet import draw_noise

PREDICTIONS = ("v_prediction", "residual")


@dataclass(kw_only=True)
class MTVSampling(Sampling):
    """What the call takes beside its inputs.

    Attributes:
        num_frames: Frames of the video, any number.
        num_inference_steps: Steps.
        text_guidance_scale: 1 is none.
        audio_guidance_scale: 1 is none.
        sampler: Steps by `"ddim"`, `"unipc"` or `"dpm++"` on the model's own noise levels; `"own"` is its scheduler.
        eta: Noise of each DDIM step, 0 to 1.
        silence: What the weaker side of the guidance hears: `"zeros"` as published, or `"off"`, the network with its
            audio layers left out.
        speech_scale: How much the track adds; 0 leaves its layers out.
        effects_scale: The same of the effects.
        music_scale: The same of the music.
        planner: `"exact"`, or `"official"`, which loses the ends of many lengths.
        no_audio: Leave the sound out (a control).
        batched_guidance: Evaluate all guidance branches at once: more memory, faster on a large GPU.
        guidance_start: Share of the steps, 0 to 1, after which guidance acts; where it does not, a step is one call.
        guidance_stop: Share of the steps after which it acts no more.
        block_cache: Where the first block's answer differs by less than this share from the step before, the other
            blocks' stands in for theirs (diffusers' FirstBlockCache); 0 computes all.
    """

    num_frames: int = OWN
    num_inference_steps: int = OWN
    text_guidance_scale: float = OWN
    audio_guidance_scale: float = OWN
    sampler: str = "own"
    eta: float = OWN
    silence: str = "zeros"
    speech_scale: float = 1.0
    effects_scale: float = 1.0
    music_scale: float = 1.0
    planner: str = "exact"
    no_audio: bool = False
    batched_guidance: bool = False
    guidance_start: float = 0.0
    guidance_stop: float = 1.0
    block_cache: float = 0.0


class MTVPipeline(VideoPipeline):
    """Words, speech, effects and music become a video (MTV, figure 3).

    The sound is given as tracks, or as a mix that is taken apart. A clip longer than one window is made window by
    window, each taking over the last frames of the one before, and is exact to the frame. Arguments that are not named
    here: :class:`VideoPipeline`.

    Args:
        vae: Video to latents and back: ``AutoencoderKLCogVideoX``, or ``PatchVideoAutoencoder`` of the small model.
        text_encoder: ``T5EncoderModel``, or ``CLIPTextModel`` of the small model.
        audio_encoder: ``Wav2Vec2Model``, or ``LogMelFrames`` of the small model.
        transformer: CogVideoX with MTV's control.
        scheduler: Of :func:`asva_dit.make_scheduler`.
        num_frames: Frames of a window, 4k + 1, and of a video unless the call says otherwise.
        overlap: Frames that a window takes over, 4k + 1, or 0.
        prediction_type: ``"v_prediction"`` as released, or ``"residual"``: what to add to the first frame standing
            still.
        text_guidance_scale: 1 is none; as released one scale of 3.5 for text and sound.
    """

    arguments = MTVSampling
    output = MTVOutput
    needs_picture = False
    model_cpu_offload_seq = "text_encoder->audio_encoder->transformer->vae"

    @registered
    def __init__(
        self,
        vae: AutoencoderKLCogVideoX | PatchVideoAutoencoder,
        tokenizer: Any,
        text_encoder: T5EncoderModel | CLIPTextModel,
        audio_encoder: Wav2Vec2Model | LogMelFrames,
        transformer: MTVTransformer3DModel,
        scheduler: MTVDPMScheduler,
        num_frames: int = 49,
        overlap: int = 5,
        fps: int | float = 24,
        height: int = 480,
        width: int = 720,
        sample_rate: int = 16000,
        prediction_type: str = "v_prediction",
        num_inference_steps: int = 20,
        text_guidance_scale: int | float = 3.5,
        audio_guidance_scale: int | float = 3.5,
    ) -> None:
        super().__init__()
        latent_frames(num_frames)
        if prediction_type not in PREDICTIONS:
            raise ValueError(f"`prediction_type` must be one of {', '.join(PREDICTIONS)}, got {prediction_type}.")

    @torch.no_grad()
    def __call__(  # ty: ignore[incompatible-method-override]  # words come first: pictures are one choice of many
        self,
        prompt: str | MTVPrompt | Sequence[str | MTVPrompt] = "",
        audio: Any = None,
        *,
        speech: Any = None,
        effects: Any = None,
        music: Any = None,
        speech2: Any = None,
        image: Any = None,
        frames: Mapping[float, Any] | Sequence[Mapping[float, Any] | None] | None = None,
        demixer: Any = None,
        prompt_at: Sequence[tuple[float, str]] = (),
        sample_rate: int | None = None,
        **arguments: Any,
    ) -> MTVOutput:
        """Make one video, or one for each entry of the given lists.

        Args:
            prompt: What is seen, in MTV's template (:class:`MTVPrompt`) or in free words; or a list.
            audio: The mix: a path, an :class:`asva_audio.Audio`, samples (s,) or (c, s); or a list.
            speech, effects, music: Tracks, each as `audio`. With `audio` too, what they leave of it goes to a track
                that is not given, or to the effects; without, tracks that are not given are silent.
            speech2: Voice of a second speaker, of a model that knows two; `speech` is then the first one's.
            image: First frame: a path, a PIL image, uint8 (h, w, 3), or a float (3, h, w) tensor in [-1, 1]; or a list.
            frames: Pictures by their seconds, anywhere in the clip; or a list of such.
            demixer: Takes a mix apart, see :class:`asva_audio.Demixer`; masks by default, which are approximate.
            prompt_at: Seconds, rising, and what is seen from the first window on that begins there or later.
            sample_rate: Of sounds in hertz where they are given as samples.
            arguments: Fields of :class:`MTVSampling`; what is None is taken from the model's configuration. The output
                type `"latent"` is for one window.

        Returns:
            The video, and how its sound was taken apart.

        Raises:
            ValueError: If an argument cannot be used.
        """
        settings = MTVSampling.of(self, arguments)
        plan = plan_windows(settings.num_frames, self.config.num_frames, self.config.overlap, planner=settings.planner)
        guidance = MTVGuidance(settings.text_guidance_scale, settings.audio_guidance_scale, settings.silence)
        mixes, *parts, images, given, prompts, single = as_batch(
            audio=audio,
            **{"speech": speech, "effects": effects, "music": music, "speech2": speech2},
            **{"image": image, "frames": frames, "prompt": prompt},
        )
        size = (settings.height, settings.width)
        self._check(settings, plan, len(prompts))
        seconds = settings.num_frames / self.config.fps
        tracks = [
            read_tracks(mix, dict(zip((*TRACKS, "speech2"), tracks, strict=True)), sample_rate, demixer)
            for mix, *tracks in zip(mixes, *parts, strict=True)
        ]
        if None in tracks and any(tracks):
            raise ValueError("`audio` must be given for every sample or for none, got some of each.")
        pictures = [
            read_given(picture, at, settings.num_frames, self.config.fps, size)
            for picture, at in zip(images, given, strict=True)
        ]
        words = [entry.format() if isinstance(entry, MTVPrompt) else entry for entry in prompts]
        with self._ready(), first_block_cache(self.transformer, settings.block_cache):
            texts = self._texts_of_windows(words, prompt_at, plan)
            heard = None if settings.no_audio or tracks[0] is None else self._hear(tracks, settings, plan, seconds)
            scheduler = self._scheduler_for(self.transformer, settings.sampler)
            scales = {f"{name}_scale": getattr(settings, f"{name}_scale") for name in TRACKS}
            network = MTVStage(self.transformer, scheduler, texts[0], guidance, scales)
            segments = self._windows(network, texts, heard, pictures, plan, size, guidance, settings)
        sounds = [_sound(entry, seconds) for entry in tracks]
        return MTVOutput.of(
            sounds,
            self.config.fps,
            single=single,
            frames=segments if settings.output_type == "latent" else self._joined(segments, plan, settings.output_type),
            demixed_by=[None if entry is None else entry.how for entry in tracks],
            windows=[plan.windows] * len(tracks),
            given_frames=[sorted(entry) for entry in pictures],
        )

    def _check(self, settings: MTVSampling, plan: WindowPlan, samples: int) -> None:
        """Refuse what would fail later."""
        config, size = self.transformer.config, (settings.height, settings.width)
        check_settings(settings, samples, (), spatial_factor(self.vae) * config.patch_size)
        if config.use_learned_positional_embeddings:
            own = tuple(side * spatial_factor(self.vae) for side in (config.sample_height, config.sample_width))
            if size != own:
                raise ValueError(
                    f"`height` and `width` must be {own[0]} and {own[1]}, for which the base has learned positions, "
                    f"got {size[0]} and {size[1]}."
                )
        if settings.output_type == "latent" and len(plan.windows) > 1:
            raise ValueError(f"`output_type` must not be latent where there are {len(plan.windows)} windows.")

    def _texts(self, words: list[str]) -> dict[str, Tensor]:
        """Text tokens of each branch: zeros where the text is left out."""
        length = self.transformer.config.max_text_seq_length
        embeds = prompt_embeds(self.tokenizer, self.text_encoder, words, length, self._execution_device)
        return {"none": torch.zeros_like(embeds), "text": embeds, "full": embeds}

    def _texts_of_windows(
        self, words: list[str], prompt_at: Sequence[tuple[float, str]], plan: WindowPlan
    ) -> list[dict[str, Tensor]]:
        """Text tokens for each window: of what was said last when its first new frame is shown."""
        seconds = [(start + (plan.overlap if start else 0) + 0.5) / self.config.fps for start, _ in plan.windows]
        known = [(0.0, self._texts(words)), *((at, self._texts([text] * len(words))) for at, text in prompt_at)]
        return [[texts for at, texts in known if at <= second][-1] for second in seconds]

    def _hear(self, tracks: list[Tracks], settings: MTVSampling, plan: WindowPlan, seconds: float) -> dict[str, Tensor]:
        """Features of all clips around every frame that a window has."""
        mono = [entry.mono(seconds) for entry in tracks]
        names = dict.fromkeys(name for entry in mono for name in entry)
        nothing = torch.zeros_like(mono[0]["speech"])
        sounds = {
            name: torch.cat([entry.get(name, nothing) for entry in mono]).to(self._execution_device) for name in names
        }
        padded = max(plan.padded_frames, plan.windows[-1][1])
        window = self.transformer.config.audio_window
        return hear_tracks(self.audio_encoder, sounds, settings.num_frames, padded, fps=self.config.fps, window=window)

    def _windows(
        self,
        network: MTVStage,
        texts: list[dict[str, Tensor]],
        heard: dict[str, Tensor] | None,
        pictures: list[dict[int, Tensor]],
        plan: WindowPlan,
        size: tuple[int, int],
        guidance: MTVGuidance,
        settings: MTVSampling,
    ) -> Any:
        """Pixels (b, t, 3, h, w) of each window in turn, or the latents of the only one."""
        factor, device = spatial_factor(self.vae), self._execution_device
        slots = latent_frames(self.config.num_frames)
        shape = (slots, self.vae.config.latent_channels, size[0] // factor, size[1] // factor)
        segments: list[Tensor] = []
        report, generator = settings.report("frames"), settings.generator  # the scheduler takes one, or a list
        generator = generator if isinstance(generator, torch.Generator) else list(generator)
        for number, window in enumerate(plan.windows):
            before = segments[-1][:, -plan.overlap :] if segments and plan.overlap else None
            filled = [
                fill_slots(self.vae, given, window, None if before is None else before[place], shape, device)
                for place, given in enumerate(pictures)
            ]
            clean, mask = (torch.cat(part) for part in zip(*filled, strict=True))
            network.turn_to(texts[number])
            network.enter(heard, window, clean, mask, self._reference(clean, mask, before, pictures, window))
            noise = draw_noise((len(pictures), *shape), settings.generator, device=device)
            latents = denoise(
                network,
                noise,
                network.scheduler,
                num_inference_steps=settings.num_inference_steps,
                guidance=guidance,
                guidance_range=(settings.guidance_start, settings.guidance_stop),
                clean_latents=clean,
                clean_frame_mask=mask,
                eta=settings.eta,
                generator=generator,
                batched=settings.batched_guidance,
                callback_on_step_end=_progress(report, number, len(plan.windows), settings.num_inference_steps),
            )
            if settings.output_type == "latent":
                return latents.cpu()
            segments.append(decode_video(self.vae, latents, settings.report("decode")).cpu())
        return segments

    def _reference(
        self,
        clean: Tensor,
        mask: Tensor,
        before: Tensor | None,
        pictures: list[dict[int, Tensor]],
        window: tuple[int, int],
    ) -> Tensor | None:
        """Latents of each clip's first frame standing still, zeros where it is not given; None where not needed."""
        if self.config.prediction_type != "residual":
            return None
        reference = torch.zeros_like(clean)
        for place, given in enumerate(pictures):
            first = given.get(window[0]) if before is None else before[place, 0]
            if first is not None and bool(mask[place, 0]):
                still = first.to(clean.device).expand(1, window[1] - window[0], -1, -1, -1)
                reference[place] = encode_video(self.vae, still)[0].float()
        return reference

    def _joined(self, segments: list[Tensor], plan: WindowPlan, output_type: str) -> Any:
        clips = [plan.join([segment[place] for segment in segments]) for place in range(len(segments[0]))]
        return self.as_frames(torch.stack(clips), output_type)


@contextmanager
def first_block_cache(transformer: MTVTransformer3DModel, threshold: float) -> Generator[None]:
    """Blocks are left out while sampling, from a threshold above 0 on."""
    if not threshold:
        yield
        return
    transformer.enable_cache(FirstBlockCacheConfig(threshold=threshold))
    try:
        yield
    finally:
        transformer.disable_cache()


def _sound(tracks: Tracks | None, seconds: float) -> Sound | None:
    if tracks is None:
        return None
    mix = tracks.mix(seconds)
    return Sound(mix, tracks.stems.sample_rate, mix.mean(0))


def _progress(report: Any, number: int, windows: int, steps: int) -> Any:
    if report is None:
        return None

    def on_step(index: int, timestep: Tensor, latents: Tensor) -> None:
        del timestep
        report(number * steps + index, windows * steps, latents)

    return on_step
