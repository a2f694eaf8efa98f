"""Public names of asva_train, loaded when first used."""

from .errors import RunError as RunError
from .fields import DataRecipe as DataRecipe
from .fields import LoopRecipe as LoopRecipe
from .loop import Progress as Progress
from .loop import Run as Run
from .loop import Task as Task
from .make_task import make_task as make_task
from .recipe import RecipeError as RecipeError
from .recipe import load_recipe as load_recipe
from .recipe import recipe_names as recipe_names
from .recipe import recipe_record as recipe_record
from .task_recipes import AudioWindowRecipe as AudioWindowRecipe
from .task_recipes import AVSyncDRecipe as AVSyncDRecipe
from .task_recipes import DiffusionRecipe as DiffusionRecipe
from .task_recipes import LocalizerRecipe as LocalizerRecipe
from .task_recipes import SyncRecipe as SyncRecipe
from .task_recipes import VAERecipe as VAERecipe
from .training import AddedTraining as AddedTraining

__all__ = [
    "AVSyncDRecipe",
    "AddedTraining",
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
