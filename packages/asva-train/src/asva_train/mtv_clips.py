"""Clips with three tracks of sound: of the synthetic world, or of a folder, taken apart."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from asva_audio import MaskDemixer, Stems
from asva_audio.mtv_features import level_tracks
from asva_data import TrackWorld
from asva_train.fields import DataRecipe
from asva_train.training_clip import SAMPLE_RATE, TrainingClip

TRACKS = ("speech", "effects", "music")


class TrackClips:
    """Clips of the three-track world, without end."""

    class_names = ("stage",)
    num_clips = None

    def __init__(self, recipe: DataRecipe) -> None:
        if recipe.height != recipe.width:
            raise ValueError(f"`height` must equal `width` in the synthetic world, got {recipe.height}x{recipe.width}.")
        self.world = TrackWorld(recipe.seed, size=recipe.height, num_frames=recipe.num_frames, fps=recipe.fps)

    def __getitem__(self, index: int) -> TrainingClip:
        clip = self.world[index]
        return TrainingClip(
            frames=clip.frames,
            waveform=clip.waveform[0],
            caption=clip.caption,
            motion_curve=clip.moving.mean(axis=(1, 2)).astype(np.float32),
            class_index=0,
            moving=clip.moving,
            visible=(0,),
            stems=np.concatenate([clip.stems[name] for name in TRACKS]),
        )

    def class_at(self, index: int) -> int:
        del index
        return 0

    def caption_at(self, index: int) -> str:
        """Words of a clip, without making it."""
        return self.world.caption_of(index)


def stems_of(clip: TrainingClip, tracks: Literal["separate", "mix"]) -> np.ndarray:
    """(3, s) the tracks of a clip at MTV's levels: as they are known, or taken apart by masks.

    Args:
        clip: With a sound at 16 kHz.
        tracks: "mix" gives the whole sound three times.
    """
    if tracks == "mix":
        whole = torch.as_tensor(clip.waveform)[None]
        stems = Stems(whole, whole, whole, SAMPLE_RATE)
    elif clip.stems is not None:
        stems = Stems(*torch.as_tensor(clip.stems)[:, None], SAMPLE_RATE)
    else:
        stems = MaskDemixer()(torch.as_tensor(clip.waveform)[None], SAMPLE_RATE)
    return torch.cat([sound for _, sound in level_tracks(stems).items()]).numpy()


def mtv_view(clip: TrainingClip, generator: torch.Generator, tracks: Literal["separate", "mix"] = "separate") -> dict:
    """A clip as MTV trains on it: ``frames`` (t, h, w, 3), ``stems`` (3, s), ``caption``, ``moving`` (t, h, w)."""
    del generator
    return {
        "frames": clip.frames,
        "stems": stems_of(clip, tracks),
        "caption": clip.caption,
        "moving": clip.moving,
    }
