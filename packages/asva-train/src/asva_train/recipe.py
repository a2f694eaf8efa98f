"""Training recipes: YAML files checked against frozen dataclasses."""

from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from asva_train.task_recipes import (
    AudioWindowRecipe,
    AVSyncDRecipe,
    DiffusionRecipe,
    LocalizerRecipe,
    MTVRecipe,
    SyncRecipe,
    VAERecipe,
)

RECIPES = files("asva_train") / "recipes"


class RecipeError(ValueError):
    """A recipe that does not exist, does not parse or has a field that it may not have."""


Recipe = VAERecipe | LocalizerRecipe | DiffusionRecipe | AVSyncDRecipe | AudioWindowRecipe | MTVRecipe | SyncRecipe
_ADAPTER = TypeAdapter(Annotated[Recipe, Field(discriminator="task")])


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.name.removesuffix(".yaml") for path in RECIPES.iterdir() if path.name.endswith(".yaml"))


def load_recipe(source: str | Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Read a recipe by name or path.

    Args:
        source: Name of a bundled recipe, or path of a YAML file.
        overrides: Values by dotted field name, for example ``{"loop.max_steps": 10}``.

    Raises:
        RecipeError: If there is no such recipe, it does not parse, or a field is unknown or has a wrong type.
    """
    path = Path(source)
    if not path.is_file():
        if str(source) not in recipe_names():
            raise RecipeError(f"`recipe` must be a YAML file or one of {', '.join(recipe_names())}, got {source}.")
        path = RECIPES / f"{source}.yaml"
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RecipeError(f"`recipe` must be valid YAML, got {path}: {str(error).splitlines()[0]}.") from error
    for name, value in (overrides or {}).items():
        _set(fields, name.split("."), value)
    return _validate(fields, path)


def _set(fields: dict, names: list[str], value: Any) -> None:
    for name in names[:-1]:
        fields = fields.setdefault(name, {})
    fields[names[-1]] = value


def _validate(fields: Any, path: Any) -> Recipe:
    try:
        return _ADAPTER.validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecipeError(f"`{place}` in {path}: {first['msg']}.") from error


def recipe_of_record(record: dict[str, Any]) -> Recipe:
    """The recipe that a record is of; fields that did not exist when it was written have their defaults.

    Raises:
        RecipeError: If it is none.
    """
    return _validate(record, "the record")


def recipe_record(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values that YAML and JSON can hold."""
    return yaml.safe_load(yaml.safe_dump(_plain(asdict(recipe))))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
