"""Training of the head that carries texture: clips as a whole model makes them, beside the true ones."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asva_data.draft import draft_of
from asva_pipelines.loading.load import load_pipeline
from asva_pipelines.notes import note
from asva_train.clips import clip_source
from asva_train.components import build_component, read_component, start_from
from asva_train.errors import RunError
from asva_train.task_recipes import CarryRecipe
from asva_train.training_clip import SAMPLE_RATE, TrainingClip
from asva_unet.losses import TextureCarryLoss
from asva_unet.pixels import to_frames, to_pixels


def _made(clip: TrainingClip, folder: Path) -> Path:
    """The file of what the model makes of a clip, which is known by its sound."""
    return folder / f"{hashlib.sha256(clip.waveform.tobytes()).hexdigest()[:16]}.npz"


def pair_view(clip: TrainingClip, generator: torch.Generator, folder: Path, num_frames: int) -> dict:
    """Some frames of a clip as made and as they are, perhaps mirrored or upside down, colours in another order."""
    with np.load(_made(clip, folder), allow_pickle=False) as file:
        made = file["frames"]
    chosen = torch.randperm(len(clip.frames), generator=generator)[:num_frames].sort().values.numpy()
    down, right = (1 - 2 * torch.randint(2, (2,), generator=generator)).tolist()
    colours = torch.randperm(3, generator=generator).numpy()
    turned = {"decoded": made[chosen], "frames": clip.frames[chosen], "picture": clip.frames[0]}
    pixels = {name: np.ascontiguousarray(value[..., ::down, ::right, colours]) for name, value in turned.items()}
    return pixels | {"moving": np.ascontiguousarray(clip.moving[chosen][..., ::down, ::right])}


class CarryTask:
    """Trains ``asva_unet.TextureCarry`` behind a model, whose clips are made once and kept beside the training."""

    def __init__(self, recipe: CarryRecipe, folder: Path):
        self.recipe, self.source = recipe, clip_source(recipe.data)
        if self.source.num_clips is None:
            raise RunError("`data.shots` must say how many clips of each class are made, got none.")
        self.carry = build_component("texture_carry", recipe.model, recipe.loop.seed)
        if recipe.init is not None:
            start_from(self.carry, read_component("texture_carry", recipe.init))
        self.module = TextureCarryLoss(self.carry, motion_weight=recipe.motion_weight)
        self.made = folder / "training" / "carry" / "made"
        self._make_clips()
        self.view: Callable = partial(pair_view, folder=self.made, num_frames=recipe.frames_per_clip)

    def _make_clips(self) -> None:
        """What the model makes of every clip, without the head, unless an earlier run has made it."""
        self.made.mkdir(parents=True, exist_ok=True)
        pipeline = None
        for index in range(self.source.num_clips or 0):
            clip = self.source[index]
            if (path := _made(clip, self.made)).is_file():
                continue
            if pipeline is None:
                pipeline = load_pipeline(self.recipe.pipeline, device="cpu")
                pipeline.texture_carry = None
            made = pipeline(
                clip.frames[0],
                torch.as_tensor(clip.waveform)[None],
                clip.caption,
                sample_rate=SAMPLE_RATE,
                height=clip.frames.shape[1],
                width=clip.frames.shape[2],
                generator=torch.Generator().manual_seed(index),
            )
            with draft_of(path) as part, part.open("wb") as file:
                np.savez_compressed(file, frames=made.frames)
            if index % 10 == 9:
                note(f"made {index + 1} of {self.source.num_clips} clips", quiet=True)

    @torch.no_grad()
    def previews(self) -> dict[str, Tensor]:
        """True frames above those that were made and those that the head makes of them."""
        clip = self.source[0]
        with np.load(_made(clip, self.made), allow_pickle=False) as file:
            made = torch.as_tensor(file["frames"])
        true = torch.as_tensor(clip.frames)
        device = self.carry.device
        carried = self.carry(to_pixels(made)[None].to(device), to_pixels(true[:1]).to(device))[0]
        return {"carried": torch.cat([true, made, to_frames(carried).cpu()], dim=1)}

    def export(self, folder: Path) -> None:
        """Write ``texture_carry``."""
        self.carry.save_pretrained(folder / "texture_carry")
