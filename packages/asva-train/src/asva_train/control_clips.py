"""Clips as a control is trained on them, from the videos or stored: by the frozen parts of its base."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from asva_audio import LogMelFrames
from asva_dit.controls import Features
from asva_keyframe import optical_flow
from asva_pipelines.hear.features import TRACKS, features_of
from asva_pipelines.hear.latents import encode_frames, encode_text
from asva_pipelines.hear.method import METHOD
from asva_pipelines.hear.pipeline import HearPipeline
from asva_pipelines.loading.folders import damage_named, quiet_libraries, read_index
from asva_pipelines.loading.placement import in_dtype
from asva_pipelines.mtv.parts import read_part
from asva_train.diffusion_task import base_folder
from asva_train.errors import RunError
from asva_train.fields import DataRecipe
from asva_train.fingerprints import component_hash
from asva_train.mtv_clips import stems_of
from asva_train.stored_clips import StoredClip
from asva_train.task_recipes import ControlRecipe
from asva_train.token_sets import TokenSet
from asva_train.training_clip import TrainingClip
from asva_unet.pixels import to_pixels

WORDS = ("text_encoder", "tokenizer", "connectors", "image_encoder", "image_processor")
"""Parts of a base that a training from stored words does without."""
_NETWORKS, _SOUND = ("transformer", "transformer_2"), "sound."


def control_view(clip: TrainingClip | StoredClip, generator: torch.Generator, recipe: ControlRecipe) -> dict:
    """``frames`` (t, h, w, 3), ``caption``, ``sounds`` (n, s), one or one a track, and ``flow`` (t, h, w) if asked.

    Of a stored clip ``latents``, and all else as :class:`ControlEncoders` gives it.
    """
    del generator
    if isinstance(clip, StoredClip):
        return {"latents": clip.frames} | clip.tokens
    several = len(recipe.hears) > 1 and set(recipe.hears) <= set(TRACKS)
    sounds = stems_of(clip, "separate") if several else clip.waveform[None]
    shown = {"frames": clip.frames, "caption": clip.caption, "sounds": np.ascontiguousarray(sounds)}
    return shown | ({"flow": flow_of(clip.frames)} if recipe.motion_weight else {})


def flow_of(frames: np.ndarray) -> np.ndarray:
    """(t, h, w) how far each pixel moves; the first frame as the second."""
    speed = np.linalg.norm(optical_flow(frames), axis=1)
    return np.concatenate([speed[:1], speed])


def moving_cells(flow: Tensor, shape: torch.Size) -> Tensor:
    """(b, t, 1, h, w) movement of latent cells as a share of the clip's mean, of flow (b, f, H, W) of its frames."""
    _, t, _, h, w = shape
    first = (flow.shape[1] - 1) // max(t - 1, 1) - 1  # a whole latent frame for the lone first one
    padded = torch.cat([flow[:, :1].expand(-1, first, -1, -1), flow], dim=1)
    cells = F.adaptive_avg_pool3d(padded[:, None], (t, h, w)).transpose(1, 2)
    return cells / cells.mean(dim=(1, 2, 3, 4), keepdim=True).clamp(min=1e-6)


def sounds_heard(recipe: ControlRecipe, ears: Mapping[str, Any], sources: Any, sounds: Tensor) -> dict[str, Features]:
    """Features of sounds (b, n, s), one or one a track."""
    named: Any = dict(zip(TRACKS, sounds.unbind(1)[:3], strict=True)) if sounds.shape[1] > 1 else sounds[:, 0]
    return features_of(ears, sources, named, recipe.data.num_frames / recipe.data.fps)


def silence_heard(recipe: ControlRecipe, ears: Mapping[str, Any]) -> dict[str, Features]:
    """Features of no sound: their widths and times."""
    names = dict.fromkeys(recipe.hears, 0)
    sounds = dict.fromkeys(recipe.hears, torch.zeros(1, 16000))
    return features_of(ears, names, sounds, recipe.data.num_frames / recipe.data.fps)


