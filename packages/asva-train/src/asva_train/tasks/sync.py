"""Training of the sync classifiers: AVSyncD's own (section 5.1) and the small one on the synthetic world."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asva_metrics.networks.weights import start_from_avid_cma
from asva_metrics.sync_augmentation import CLIP_FPS, out_of_time, shifted_clips
from asva_metrics.sync_losses import SECONDS, ShiftedClipsLoss, SmallSyncLoss
from asva_train.clips import clip_source
from asva_train.components import build_component, read_component, start_from
from asva_train.errors import RunError
from asva_train.fields import DataRecipe
from asva_train.task_recipes import SyncRecipe
from asva_train.training_clip import TrainingClip


def shifted_clips_view(clip: TrainingClip, generator: torch.Generator, *, recipe: SyncRecipe) -> dict:
    """The shifted clips of one video and their mels."""
    options = {name: getattr(recipe, name) for name in ("num_shifts", "shift_seconds", "flip")}
    return shifted_clips(clip.frames, recipe.data.fps, clip.waveform, generator=generator, **options)


def small_sync_view(clip: TrainingClip, generator: torch.Generator, *, fps: float) -> dict:
    """Two seconds of a longer clip with a sound at another time."""
    draws = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    return out_of_time(clip.frames, fps, clip.waveform, draws)


class SyncTask:
    """Trains the classifier that the recipe names and exports it as ``sync`` or ``small_sync``."""

    def __init__(self, recipe: SyncRecipe, folder: Path):
        self.recipe, avsync = recipe, recipe.network == "avsync"
        _check_length(recipe.data, (recipe.num_shifts - 1) * recipe.shift_seconds + SECONDS if avsync else SECONDS)
        if avsync and abs(recipe.data.fps / CLIP_FPS - round(recipe.data.fps / CLIP_FPS)) > 1e-6:
            raise RunError(f"`data.fps` must be a multiple of 6 for frames at 6 fps, got {recipe.data.fps:g}.")
        self.source = clip_source(recipe.data)
        self.name = "sync" if avsync else "small_sync"
        self.network = build_component(self.name, recipe.model, recipe.loop.seed)
        if recipe.init is not None and recipe.init.is_file() and avsync:
            start_from_avid_cma(self.network, recipe.init)
        elif recipe.init is not None:
            start_from(self.network, read_component(self.name, recipe.init))
        if avsync:
            self.module = ShiftedClipsLoss(self.network, temperature=recipe.temperature)
            self.view = partial(shifted_clips_view, recipe=recipe)
        else:
            self.module = SmallSyncLoss(self.network)
            self.view = partial(small_sync_view, fps=recipe.data.fps)

    def previews(self) -> dict[str, Tensor]:
        """Scores are numbers; there is no video to show."""
        return {}

    def export(self, folder: Path) -> None:
        """Write ``sync`` or ``small_sync``."""
        self.network.save_pretrained(folder / self.name)


def _check_length(data: DataRecipe, seconds: float) -> None:
    least = round(seconds * data.fps)
    if data.num_frames < least:
        raise RunError(f"`data.num_frames` must be at least {least} at {data.fps:g} fps, got {data.num_frames}.")
