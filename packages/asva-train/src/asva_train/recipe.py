"""Training recipes: YAML files checked against frozen dataclasses."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from asva_data.settings import SettingsReader, plain_values
from asva_train.task_recipes import (
    AudioWindowRecipe,
    AVSyncDRecipe,
    CarryRecipe,
    DiffusionRecipe,
    LocalizerRecipe,
    MTVRecipe,
    SyncRecipe,
    VAERecipe,
)

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
    | SyncRecipe
)
READER: SettingsReader[Recipe] = SettingsReader(
    Annotated[Recipe, Field(discriminator="task")], RECIPES, word="recipe", error=RecipeError
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
