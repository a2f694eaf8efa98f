"""Which frames of a clip a network trains on, and what it is told about them (KeyVID, sections 3.2 and 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from asva_audio import imagebind_mel
from asva_keyframe import (
    curve_label,
    keyframe_mask,
    select_keyframes,
    training_frames,
    uniform_keyframes,
    uniform_training_frames,
)
from asva_train.stored_clips import StoredClip
from asva_train.task_recipes import DiffusionRecipe
from asva_train.training_clip import TrainingClip


def whole_clip(clip: TrainingClip | StoredClip, generator: torch.Generator, learning: Sequence[str] = ()) -> dict:
    """Every frame of a clip, ``frames`` (t, h, w, 3) uint8, and its ``conditions``: ``waveform`` (s,), ``caption``.

    Of a stored clip, latents and tokens; encoders in ``learning`` see words or picture.
    """
    del generator
    return {"frames": clip.frames} | clip.conditions(learning)


def clip_view(clip: TrainingClip | StoredClip, generator: torch.Generator, recipe: DiffusionRecipe) -> dict:
    """Sample of one clip.

    Returns:
        ``frames`` (t, h, w, 3) uint8, ``frame_indices`` (t,) their places in the clip at 24 fps, ``known`` (t,) bool
        which of them the interpolator is given, ``fps`` what the network is told, ``mel`` (1, f, n), ``caption``.
        Of a stored clip, latents and tokens stand in their places, see :meth:`StoredClip.conditions`.
    """
    draws = np.random.default_rng(generator.initial_seed())
    chosen, indices, known, fps = (_official if recipe.sampling == "official" else _whole_clip)(clip, recipe, draws)
    sample = {"frames": clip.frames[chosen], "frame_indices": indices, "known": known, "fps": fps}
    given = clip.conditions(recipe.train)
    mel = given.pop("audio") if "audio" in given else imagebind_mel(torch.as_tensor(given.pop("waveform")))[0]
    return sample | given | {"mel": mel}


def _whole_clip(clip: TrainingClip, recipe: DiffusionRecipe, draws: np.random.Generator) -> tuple:
    """Keyframes alone, or every frame of the clip with the keyframes known."""
    num_frames = len(clip.frames)
    keyframes = _keyframes(clip, recipe, draws)
    if recipe.task == "keyframe":
        return keyframes, keyframes, np.ones(len(keyframes), bool), recipe.keyframe_fps
    everything = np.arange(num_frames)
    return everything, everything, np.isin(everything, keyframes), round(recipe.data.fps)


def _keyframes(clip: TrainingClip, recipe: DiffusionRecipe, draws: np.random.Generator) -> np.ndarray:
    """From the motion curve, or for variety evenly spaced, or anywhere; evenly alone where the recipe says so."""
    num_frames, num = len(clip.frames), recipe.num_keyframes
    if recipe.selection == "uniform":
        return uniform_keyframes(num_frames, num)
    if draws.random() < recipe.keyframe_ratio:
        curve = curve_label(clip.motion_curve, num_frames).numpy()
        return select_keyframes(curve, num, rule=recipe.selection, fps=recipe.data.fps, generator=draws)
    if draws.random() < 0.5:
        return uniform_keyframes(num_frames, num)
    return np.sort(np.r_[0, 1 + draws.permutation(num_frames - 1)[: num - 1]])


def _official(clip: TrainingClip, recipe: DiffusionRecipe, draws: np.random.Generator) -> tuple:
    """As the original's datasets: 12 keyframes, or 12 neighbouring frames of which some are known keyframes."""
    options: dict[str, Any] = {"fps": recipe.data.fps, "duration": len(clip.frames) / recipe.data.fps}
    if recipe.selection == "uniform":
        spacing = len(clip.frames) // recipe.num_keyframes
        keyframes = uniform_training_frames(recipe.num_keyframes, stride=spacing, **options)
    else:
        keyframes = training_frames(clip.motion_curve, recipe.num_keyframes, generator=draws, **options)
    picked = keyframes
    if recipe.task == "interp" or draws.random() >= recipe.keyframe_ratio:
        stride = int(draws.integers(1, 3)) if recipe.task == "interp" else 1
        picked = uniform_training_frames(recipe.num_keyframes, stride=stride, **options)
    known = keyframe_mask(picked.condition_indices, keyframes.condition_indices)
    return picked.frame_indices, picked.condition_indices, known, picked.fps
