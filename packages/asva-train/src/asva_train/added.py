"""Trainings of other packages: they join by entry points of the group ``asva.trainings``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from asva_pipelines.entry_points import of_other_packages

TASKS = (
    *("vae", "carry", "localizer", "keyframe", "interp", "avsyncd", "i2vd", "audio-window", "mtv", "control", "sync"),
    "lora",
)


@dataclass(frozen=True, kw_only=True)
class AddedTraining:
    """What another package lets ``asva train`` train. Its module is read whenever `asva` starts: no torch there.

    Attributes:
        name: As its recipes and the command line have it.
        summary: What learns, in a line.
        recipe: Class of its recipes, made by ``asva_data.settings.strict``, whose ``task`` is a literal of the name and
            that hold ``data`` and ``loop``; as ``module:name``.
        task: An :class:`asva_train.Task`, made of a recipe and the model folder; as ``module:name``.
        default: YAML of the recipe that is taken where none is named.
    """

    name: str
    summary: str
    recipe: str
    task: str
    default: Path

    @property
    def recipe_class(self) -> Any:
        """The class itself."""
        return _named(self.recipe)

    @property
    def task_class(self) -> Any:
        """The class itself; importing it takes seconds."""
        return _named(self.task)


def _named(name: str) -> Any:
    module, _, thing = name.partition(":")
    return getattr(import_module(module), thing)


ADDED: dict[str, AddedTraining] = {
    one.name: one for one in of_other_packages("asva.trainings", AddedTraining, (*TASKS, "assemble"))
}
