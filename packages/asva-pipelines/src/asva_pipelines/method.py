"""What a method is: its pipeline, its options, and the models that were released of it. Imported without torch."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from asva_weights import RemoteFile

_ARGUMENTS = {
    "--steps": "num_inference_steps",
    "--sampler": "sampler",
    "--eta": "eta",
    "--guidance": "audio_guidance_scale",
    "--text-guidance": "text_guidance_scale",
    "--image-guidance": "image_guidance_scale",
    "--radius": "radius",
    "--words": "words",
    "--fps": "fps",
}
# These change what is asked of each window; see asva_pipelines.make.prepare_audio.
PROMPTS: dict[str, tuple[str, ...]] = {"--prompt-at": ()}
STRENGTH = PROMPTS | {"--guidance-at": ()}
CURVE = STRENGTH | {name: () for name in ("--curve", "--gain", "--threshold", "--attack", "--release")}
STEPS = ("--steps", "--sampler", "--eta")
# What an interpolator is told too, which makes the frames between those of another method.
OF_SECOND_STAGE = {
    "--interp-steps": "interp_num_inference_steps",
    "--interp-sampler": "interp_sampler",
    "--interp-eta": "interp_eta",
}
ONE_STAGE = {"frames": "frames", "decode": "decoding"}
# Without these a model of this project is damaged; others may be younger than the model.
_ESSENTIAL = ("num_frames", "fps", "height", "width", "sample_rate")
_OF_KEYFRAMES = ("num_keyframes", "selection")


def options(*names: str) -> dict[str, tuple[str, ...]]:
    """Options of the command line that set one argument of the pipeline's call each.

    >>> options("--steps")
    {'--steps': ('num_inference_steps',)}
    """
    return {name: (_ARGUMENTS[name],) for name in names}


@dataclass(frozen=True)
class Credit:
    """Whom weights are owed to.

    Attributes:
        title: Of the weights.
        licence: Of the weights.
        papers: To cite where they are used.
    """

    title: str
    licence: str
    papers: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.title}: licence {self.licence}. Please cite {'; '.join(self.papers)}."


@dataclass(frozen=True, kw_only=True)
class NamedModel:
    """A model that ``--model`` knows by name.

    Attributes:
        name: As the command line has it.
        summary: A line about it.
        licence: Of its weights.
        files: What it is made of, where that is not bundled.
        converted: Gigabytes (10^9 bytes) that its converted folder takes.
        folder: Where it is bundled.
        by_hand: How to put the files into a folder, where no hub holds them.
        place: Folder of its home on the hub that stands for it, where its family reads the layout of that home.
        remark: What else `asva models info` says.
    """

    name: str
    summary: str
    licence: str
    files: tuple[RemoteFile, ...] = ()
    converted: float = 0.0
    folder: Path | None = None
    by_hand: str = ""
    place: str = ""
    remark: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Its name, and its id on the hub."""
        return (self.name, self.files[0].repo) if self.files and not self.by_hand else (self.name,)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to make a video from a picture and a sound.

    Attributes:
        name: As the command line has it.
        summary: A line about it.
        pipeline: Its class, as ``module:name``.
        foreign: Names of further pipeline classes whose saved models it loads.
        ear: Part that tells this method from its twin; empty where there is no twin.
        hears: Whether a model of this method has that part.
        stages: What its callbacks name, in words.
        options: Those of the command line, beyond the ones that every method has, and the arguments they set.
        model: Name of the model that is taken where none is given; empty if there is none.
        models: Those that have a name.
        family: How released files become a folder: a :class:`asva_weights.release.Family` of the same name, as
            ``module:name``; empty if there are none.
        credit: Whom its released weights are owed to.
        licences: Licences of released files that differ from the credit's, by the beginning of their names.
        shared: Parts that a model folder may name and not hold, and the folders where they lie then.
        beside: Module and class of parts that a foreign folder may hold and not name.
        needs_model: Whether there are weights to load.
        needs_picture: Whether somebody must give the first frame.
        needs_prompt: Whether the prompt must hold words.
        without: Fields of a request that this method has no use for.
        make: Module that makes the frames, where the common way does not.
        defaults: Settings without a model, where the class need not be asked for those of its signature.
    """

    name: str
    summary: str
    pipeline: str
    foreign: tuple[str, ...] = ()
    ear: str = ""
    hears: bool = True
    stages: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    model: str = ""
    models: tuple[NamedModel, ...] = ()
    family: str = ""
    credit: Credit | None = None
    licences: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, Path] = field(default_factory=dict)
    beside: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    needs_model: bool = True
    needs_picture: bool = True
    needs_prompt: bool = False
    without: tuple[str, ...] = ()
    make: str = "asva_pipelines.make.frames"
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pipeline_name(self) -> str:
        """Name of its class, as a model's index has it."""
        return self.pipeline.rpartition(":")[2]

    @property
    def pipeline_class(self) -> Any:
        """The class itself; importing it takes seconds."""
        return _named(self.pipeline)

    @property
    def family_of_files(self) -> Any:
        """How released files become a folder; None if there are none."""
        return _named(self.family) if self.family else None

    def released_files(self, **rest: Any) -> Any:
        """A :class:`asva_weights.release.Family` under the method's name and credit."""
        from asva_weights.release import Family

        return Family(name=self.name, title=self.credit.title, licence=self.credit.licence, **rest)

    def release(self, networks: dict[str, Any], model: str, **others: Any) -> Any:
        """A :class:`asva_weights.release.Release` whose folder is a pipeline of this method.

        Args:
            networks: As there.
            model: Which one it is, as ``source.json`` says it.
            others: Further arguments of the pipeline's class.
        """
        from asva_weights.release import Release

        def finish(folder: Path, say: Any) -> dict[str, Any]:
            del say
            self.pipeline_class(**networks, **others).save_beside(folder)
            return {"model": model}

        return Release(networks=networks, finish=finish)

    def settings(self, index: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a model: those of its index, or the class's own where the index is foreign.

        Args:
            index: Content of ``model_index.json``; empty without a model.

        Raises:
            KeyError: If the index is of this project and lacks one that it cannot do without.
        """
        if index.get("_class_name") == self.pipeline_name:  # the class, which takes seconds to import, is not asked
            essential = _ESSENTIAL + (_OF_KEYFRAMES if "keyframe" in self.stages else ())
            return dict(index) | {name: index[name] for name in essential}
        if self.defaults:
            return dict(self.defaults)
        signature = inspect.signature(self.pipeline_class.__init__).parameters
        return {name: one.default for name, one in signature.items() if isinstance(one.default, int | float | str)}

    def settings_by(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Settings that follow from options of the command line."""
        del options
        return {}

    def accepts(self, index: Mapping[str, Any]) -> bool:
        """Whether a model with that ``model_index.json`` is of this method."""
        if index.get("_class_name") not in (self.pipeline_name, *self.foreign):
            return False
        part = index.get(self.ear)
        present = isinstance(part, list) and part[:1] != [None]
        return not self.ear or present == self.hears

    def licence_of(self, file: str) -> str | None:
        """Licence of one released file, where it is not the credit's."""
        return next((licence for start, licence in self.licences.items() if file.startswith(start)), None)


def _named(name: str) -> Any:
    module, _, thing = name.partition(":")
    return getattr(import_module(module), thing)
