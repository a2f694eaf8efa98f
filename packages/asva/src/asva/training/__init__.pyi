from .loop import Progress, Run, RunError, Task
from .recipe import (
    DataRecipe,
    DiffusionRecipe,
    LocalizerRecipe,
    LoopRecipe,
    RecipeError,
    VAERecipe,
    load_recipe,
    recipe_names,
    recipe_record,
)
from .tasks import make_task

__all__ = [
    "DataRecipe",
    "DiffusionRecipe",
    "LocalizerRecipe",
    "LoopRecipe",
    "Progress",
    "RecipeError",
    "Run",
    "RunError",
    "Task",
    "VAERecipe",
    "load_recipe",
    "make_task",
    "recipe_names",
    "recipe_record",
]
