"""Arguments of a pipeline's call, stated once: those that all share, and those of a family of pipelines."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, Self, get_args, get_type_hints

import torch
from torch import Tensor

from asva_unet import FeatureCache, Guidance

Callback = Callable[[str, int, int, Tensor], None]
_SAID_OTHERWISE = ("height", "width", "output_type", "num_frames")  # by options of their own
OWN: Any = None  # a field with this default is the model's own setting unless it is given
SAMPLERS = ("own", "ddim", "unipc", "dpm++")
CHOICES = {
    "output_type": ("np", "pt", "pil", "latent"),
    "interp_noise": ("official", "linear", "none", "freenoise"),
    "vae_sample": ("sample", "mode"),
    "handover": ("latents", "pixels"),
    "selection": ("inference", "training", "even", "uniform"),
    "alignment": ("aligned", "official"),
    "interp_window_fusion": ("attention", "network"),
    "sampler": SAMPLERS,
    "against": ("off", "shifted"),
    "interp_sampler": SAMPLERS,
}


@dataclass(kw_only=True)
class Sampling:
    """What every pipeline's call takes beside picture, sound and prompt.

    Attributes:
        height: Pixels.
        width: Pixels.
        generator: CPU generator, or one per sample. The same one gives the same video.
        output_type: `"np"` (uint8), `"pt"` (float in [0, 1], (t, 3, h, w)), `"pil"` or `"latent"`.
        callback_on_step_end: ``callback(stage, step, num_steps, latents)`` after each step, with a stage of the method
            (:attr:`asva_pipelines.Method.stages`). Raising from it stops the pipeline and leaves it ready.
    """

    height: int = OWN
    width: int = OWN
    generator: torch.Generator | Sequence[torch.Generator] = OWN
    output_type: str = "np"
    callback_on_step_end: Callback | None = None

    @classmethod
    def of(cls, pipeline: Any, arguments: Mapping[str, Any]) -> Self:
        """The arguments of a call, and the model's own settings where they are None."""
        names = {entry.name for entry in fields(cls)}
        own = {name: value for name, value in pipeline.config.items() if name in names}
        own |= steps_of_stages(pipeline, names, arguments)
        given = {name: value for name, value in arguments.items() if value is not None or name not in own}
        return cls(**own | given)

    def __post_init__(self) -> None:
        if self.generator is None:
            self.generator = torch.Generator()
            self.generator.seed()

    def report(self, stage: str) -> Callable[[int, int, Tensor], None] | None:
        """The callback of one stage."""
        callback = self.callback_on_step_end
        return None if callback is None else lambda step, total, latents: callback(stage, step, total, latents)


@dataclass(kw_only=True)
class Denoising(Sampling):
    """What pipelines with an autoencoder of single frames take.

    Attributes:
        vae_sample: `"sample"` of the posterior, or its `"mode"`.
        sampler: Steps by `"ddim"`, `"unipc"` or `"dpm++"` on the model's own noise levels; `"own"` is its scheduler.
        no_audio: Leave the sound out (a control).
        batched_guidance: Evaluate all guidance branches at once: more memory, faster on a large GPU.
        guidance_start: Share of the steps, 0 to 1, after which guidance acts; where it does not, a step is one call.
        guidance_stop: Share of the steps after which it acts no more.
        decode_chunk_size: Frames decoded at once.
    """

    vae_sample: str = OWN
    sampler: str = "own"
    no_audio: bool = False
    batched_guidance: bool = False
    guidance_start: float = 0.0
    guidance_stop: float = 1.0
    decode_chunk_size: int = 8

    @property
    def guidance_range(self) -> tuple[float, float]:
        """Shares of the steps between which guidance acts."""
        return self.guidance_start, self.guidance_stop

    def steps(self, stage: str) -> dict[str, Any]:
        """What :func:`asva_unet.denoise` takes of these in a stage."""
        return {
            "generator": self.generator,
            "guidance_range": self.guidance_range,
            "batched": self.batched_guidance,
            "callback_on_step_end": self.report(stage),
        }

    def hears(self, sound: Any) -> bool:
        """Whether there is a sound that counts."""
        return sound is not None and not self.no_audio


