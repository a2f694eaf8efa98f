"""Training of the sync classifiers: AVSyncD's own (section 5.1) and the small one on the synthetic world."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva_train.clips import clip_source
from asva_train.components import build_component, read_component, start_from
from asva_train.fields import DataRecipe
from asva_train.loop import RunError
from asva_train.sync_views import SECONDS, shifted_clips_view, shifted_seconds, small_sync_view
from asva_train.task_recipes import SyncRecipe

SHARPNESS = 0.012
"""Seconds: standard deviation of the true shift that the small classifier is asked for."""
_TOWER = re.compile(r"^module\.(audio|video)_model\.")


class ShiftedClipsLoss(nn.Module):
    """Symmetric InfoNCE over the shifted clips of each video (AVSyncD, section 5.1)."""

    def __init__(self, network: nn.Module, recipe: SyncRecipe):
        super().__init__()
        self.network, self.recipe = network, recipe

    def forward(self, batch: dict, generator: torch.Generator) -> dict[str, Tensor]:
        from asva_metrics import clip_video, shift_losses

        clips, mel = batch["clips"], batch["mel"]
        shape = clips.shape[:2]
        audio = self.network.embed_audio(mel.flatten(0, 1)).unflatten(0, shape)
        pixels = clip_video(clips.flatten(0, 1), size=clips.shape[-1])
        video = self.network.embed_video(pixels).unflatten(0, shape)
        phi = self.network.score(audio[:, :, None], video[:, None]).float()
        losses = shift_losses(phi, temperature=self.recipe.temperature)
        found = (phi.argmax(dim=2) == torch.arange(shape[1], device=phi.device)).float().mean()
        return {"loss": sum(losses) / 2, "found": found}


class SmallSyncLoss(nn.Module):
    """Cross entropy of the true time shift among all shifts of the clip's sound and the sounds of other clips."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.num_shifts = round(2 * SECONDS * network.config.fps)

    def forward(self, batch: dict, generator: torch.Generator) -> dict[str, Tensor]:
        network, true = self.network, batch["shift"]
        video, audio = network.embed_luma(batch["luma"]), network.embed_audio(batch["waveform"])
        shifts = torch.arange(self.num_shifts, device=true.device) * SECONDS / self.num_shifts
        own = network.profile(audio, video, shifts)
        logits = torch.cat((own, self._others(audio, video)), dim=1)
        target = torch.softmax(-((_around(shifts - true[:, None]) / SHARPNESS) ** 2) / 2, dim=1)
        loss = F.cross_entropy(logits, F.pad(target, (0, len(true) - 1)))
        found = (_around(shifts[own.argmax(dim=1)] - true).abs() < 0.05).float().mean()
        return {"loss": loss, "found": found}

    def _others(self, audio: Tensor, video: Tensor) -> Tensor:
        """(b, b - 1) score of each clip's frames with the sounds of the others, as they are."""
        zero = torch.zeros(1, device=audio.device)
        scores = [self.network.profile(audio.roll(k, 0), video, zero) for k in range(1, len(audio))]
        return torch.cat([zero.expand(len(audio), 1)[:, :0], *scores], dim=1)


def _around(seconds: Tensor) -> Tensor:
    """Times on the circle of a clip, from minus to plus half of it."""
    return (seconds + SECONDS / 2) % SECONDS - SECONDS / 2


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
        self.module = ShiftedClipsLoss(self.network, recipe) if avsync else SmallSyncLoss(self.network)
        self.view = (
            partial(shifted_clips_view, recipe=recipe) if avsync else partial(small_sync_view, fps=recipe.data.fps)
        )

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
    from asva_metrics import convert_network, invert_network
    from asva_weights import read_checkpoint

    if name != "sync":
        raise RunError(f"`init` must be a folder for the small classifier, got {init}.")
    given = {_TOWER.sub(r"\1_encoder.", key): value for key, value in read_checkpoint(init).items()}
    state = invert_network(network.state_dict(), "avsync")
    lacking = [key for key in state if not key.startswith("head.") and key not in given]
    if lacking:
        raise RunError(f"`init` must hold both towers of AVID-CMA, got {init} without {lacking[0]}.")
    state |= {key: value for key, value in given.items() if key in state}
    network.load_state_dict(convert_network(state, "avsync"))
    return None
