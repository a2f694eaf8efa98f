"""Losses of the sync classifiers: AVSyncD's own (section 5.1) and that of the small one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva_metrics.networks.avsync import AVSyncClassifier, shift_losses
from asva_metrics.networks.preprocessing import clip_video
from asva_metrics.networks.sync_small import SmallSyncClassifier

SECONDS = 2.0
"""Length of the clips that a classifier sees."""
SHARPNESS = 0.012
"""Seconds: standard deviation of the true shift that the small classifier is asked for."""


class ShiftedClipsLoss(nn.Module):
    """Symmetric InfoNCE over the shifted clips of each video (AVSyncD, section 5.1).

    Args:
        network: The classifier.
        temperature: Divides the scores.

    >>> network = AVSyncClassifier(widths=(8, 8, 8, 8), hidden=(8, 8))
    >>> clips = {"clips": torch.zeros(1, 3, 12, 3, 32, 32, dtype=torch.uint8), "mel": torch.zeros(1, 3, 1, 128, 204)}
    >>> sorted(ShiftedClipsLoss(network)(clips))
    ['found', 'loss']
    """

    def __init__(self, network: AVSyncClassifier, *, temperature: float = 0.1):
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, batch: dict[str, Tensor], generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Losses of ``clips`` (b, k, t, 3, h, w) uint8 and their ``mel`` (b, k, 1, f, n)."""
        clips, mel = batch["clips"], batch["mel"]
        shape = clips.shape[:2]
        audio = self.network.embed_audio(mel.flatten(0, 1)).unflatten(0, shape)
        pixels = clip_video(clips.flatten(0, 1), size=clips.shape[-1])
        video = self.network.embed_video(pixels).unflatten(0, shape)
        phi = self.network.score(audio[:, :, None], video[:, None]).float()
        seen, heard = shift_losses(phi, temperature=self.temperature)
        found = (phi.argmax(dim=2) == torch.arange(shape[1], device=phi.device)).float().mean()
        return {"loss": (seen + heard) / 2, "found": found}


class SmallSyncLoss(nn.Module):
    """Cross entropy of the true time shift among all shifts of the clip's sound and the sounds of other clips.

    >>> widths = {"video_widths": (8, 8, 8), "audio_widths": (8, 8, 8), "width": 16, "embed_dim": 8}
    >>> clips = {"luma": torch.rand(2, 48, 64, 64), "waveform": torch.rand(2, 32000), "shift": torch.zeros(2)}
    >>> sorted(SmallSyncLoss(SmallSyncClassifier(**widths))(clips))
    ['found', 'loss']
    """

    def __init__(self, network: SmallSyncClassifier):
        super().__init__()
        self.network = network
        self.num_shifts = round(2 * SECONDS * network.config["fps"])

    def forward(self, batch: dict[str, Tensor], generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Losses of ``luma`` (b, t, h, w), ``waveform`` (b, s), and the ``shift`` (b,) in seconds that is true."""
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