@dataclass(kw_only=True)
class UNetSampling(Denoising):
    """What pipelines on the U-Nets of asva-unet take.

    Attributes:
        against: What guidance by sound leads away from: `"off"`, no sound, or `"shifted"`, the same sound turned around
            by half of the clip (off-sync guidance, Syncphony's idea).
        cache_interval: Every how many steps the whole network is computed; in the others its deep features are those
            of the step before (:class:`asva_unet.FeatureCache`). 1 is always.
        cache_level: Resolutions that every step computes, the finest first.
    """

    against: str = "off"
    cache_interval: int = 1
    cache_level: int = 1

    @property
    def cache(self) -> FeatureCache:
        """What the network keeps of a clip between steps."""
        return FeatureCache(self.cache_interval, self.cache_level)


@dataclass(kw_only=True)
class TextAudioSampling(Denoising):
    """What pipelines with guidance by text and sound take.

    Attributes:
        num_inference_steps: Steps.
        text_guidance_scale: 1 is none.
        audio_guidance_scale: 1 is none; a number, or one for each frame.
        latents: (b, k, c, h, w) initial noise, of the frames that the pipeline makes.
    """

    num_inference_steps: int = OWN
    text_guidance_scale: float | Tensor = OWN
    audio_guidance_scale: float | Tensor = OWN
    latents: Tensor | None = None


@dataclass(kw_only=True)
class ContinuedSampling(TextAudioSampling, UNetSampling):
    """What pipelines take that can go on from a frame.

    Attributes:
        first_latents: (b, c, h, w) latents that stand for the first frame instead of the picture's own, which an
            image encoder still sees: the end of a video that goes on.
        eta: Noise of each DDIM step, 0 to 1.
    """

    first_latents: Tensor | None = None
    eta: float = OWN


@dataclass(kw_only=True)
class ImageGuidedSampling(ContinuedSampling):
    """What pipelines on DynamiCrafter's network take.

    Attributes:
        image_guidance_scale: 1 is none.
        guidance_rescale: 0 to 1.
    """

    image_guidance_scale: float | Tensor = OWN
    guidance_rescale: float = OWN

    def guidance(self, hears: bool) -> Guidance:
        """Without a sound its scale is the text's, so that their common branch cancels."""
        text, audio = self.text_guidance_scale, self.audio_guidance_scale
        return Guidance(text, self.image_guidance_scale, audio if hears else text, self.guidance_rescale)


