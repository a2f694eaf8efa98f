"""What a training is, of this package or of another. No list of them here: what describes one imports this alone."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Training:
    """What ``asva train`` trains by a name.

    Attributes:
        name: As its recipes and the command line have it.
        summary: What learns, in a line, and what its options are.
        task: An :class:`asva_train.Task`, made of a recipe and the model folder; as ``module:name``.
        default: The recipe that is taken where none is named, or its YAML.
    """

    name: str
    summary: str
    task: str
    default: str | Path

    @property
    def task_class(self) -> Any:
        """The class itself; importing it takes seconds."""
        return _named(self.task)


@dataclass(frozen=True, kw_only=True)
class AddedTraining(Training):
    """One of another package, which joins by an entry point of the group ``asva.trainings``.

    Its module is read whenever `asva` starts: no torch there.

    Attributes:
        recipe: Class of its recipes, made by ``asva_data.settings.strict``, whose ``task`` is a literal of the name and
            that hold ``data`` and ``loop``; as ``module:name``.
    """

    recipe: str

    @property
    def recipe_class(self) -> Any:
        """The class itself."""
        return _named(self.recipe)


def _named(name: str) -> Any:
    module, _, thing = name.partition(":")
    return getattr(import_module(module), thing)
