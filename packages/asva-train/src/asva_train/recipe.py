"""Training recipes: YAML files checked against frozen dataclasses."""

from functools import reduce
from importlib.resources import files
from operator import or_
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from asva_data.settings import SettingsReader, plain_values
from asva_train.task_recipes import (
    AudioWindowRecipe,
    AVSyncDRecipe,
    CarryRecipe,
    ControlRecipe,
    DiffusionRecipe,
    LocalizerRecipe,
    LoRARecipe,
    MTVRecipe,
    SyncRecipe,
    VAERecipe,
)
from asva_train.trainings import ADDED

RECIPES = files("asva_train") / "recipes"


class RecipeError(ValueError):
    """A recipe that does not exist, does not parse or has a field that it may not have."""


Recipe = (
    VAERecipe
    | CarryRecipe
    | LocalizerRecipe
    | DiffusionRecipe
    | AVSyncDRecipe
    | AudioWindowRecipe
    | MTVRecipe
    | ControlRecipe
    | SyncRecipe
    | LoRARecipe
)
_annotated: Any = Annotated  # what a type is of is known at run time alone
_every = reduce(or_, (one.recipe_class for one in ADDED.values()), Recipe)
READER: SettingsReader[Recipe] = SettingsReader(
    _annotated[_every, Field(discriminator="task")], RECIPES, word="recipe", error=RecipeError
)
recipe_names = READER.names
recipe_record = plain_values


def load_recipe(source: str | Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Read a recipe by name or path.

    Args:
        source: Name of a bundled recipe, or path of a YAML file.
        overrides: Values by dotted field name, for example ``{"loop.max_steps": 10}``.

    Raises:
        RecipeError: If there is no such recipe, it does not parse, or a field is unknown or has a wrong type.
    """
    return READER.load(source, overrides)
