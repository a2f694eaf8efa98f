"""The task that a recipe names."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from asva_train.added import ADDED
from asva_train.diffusion_task import DenoisingTask
from asva_train.errors import RunError
from asva_train.loop import Task
from asva_train.recipe import READER, Recipe, recipe_record
from asva_train.task_recipes import LoRARecipe
from asva_train.tasks.audio_window import AudioWindowTask
from asva_train.tasks.avsyncd import AVSyncDTask
from asva_train.tasks.carry import CarryTask
from asva_train.tasks.control import ControlTask
from asva_train.tasks.keyvid import KeyVIDTask
from asva_train.tasks.localizer import LocalizerTask
from asva_train.tasks.lora import LoRATask
from asva_train.tasks.mtv import MTVTask
from asva_train.tasks.sync import SyncTask
from asva_train.tasks.vae import VAETask
from asva_train.token_sets import tokens_of_recipe

_TASKS: dict[str, Callable[..., Task]] = {
    "vae": VAETask,
    "carry": CarryTask,
    "localizer": LocalizerTask,
    "keyframe": KeyVIDTask,
    "interp": KeyVIDTask,
    "avsyncd": AVSyncDTask,
    "i2vd": AVSyncDTask,
    "audio-window": AudioWindowTask,
    "mtv": MTVTask,
    "control": ControlTask,
    "sync": SyncTask,
}


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
    make = ADDED[recipe.task].task_class if recipe.task in ADDED else _TASKS[recipe.task]
    return make(recipe, Path(folder))