def steps_of_stages(pipeline: Any, names: Collection[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Sampler and noise of each stage where the call says nothing: the second follows the first, only DDIM adds noise.

    Args:
        pipeline: Whose scheduler and configuration are asked.
        names: Arguments that it takes.
        given: Those of the call.
    """
    steps: dict[str, Any] = {}
    for stage in ("", "interp_"):
        if f"{stage}eta" in names:
            sampler = given.get(f"{stage}sampler") or given.get("sampler") or "own"
            noisy = sampler == "ddim" or (sampler == "own" and hasattr(pipeline.scheduler, "grid_sigmas"))
            eta = given.get("eta")
            if eta is None:
                eta = pipeline.config.get("eta", 0.0) if noisy else 0.0
            steps |= {f"{stage}sampler": sampler, f"{stage}eta": eta}
    return steps


def call_arguments(pipeline: Any) -> set[str]:
    """Names of everything that the call of a pipeline, or of its class, takes."""
    kind = pipeline if isinstance(pipeline, type) else type(pipeline)
    declared = getattr(kind, "arguments", None)
    own = set() if declared is None else {entry.name for entry in fields(declared)}
    named = inspect.signature(kind.__call__).parameters.values()
    return own | {one.name for one in named if one.kind is not one.VAR_KEYWORD} - {"self"}


def read_arguments(kind: type, given: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of a pipeline's call from words: numbers, truth values (`true`, `false`) and names.

    Args:
        kind: Class of the pipeline.
        given: Words by the names of arguments.

    Raises:
        ValueError: If the call has no such argument, or the word is of another kind.
    """
    hints = get_type_hints(kind.arguments) if hasattr(kind, "arguments") else {}
    kinds = {name: {*(get_args(hint) or [hint])} & {bool, int, float, str} for name, hint in hints.items()}
    known = {name: allowed for name, allowed in kinds.items() if allowed and name not in _SAID_OTHERWISE}
    return {name: _read_word(name, word, known) for name, word in given.items()}


def _read_word(name: str, word: str, known: Mapping[str, set[type]]) -> Any:
    if name not in known:
        raise ValueError(f"`--set` must name one of {', '.join(sorted(known)) or 'nothing here'}, got '{name}'.")
    if name in CHOICES and word not in CHOICES[name]:
        raise ValueError(f"`--set {name}` must be one of {', '.join(CHOICES[name])}, got '{word}'.")
    if bool in known[name] and word in ("true", "false"):
        return word == "true"
    for kind in (int, float, str):
        if kind in known[name]:
            with suppress(ValueError):
                return kind(word)
    kinds = " or ".join(sorted(kind.__name__ for kind in known[name]))
    raise ValueError(f"`--set {name}` must be {kinds}, got '{word}'.")


def check_settings(settings: Sampling, batch_size: int, latent: tuple[int, ...], multiple: int) -> None:
    """Refuse settings that would fail later.

    Args:
        settings: Of this call.
        batch_size: Samples.
        latent: Channels, height and width of the latents.
        multiple: What height and width must be divisible by.

    Raises:
        ValueError: Naming the argument, the rule and the value.
    """
    for name in ("height", "width"):
        value = getattr(settings, name)
        if not isinstance(value, int) or value < 1 or value % multiple:
            raise ValueError(f"`{name}` must be a positive multiple of {multiple}, got {value}.")
    for name, allowed in CHOICES.items():
        if getattr(settings, name, allowed[0]) not in allowed:
            raise ValueError(f"`{name}` must be one of {', '.join(allowed)}, got {getattr(settings, name)}.")
    steps = [f"{stage}{name}" for stage in ("", "interp_") for name in ("num_inference_steps", "cache_interval")]
    for name in (*steps, "decode_chunk_size"):
        value = getattr(settings, name, 1)
        if not isinstance(value, int) or not 1 <= value <= 1000:
            raise ValueError(f"`{name}` must be a whole number between 1 and 1000, got {value}.")
    start, stop = getattr(settings, "guidance_start", 0.0), getattr(settings, "guidance_stop", 1.0)
    if not 0.0 <= start <= stop <= 1.0:
        raise ValueError(f"`guidance_start` and `guidance_stop` must rise from 0 to 1, got {start} and {stop}.")
    for stage in ("", "interp_"):
        eta, sampler = getattr(settings, f"{stage}eta", 0.0), getattr(settings, f"{stage}sampler", "own")
        if not 0.0 <= eta <= 1.0:
            raise ValueError(f"`{stage}eta` must be between 0 and 1, got {eta}.")
        if eta and sampler not in ("own", "ddim"):
            raise ValueError(f"`{stage}eta` must be 0 with {sampler}, which adds no noise, got {eta}.")
    if not isinstance(settings.generator, torch.Generator) and len(settings.generator) != batch_size:
        raise ValueError(
            f"`generator` must be one or as many as samples ({batch_size}), got {len(settings.generator)}."
        )
    for name in ("latents", "interp_latents"):
        value = getattr(settings, name, None)
        if value is not None and (value.ndim != 5 or value.shape[0] != batch_size or value.shape[2:] != latent):
            expected = ", ".join(str(size) for size in (batch_size, "k", *latent))
            raise ValueError(f"`{name}` must have shape ({expected}), got {tuple(value.shape)}.")
