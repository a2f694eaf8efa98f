"""Training of the sync classifiers: AVSyncD's own (section 5.1) and the small one on the synthetic world."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from asva_audio import imagebind_mel
from asva_metrics import convert_network, invert_network
from asva_metrics.networks.weights import read_weights
from asva_metrics.sync_augmentation import other_camera, other_microphone
from asva_metrics.sync_losses import SECONDS, ShiftedClipsLoss, SmallSyncLoss
from asva_train.clips import clip_source
from asva_train.components import build_component, read_component, start_from
from asva_train.errors import RunError
from asva_train.fields import DataRecipe
from asva_train.task_recipes import SyncRecipe
from asva_train.training_clip import SAMPLE_RATE, TrainingClip

CLIP_FPS, CLIP_FRAMES = 6, 12
_TOWER = re.compile(r"^module\.(audio|video)_model\.")


def shifted_seconds(recipe: SyncRecipe) -> float:
    """Seconds that all shifted clips of a video take together."""
    return (recipe.num_shifts - 1) * recipe.shift_seconds + SECONDS


def shifted_clips_view(clip: TrainingClip, generator: torch.Generator, *, recipe: SyncRecipe) -> dict:
    """The shifted clips of one video (AVSyncD, section 5.1): 12 frames at 6 fps each, mirrored or not, and their mels.

    Each sound begins exactly with its clip; the original's begins with the next packet, up to 64 ms later.
    """
    starts = np.arange(recipe.num_shifts) * recipe.shift_seconds
    wanted = (starts[:, None] + np.arange(CLIP_FRAMES) / CLIP_FPS) * recipe.data.fps
    indices = np.minimum(np.round(wanted).astype(np.int64), len(clip.frames) - 1)
    clips = torch.from_numpy(clip.frames)[torch.from_numpy(indices)].permute(0, 1, 4, 2, 3)
    mirrored = torch.rand(recipe.num_shifts, generator=generator) < recipe.flip
    clips = torch.where(mirrored[:, None, None, None, None], clips.flip(-1), clips)
    first = np.round(starts * SAMPLE_RATE).astype(np.int64)
    sounds = np.lib.stride_tricks.sliding_window_view(clip.waveform, round(SECONDS * SAMPLE_RATE))[first]
    return {"clips": clips, "mel": imagebind_mel(torch.from_numpy(sounds.copy()))}


def small_sync_view(clip: TrainingClip, generator: torch.Generator, *, fps: float) -> dict:
    """Two seconds of a longer clip: brightness of the frames, a sound at another time, and what brings it back.

    Half of the sounds are cut from the clip at another moment, a quarter are rotated, a quarter are in time. ``shift``
    is the seconds by which the sound has to move, circularly, to be in time.
    """
    draws = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    num_frames, num_samples = round(SECONDS * fps), round(SECONDS * SAMPLE_RATE)
    room = len(clip.frames) - num_frames
    first = int(draws.integers(room + 1))
    sound_first, kind = first, draws.random()
    if kind < 0.5:
        sound_first = int(draws.integers(room + 1))
    begin = round(sound_first / fps * SAMPLE_RATE)
    sound = np.pad(clip.waveform[begin : begin + num_samples], (0, max(0, begin + num_samples - len(clip.waveform))))
    shift = (sound_first - first) / fps
    if kind >= 0.75:
        roll = int(draws.integers(num_samples))
        sound, shift = np.roll(sound, roll), -roll / SAMPLE_RATE
    luma = other_camera(clip.frames[first : first + num_frames], draws)
    return {"luma": luma, "waveform": other_microphone(sound, draws), "shift": np.float32(shift)}


class SyncTask:
    """Trains the classifier that the recipe names and exports it as ``sync`` or ``small_sync``."""

    def __init__(self, recipe: SyncRecipe, folder: Path):
        self.recipe = recipe
        avsync = recipe.network == "avsync"
        _check_length(recipe.data, shifted_seconds(recipe) if avsync else SECONDS, exact=avsync)
        self.source = clip_source(recipe.data)
        self.name = "sync" if avsync else "small_sync"
        self.network = build_component(self.name, recipe.model, recipe.loop.seed)
        if recipe.init is not None:
            _start(self.network, self.name, recipe.init)
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


def _check_length(data: DataRecipe, seconds: float, *, exact: bool) -> None:
    least = round(seconds * data.fps)
    if data.num_frames < least:
        raise RunError(f"`data.num_frames` must be at least {least} at {data.fps:g} fps, got {data.num_frames}.")
    if exact and abs(data.fps / 6 - round(data.fps / 6)) > 1e-6:
        raise RunError(f"`data.fps` must be a multiple of 6 for frames at 6 fps, got {data.fps:g}.")


def _start(network: nn.Module, name: str, init: Path) -> None:
    """Weights of a folder, or the towers of an AVID-CMA checkpoint, from which the original starts."""
    if not init.is_file():
        return start_from(network, read_component(name, init))
    if name != "sync":
        raise RunError(f"`init` must be a folder for the small classifier, got {init}.")
    given = {_TOWER.sub(r"\1_encoder.", key): value for key, value in read_weights(init).items()}
    state = invert_network(network.state_dict(), "avsync")
    lacking = [key for key in state if not key.startswith("head.") and key not in given]
    if lacking:
        raise RunError(f"`init` must hold both towers of AVID-CMA, got {init} without {lacking[0]}.")
    state |= {key: value for key, value in given.items() if key in state}
    network.load_state_dict(convert_network(state, "avsync"))
    return None
