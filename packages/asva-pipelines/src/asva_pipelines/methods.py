"""The methods by name: which pipeline, which stages, which options each has. The only place that says so."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to make a video from a picture and a sound.

    Attributes:
        name: As the command line has it.
        summary: A line about it.
        pipeline: Its class in :mod:`asva_pipelines`.
        kinds: Names of the classes whose saved models it loads.
        ear: Part that tells this method from its twin; empty where there is no twin.
        hears: Whether a model of this method has that part.
        stages: What its callbacks name, in words.
        options: Those of the command line, beyond the ones that every method has, and the arguments they set.
        model: Name of the model that is taken where none is given; empty if there is none.
        needs_model: Whether there are weights to load.
        needs_picture: Whether somebody must give the first frame.
        needs_prompt: Whether the prompt must hold words.
        without: Fields of a request that this method has no use for.
        make: Module that makes the frames, where the common way does not.
    """

    name: str
    summary: str
    pipeline: str
    kinds: tuple[str, ...]
    ear: str = ""
    hears: bool = True
    stages: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    model: str = ""
    needs_model: bool = True
    needs_picture: bool = True
    needs_prompt: bool = False
    without: tuple[str, ...] = ()
    make: str = "asva_pipelines.make.frames"

    @property
    def pipeline_class(self) -> Any:
        """The class itself; importing it takes seconds."""
        import asva_pipelines

        return getattr(asva_pipelines, self.pipeline)

    def settings(self, index: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a model: those of its index, or the class's own where the index is foreign.

        Args:
            index: Content of ``model_index.json``; empty without a model.

        Raises:
            KeyError: If the index is of this project and lacks one that it cannot do without.
        """
        if index.get("_class_name") == self.pipeline:  # the class, which takes seconds to import, need not be asked
            essential = _ESSENTIAL + (_OF_KEYFRAMES if "keyframe" in self.stages else ())
            return dict(index) | {name: index[name] for name in essential}
        signature = inspect.signature(self.pipeline_class.__init__).parameters
        return {name: one.default for name, one in signature.items() if isinstance(one.default, int | float | str)}

    def accepts(self, index: Mapping[str, Any]) -> bool:
        """Whether a model with that ``model_index.json`` is of this method."""
        if index.get("_class_name") not in self.kinds:
            return False
        part = index.get(self.ear)
        present = isinstance(part, list) and part[:1] != [None]
        return not self.ear or present == self.hears


def _options(*names: str) -> dict[str, tuple[str, ...]]:
    return {name: (_ARGUMENTS[name],) for name in names}


_ARGUMENTS = {
    "--steps": "num_inference_steps",
    "--guidance": "audio_guidance_scale",
    "--text-guidance": "text_guidance_scale",
    "--image-guidance": "image_guidance_scale",
    "--radius": "radius",
    "--words": "words",
    "--fps": "fps",
}
# They change what is asked of each window; see asva_pipelines.make.prepare_audio.
_PROMPTS = {"--prompt-at": ()}
_STRENGTH = _PROMPTS | {"--guidance-at": ()}
_CURVE = _STRENGTH | {name: () for name in ("--curve", "--gain", "--threshold", "--attack", "--release")}
# Without them a model of this project is damaged; others may be younger than the model.
_ESSENTIAL = ("num_frames", "fps", "height", "width", "sample_rate")
_OF_KEYFRAMES = ("num_keyframes", "selection")
_ONE_STAGE = {"frames": "frames", "decode": "decoding"}
_BOTH = ("", "interp_")

METHODS = {
    method.name: method
    for method in (
        Method(
            name="keyvid",
            summary="keyframes where the sound says that something moves, then the frames between (KeyVID)",
            pipeline="KeyVIDPipeline",
            kinds=("KeyVIDPipeline",),
            model="tiny",
            stages={"keyframe": "keyframes", "interp": "frames between", "decode": "decoding"},
            options={
                "--steps": ("num_inference_steps",),
                "--interp-steps": ("interp_num_inference_steps",),
                "--guidance": tuple(f"{stage}audio_guidance_scale" for stage in _BOTH),
                "--text-guidance": tuple(f"{stage}text_guidance_scale" for stage in _BOTH),
                "--image-guidance": tuple(f"{stage}image_guidance_scale" for stage in _BOTH),
                "--keyframes": ("keyframe_indices",),
                "--uniform": ("selection",),
                "--rule": ("selection",),
            }
            | _CURVE,
        ),
        Method(
            name="avsyncd",
            summary="frames beside a clean first one, each hearing its piece of the sound (AVSyncD)",
            pipeline="AVSyncDPipeline",
            kinds=("AVSyncDPipeline",),
            ear="audio_encoder",
            model="avsyncd",
            stages=_ONE_STAGE,
            options=_options("--steps", "--guidance", "--text-guidance") | _STRENGTH,
        ),
        Method(
            name="i2vd",
            summary="AVSyncD without sound",
            pipeline="AVSyncDPipeline",
            kinds=("AVSyncDPipeline",),
            ear="audio_encoder",
            hears=False,
            stages=_ONE_STAGE,
            options=_options("--steps", "--text-guidance") | _PROMPTS,
        ),
        Method(
            name="audio-window",
            summary="DynamiCrafter whose frames hear the sound around them (open-domain model)",
            pipeline="AudioWindowPipeline",
            kinds=("AudioWindowPipeline",),
            ear="taps",
            stages=_ONE_STAGE,
            options=_options("--steps", "--guidance", "--text-guidance", "--image-guidance", "--radius") | _STRENGTH,
        ),
        Method(
            name="dynamicrafter",
            summary="picture and prompt alone (DynamiCrafter)",
            pipeline="AudioWindowPipeline",
            kinds=("AudioWindowPipeline",),
            ear="taps",
            hears=False,
            model="dynamicrafter",
            stages=_ONE_STAGE,
            options=_options("--steps", "--text-guidance", "--image-guidance") | _PROMPTS,
        ),
        Method(
            name="aadiff",
            summary="Stable Diffusion, loud sound stresses words of the prompt; nothing was trained (AADiff)",
            pipeline="AADiffPipeline",
            kinds=("AADiffPipeline", "StableDiffusionPipeline"),
            stages={"inversion": "inversion"} | _ONE_STAGE,
            options=_options("--steps", "--guidance", "--text-guidance", "--words", "--fps") | _CURVE,
            needs_picture=False,
            needs_prompt=True,
        ),
        Method(
            name="mtv",
            summary="speech, effects and music each steer what they should, at any length (MTV)",
            pipeline="MTVPipeline",
            kinds=("MTVPipeline",),
            stages=_ONE_STAGE,
            options=_options("--steps", "--guidance", "--text-guidance")
            | {name: () for name in ("--speech", "--effects", "--music", "--demix", "--frame")},
            needs_picture=False,
            without=("loop", "control_audio", "image_model"),
            make="asva_pipelines.mtv.frames_of_request",
        ),
        Method(
            name="static",
            summary="the first frame, repeated; needs no model",
            pipeline="StaticPipeline",
            kinds=("StaticPipeline",),
            options=_options("--fps"),
            needs_model=False,
        ),
    )
}


def method_of(index: Mapping[str, Any]) -> Method | None:
    """The method of a model, by its ``model_index.json``; None if it is of none.

    >>> method_of({"_class_name": "AVSyncDPipeline", "audio_encoder": [None, None]}).name
    'i2vd'
    """
    return next((method for method in METHODS.values() if method.accepts(index)), None)
