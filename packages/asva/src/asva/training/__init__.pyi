from .fields import DataRecipe, LoopRecipe
from .loop import Progress, Run, RunError, Task
from .recipe import RecipeError, load_recipe, recipe_names, recipe_record
from .task_recipes import AudioWindowRecipe, AVSyncDRecipe, DiffusionRecipe, LocalizerRecipe, SyncRecipe, VAERecipe
from .tasks import make_task

__all__ = [
    "AVSyncDRecipe",
    "AudioWindowRecipe",
    "DataRecipe",
    "DiffusionRecipe",
    "LocalizerRecipe",
    "LoopRecipe",
    "Progress",
    "RecipeError",
    "Run",
    "RunError",
    "SyncRecipe",
    "Task",
    "VAERecipe",
    "load_recipe",
    "make_task",
    "recipe_names",
    "recipe_record",
]
