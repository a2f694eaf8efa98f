"""The task that a recipe names."""

from pathlib import Path
from typing import cast

from asva_train.diffusion_task import DenoisingTask
from asva_train.errors import RunError
from asva_train.loop import Task
from asva_train.recipe import READER, Recipe, recipe_record
from asva_train.task_recipes import LoRARecipe
from asva_train.tasks.lora import LoRATask
from asva_train.token_sets import tokens_of_recipe
from asva_train.trainings import TRAININGS


def make_task(recipe: Recipe, folder: Path) -> Task:
    """The task of a recipe on a model folder.

    Raises:
        RunError: If the folder lacks a component that the task needs, or clips are stored as tokens and the task needs
            the videos themselves.
    """
    if recipe.data.kind == "latents" and tokens_of_recipe(recipe) is None:
        raise RunError(f"`data.kind` must not be latents to train {recipe.task}, which needs the videos themselves.")
    if isinstance(recipe, LoRARecipe):
        like = {"task": recipe.method, "base": recipe.base} | {
            key: recipe_record(recipe)[key] for key in ("data", "loop")
        }
        return LoRATask(recipe, cast(DenoisingTask, make_task(READER.parse(like | recipe.training), folder)))
    return TRAININGS[recipe.task].task_class(recipe, Path(folder))
