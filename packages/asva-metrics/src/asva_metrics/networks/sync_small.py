"""A small sync classifier: two towers embed every moment of picture and sound, so one pass scores every time shift.

Ours, trained on the synthetic world (see ``models/small-sync/README.md``). It is not the classifier of AVSyncD and its
scores are not RelSync's. The towers hear and see *when*, not *what*: the mean of the sound's embeddings is taken out.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from asva_metrics.networks.preprocessing import unit_range

SAMPLE_RATE, MEL_RATE, NUM_MELS = 16000, 100, 64
LUMA = (0.299, 0.587, 0.114)
LOUDEST_RANGE = 9.0
"""Nepers of power (39 dB) below the loudest moment that are heard; what is quieter counts as silence."""


class TimeBlock(nn.Module):
    """Residual convolution over time (b, d, t)."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.conv = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.conv(F.silu(self.norm(hidden)))


def _space(inner: int, outer: int, kernel: int, stride: int | tuple[int, int] = 2) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, outer, kernel, stride, kernel // 2), nn.GroupNorm(8, outer), nn.SiLU())


class SmallSyncClassifier(ModelMixin, ConfigMixin):
    """Score of a sound and frames at each time shift of the sound, unbounded, larger for in time.

    Args:
        fps: Frames per second that the picture tower sees.
        size: Side of the pictures that it sees.
        video_widths: Channels of its three spatial convolutions.
        audio_widths: Channels of the sound tower's three.
        width: Channels of the convolutions over time.
        embed_dim: Width of the embeddings.
    """

    @register_to_config
    def __init__(
        self,
        fps: float = 24.0,
        size: int = 64,
        video_widths: tuple[int, int, int] = (32, 64, 96),
        audio_widths: tuple[int, int, int] = (16, 32, 48),
        width: int = 128,
        embed_dim: int = 64,
    ) -> None:
        super().__init__()
        v, a = video_widths, audio_widths
        self.picture = nn.ModuleList((_space(3, v[0], 7, 4), _space(v[0], v[1], 3)))
        self.motion = nn.ModuleList(nn.Conv3d(w, w, (3, 1, 1), padding=(1, 0, 0)) for w in v[:2])
        self.cells = _space(v[1], v[2], 3)
        self.video_time = nn.Sequential(
            nn.Conv1d(2 * v[2], width, 1), *(TimeBlock(width, d) for d in (1, 2, 4)), nn.SiLU()
        )
        self.video_out = nn.Conv1d(width, embed_dim, 1)
        self.sound = nn.Sequential(
            _space(2, a[0], 5, (2, 1)), _space(a[0], a[1], 3, (2, 2)), _space(a[1], a[2], 3, (2, 1))
        )
        self.audio_time = nn.Sequential(
            nn.Conv1d(a[2] * NUM_MELS // 8, width, 1), *(TimeBlock(width, d) for d in (1, 2, 4)), nn.SiLU()
        )
        self.audio_out = nn.Conv1d(width, embed_dim, 1)
        self.log_scale = nn.Parameter(torch.tensor(math.log(0.1)))

    def forward(self, waveform: Tensor, video: Tensor, shifts: Tensor) -> Tensor:
        """Score at each shift.

        Args:
            waveform: (b, s) sound at 16 kHz, as long as the pictures.
            video: (b, t, 3, h, w) uint8 or float in [0, 1], at the ``fps`` of the config.
            shifts: (k,) seconds by which the sound is moved later, circularly.

        Returns:
            (b, k) scores.

        Raises:
            ValueError: If a shape is another or the numbers of clips differ.
        """
        if len(waveform) != len(video):
            raise ValueError(f"`video` must hold as many clips as `waveform` ({len(waveform)}), got {len(video)}.")
        return self.profile(self.embed_audio(waveform), self.embed_video(video), shifts)

    def embed_video(self, video: Tensor) -> Tensor:
        """(b, t, 3, h, w) -> (b, t, d), one embedding per frame."""
        values = unit_range(video, "video", 5)
        luma = (values * values.new_tensor(LUMA)[:, None, None]).sum(dim=2)
        side = self.config["size"]
        if luma.shape[-2:] != (side, side):
            luma = F.interpolate(luma, (side, side), mode="bilinear", align_corners=False, antialias=True)
        return self.embed_luma(luma)

    def embed_luma(self, luma: Tensor) -> Tensor:
        """(b, t, side, side) brightness -> (b, t, d)."""
        b, t = luma.shape[:2]
        luma = luma - luma.mean(dim=(1, 2, 3), keepdim=True)
        luma = luma / luma.std(dim=(1, 2, 3), keepdim=True).clamp_min(0.02)
        change = F.pad(luma[:, 1:] - luma[:, :-1], (0, 0, 0, 0, 1, 1))
        hidden = torch.stack((luma, 3 * change[:, :-1], 3 * change[:, 1:]), dim=2).flatten(0, 1)
        for space, motion in zip(self.picture, self.motion, strict=True):
            hidden = space(hidden)
            frames = hidden.unflatten(0, (b, t)).transpose(1, 2)
            hidden = hidden + motion(frames).transpose(1, 2).flatten(0, 1)
        cells = self.cells(hidden)
        pooled = torch.cat((cells.amax(dim=(2, 3)), cells.mean(dim=(2, 3))), dim=1)
        return self.video_out(self.video_time(pooled.unflatten(0, (b, t)).transpose(1, 2))).transpose(1, 2)

    def embed_audio(self, waveform: Tensor) -> Tensor:
        """(b, s) -> (b, n, d), one embedding every 20 ms, the first at 0; their mean is 0."""
        if waveform.ndim != 2 or waveform.shape[1] < SAMPLE_RATE // 10:
            raise ValueError(f"`waveform` must have shape (b, s) with 0.1 s or more, got {tuple(waveform.shape)}.")
        hidden = self.sound(self._mel(waveform)).flatten(1, 2)
        embeds = self.audio_out(self.audio_time(hidden)).transpose(1, 2)
        return embeds - embeds.mean(dim=1, keepdim=True)

    def profile(self, audio: Tensor, video: Tensor, shifts: Tensor) -> Tensor:
        """Score of embeddings (b, n, d) and (b, t, d) with the sound moved later by `shifts` (k,): (b, k)."""
        sums = self.match(audio, video)
        return _circular_sums(sums, MEL_RATE / 2 / self.config["fps"], shifts.to(sums) * MEL_RATE / 2)

    def match(self, audio: Tensor, video: Tensor) -> Tensor:
        """(b, n, d) and (b, t, d) -> (b, t, n), how well each frame fits each moment of the sound."""
        return self.log_scale.exp() / math.sqrt(audio.shape[-1]) * video @ audio.transpose(1, 2)

    def _mel(self, waveform: Tensor) -> Tensor:
        """(b, s) -> (b, 2, f, n) level within the loudest 39 dB, each band about its mean, and its growth."""
        from asva_audio import imagebind_mel

        half = SAMPLE_RATE // 80  # windows of 25 ms stand around their moment
        num_frames = waveform.shape[1] * MEL_RATE // SAMPLE_RATE
        level = 9.138 * imagebind_mel(F.pad(waveform, (half, half)), num_mel_bins=NUM_MELS, num_frames=num_frames)
        level = torch.maximum(level, level.amax(dim=(1, 2, 3), keepdim=True) - LOUDEST_RANGE)
        growth = F.pad(level[..., 2:] - level[..., :-2], (1, 1))
        return torch.cat((level - level.mean(dim=3, keepdim=True), growth), dim=1) / 2


def _circular_sums(match: Tensor, step: float, shifts: Tensor) -> Tensor:
    """Sums of (b, t, n) along the lines that each shift draws, frame i at moment ``i * step - shift``: (b, k)."""
    t, n = match.shape[1:]
    at = (torch.arange(t, device=match.device) * step - shifts[:, None]) % n
    low = at.floor().long().clamp_max(n - 1)
    share = (at - low).clamp(0, 1)
    frames = torch.arange(t, device=match.device).expand_as(low)
    return ((1 - share) * match[:, frames, low] + share * match[:, frames, (low + 1) % n]).sum(dim=2)
