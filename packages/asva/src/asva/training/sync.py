"""Training of the sync classifiers: AVSyncD's own (section 5.1) and the small one on the synthetic world."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva.training.clips import clip_source
from asva.training.components import build_component, read_component, start_from
from asva.training.sync_views import SECONDS, small_sync_view
from asva.training.task_recipes import SyncRecipe

SHARPNESS = 0.012
"""Seconds: standard deviation of the true shift that the small classifier is asked for."""


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
        distance = (shifts - true[:, None] + SECONDS / 2) % SECONDS - SECONDS / 2
        target = F.pad(torch.softmax(-((distance / SHARPNESS) ** 2) / 2, dim=1), (0, len(true) - 1))
        error = (own.argmax(dim=1) * SECONDS / self.num_shifts - true + SECONDS / 2) % SECONDS - SECONDS / 2
        found = (error.abs() < 0.05).float().mean()
        return {"loss": F.cross_entropy(logits, target), "found": found}

    def _others(self, audio: Tensor, video: Tensor) -> Tensor:
        """(b, b - 1) score of each clip's frames with the sounds of the others, as they are."""
        b = len(audio)
        zero = torch.zeros(1, device=audio.device)
        scores = [self.network.profile(audio.roll(k, 0), video, zero) for k in range(1, b)]
        return torch.cat(scores, dim=1)


class SyncTask:
    """Trains the classifier that the recipe names."""

    def __init__(self, recipe: SyncRecipe, folder: Path):
        self.recipe, self.source = recipe, clip_source(recipe.data)
        self.name = "sync" if recipe.network == "avsync" else "small_sync"
        self.network = build_component(self.name, recipe.model, recipe.loop.seed)
        if recipe.init is not None:
            start_from(self.network, read_component(self.name, recipe.init))
        self.module = SmallSyncLoss(self.network)
        self.view = partial(small_sync_view, fps=recipe.data.fps)

    def previews(self) -> dict[str, Tensor]:
        """Shift profiles are numbers; there is no video to show."""
        return {}

    def export(self, folder: Path) -> None:
        """Write ``sync`` or ``small_sync``."""
        self.network.save_pretrained(folder / self.name)