def stored_sounds(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Stored tokens (b, n, d) by source."""
    return {name.removeprefix(_SOUND): one for name, one in batch.items() if name.startswith(_SOUND)}


def read_base(recipe: ControlRecipe, without: tuple[str, ...] = ()) -> Any:
    """Diffusers' pipeline of the base.

    Args:
        recipe: Of the training.
        without: Parts that are not read.

    Raises:
        RunError: If there is none, or it cannot be trained on.
    """
    folder = base_folder(recipe.base)
    if folder is None:
        raise RunError("`base` must be given: the folder or hub id of an image-to-video pipeline of diffusers.")
    index = read_index(folder)
    if not METHOD.accepts(index):
        raise RunError(f"`base` must be a {', '.join(METHOD.foreign)} of diffusers, got a {index['_class_name']}.")
    config = folder / recipe.expert / "config.json"
    if config.is_file() and "quantization_config" in json.loads(config.read_text(encoding="utf-8")):
        raise RunError(f"`base` must not be quantised, through which nothing learns, got {folder}.")
    with damage_named(folder), quiet_libraries():
        kept = in_dtype(getattr(torch, recipe.base_precision))
        parts = {name: value for name, value in index.items() if isinstance(value, list)}
        left = {name: None for name, value in parts.items() if name in without or value[0] is None} if without else {}
        return HearPipeline.from_pretrained(folder, **kept, **left, local_files_only=True, use_safetensors=True).stock


def read_ears(recipe: ControlRecipe) -> dict[str, Any]:
    """Audio encoders by name, out of their folders, or spectrograms by their arguments."""
    return {
        name: read_part(name, Path(given)) if isinstance(given, str | Path) else LogMelFrames(**given)
        for name, given in recipe.ears.items()
    }


@dataclass(frozen=True, kw_only=True)
class ControlPlan:
    """Which frozen parts run once for a training of a control.

    Attributes:
        recipe: The training, with its base.
    """

    recipe: ControlRecipe

    @property
    def tokens(self) -> TokenSet:
        """What kind of shards these are."""
        return TokenSet(method="hear")

    def encoders(self, device: str | torch.device = "cpu") -> ControlEncoders:
        """The networks, read."""
        return ControlEncoders(self.recipe, device)

    def hashes(self) -> dict[str, str]:
        """Hashes of all that the stored tokens depend on, by part; of words only those that the base still has."""
        base = base_folder(self.recipe.base) or Path()
        found = {name: base / name for name in ("vae", "text_encoder", "connectors") if (base / name).is_dir()}
        hashes = {name: component_hash(folder) for name, folder in found.items()}
        for name, given in self.recipe.ears.items():
            told = json.dumps(given, sort_keys=True) if isinstance(given, dict) else ""
            hashes[name] = hashlib.sha256(told.encode()).hexdigest() if told else component_hash(Path(str(given)))
        return hashes


class ControlEncoders:
    """Latents of a clip, tokens of its words and of its sound, and how much each cell moves.

    Args:
        recipe: Of the training.
        device: Where the networks run.
    """

    def __init__(self, recipe: ControlRecipe, device: str | torch.device = "cpu") -> None:
        self.recipe, self.device = recipe, torch.device(device)
        self.stock = read_base(recipe, without=_NETWORKS).to(self.device)
        self.ears = {name: ear.to(self.device) for name, ear in read_ears(recipe).items()}

    @torch.no_grad()
    def __call__(self, clip: TrainingClip) -> dict[str, Tensor]:
        """What is stored of a clip.

        Returns:
            ``frames`` (t, c, h, w), ``text`` (n, d), of each source (n, d) and ``cells`` (t, 1, h, w) float16,
            ``motion`` (f,) float32.
        """
        view = control_view(clip, torch.Generator(), self.recipe)
        pixels = to_pixels(torch.as_tensor(clip.frames)[None].to(self.device))
        latents = encode_frames(self.stock.vae, pixels)
        sounds = torch.as_tensor(view["sounds"])[None].to(self.device)
        heard = sounds_heard(self.recipe, self.ears, dict.fromkeys(self.recipe.hears, 0), sounds)
        cells = moving_cells(torch.as_tensor(flow_of(clip.frames))[None].float(), latents.shape)
        made = {"frames": latents[0], "cells": cells[0], "text": self._text(clip.caption)}
        made |= {f"{_SOUND}{name}": part.tokens[0] for name, part in heard.items()}
        halves = {name: value.half().cpu().contiguous() for name, value in made.items()}
        return halves | {"motion": torch.as_tensor(clip.motion_curve)}

    def nothing(self, data: DataRecipe) -> dict[str, Tensor]:
        """Tokens of no words; sound is left out as zeros."""
        del data
        return {"text": self._text("").half().cpu()}

    @torch.no_grad()
    def _text(self, words: str) -> Tensor:
        return encode_text(self.stock, [words], self.device)[0]
