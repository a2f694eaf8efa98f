"""The clips that a model makes, as a recipe of data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asva_pipelines.loading.folders import method_of_model, model_settings
from asva_train.fields import DataRecipe
from asva_train.recipe import RecipeError

_OF_MODEL = ("height", "width", "num_frames", "fps")


def clips_of_model(folder: Path, model: Path, values: Mapping[str, Any]) -> DataRecipe:
    """Clips of a folder of videos in the size, length and rate of a model's videos.

    Args:
        folder: Of videos.
        model: Folder of the model.
        values: Fields that differ, such as ``{"data.seed": 3}``.

    Raises:
        RecipeError: If a field is unknown or its value cannot be.
    """
    settings = model_settings(model, method_of_model(model))
    fields = {name: settings[name] for name in _OF_MODEL}
    fields |= {name.removeprefix("data."): value for name, value in values.items()}
    fields |= {"kind": "folder", "root": folder}
    try:
        return DataRecipe(**fields)
    except ValueError as error:
        raise RecipeError(f"`--set` must name fields of the clips: {' '.join(str(error).splitlines()[1:3])}") from error
