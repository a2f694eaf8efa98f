"""The AVSync classifier: do this sound and these frames happen together? (AVSyncD, section 5)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn


class AudioBlock(nn.Module):
    """Two 3 x 3 convolutions with norm and ReLU, the first with the stride."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outer)

    def forward(self, mel: Tensor) -> Tensor:
        return F.relu(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(mel))))))


class VideoBlock(nn.Module):
    """Residual block of convolutions over space, then over time (R(2+1)D); its last norm follows the sum."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.space1 = nn.Conv3d(inner, outer, (1, 3, 3), (1, stride, stride), padding=(0, 1, 1), bias=False)
        self.space1_norm = nn.BatchNorm3d(outer)
        self.time1 = nn.Conv3d(outer, outer, (3, 1, 1), (stride, 1, 1), padding=(1, 0, 0), bias=False)
        self.time1_norm = nn.BatchNorm3d(outer)
        self.space2 = nn.Conv3d(outer, outer, (1, 3, 3), padding=(0, 1, 1), bias=False)
        self.space2_norm = nn.BatchNorm3d(outer)
        self.time2 = nn.Conv3d(outer, outer, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.out_norm = nn.BatchNorm3d(outer)
        self.shortcut = nn.Conv3d(inner, outer, 1, stride, bias=False) if (inner, 1) != (outer, stride) else None

    def forward(self, video: Tensor) -> Tensor:
        hidden = F.relu(self.space1_norm(self.space1(video)))
        hidden = F.relu(self.time1_norm(self.time1(hidden)))
        hidden = F.relu(self.space2_norm(self.space2(hidden)))
        shortcut = video if self.shortcut is None else self.shortcut(video)
        return F.relu(self.out_norm(self.time2(hidden) + shortcut))


class AVSyncClassifier(ModelMixin, ConfigMixin):
    """Score phi of a sound and twelve frames of the same two seconds, unbounded, larger for in time.

    Args:
        widths: Channels of the four stages of both towers.
        hidden: Widths of the head's two inner layers.
    """

    @register_to_config
    def __init__(
        self, widths: tuple[int, int, int, int] = (64, 128, 256, 512), hidden: tuple[int, int] = (512, 256)
    ) -> None:
        super().__init__()
        first, last = widths[0], widths[-1]
        inner = (first, *widths[:-1])
        self.audio_stem = nn.Sequential(
            nn.Conv2d(1, first, 7, 2, 3, bias=False), nn.BatchNorm2d(first), nn.ReLU(inplace=True)
        )
        self.audio_blocks = nn.ModuleList(map(AudioBlock, inner, widths, (2, 2, 2, 1)))
        self.video_stem = nn.Sequential(
            nn.Conv3d(3, first, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False),
            nn.BatchNorm3d(first),
            nn.ReLU(inplace=True),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )
        self.video_blocks = nn.ModuleList(
            nn.Sequential(VideoBlock(before, after, stride), VideoBlock(after, after, 1))
            for before, after, stride in zip(inner, widths, (1, 2, 2, 2), strict=True)
        )
        self.head = nn.Sequential(
            *(nn.Linear(2 * last, hidden[0]), nn.ReLU(), nn.Linear(hidden[0], hidden[1]), nn.ReLU()),
            nn.Linear(hidden[1], 1),
        )

    def forward(self, mel: Tensor, video: Tensor) -> Tensor:
        """Phi of each pair.

        Args:
            mel: (b, 1, 128, 204) from `asva_audio.imagebind_mel`.
            video: (b, t, 3, h, w) from `asva_metrics.clip_video`; trained on 12 frames at 6 fps, 224 x 224.

        Returns:
            (b,) phi.

        Raises:
            ValueError: If a shape is another or the numbers of clips differ.
        """
        if len(mel) != len(video):
            raise ValueError(f"`video` must hold as many clips as `mel` ({len(mel)}), got {len(video)}.")
        return self.score(self.embed_audio(mel), self.embed_video(video))

    def embed_audio(self, mel: Tensor) -> Tensor:
        """(b, 1, f, frames) -> (b, d)."""
        if mel.ndim != 4 or mel.shape[1] != 1:
            raise ValueError(f"`mel` must have shape (b, 1, f, frames), got {tuple(mel.shape)}.")
        mel = self.audio_stem(mel)
        for block in self.audio_blocks:
            mel = block(mel)
        return mel.mean(dim=(2, 3))

    def embed_video(self, video: Tensor) -> Tensor:
        """(b, t, 3, h, w) -> (b, d)."""
        if video.ndim != 5 or video.shape[2] != 3:
            raise ValueError(f"`video` must have shape (b, t, 3, h, w), got {tuple(video.shape)}.")
        video = self.video_stem(video.transpose(1, 2))
        for block in self.video_blocks:
            video = block(video)
        return video.mean(dim=(2, 3, 4))

    def score(self, audio: Tensor, video: Tensor) -> Tensor:
        """(..., d) and (..., d) embeddings, whose other axes broadcast -> (...) phi."""
        audio, video = torch.broadcast_tensors(audio, video)
        return self.head(torch.cat((audio, video), dim=-1)).squeeze(-1)


def shift_losses(phi: Tensor, *, temperature: float = 0.1) -> tuple[Tensor, Tensor]:
    """Contrastive losses over shifts of one video (AVSyncD, section 5.1, symmetric InfoNCE).

    Args:
        phi: (b, k, k) score of sound i of a video with frames j of the same video, in time on the diagonal.
        temperature: Divides phi.

    Returns:
        Cross entropy of the frames given the sound, and of the sound given the frames; training takes their mean.

    Raises:
        ValueError: If the shape is another.
    """
    if phi.ndim != 3 or phi.shape[1] != phi.shape[2]:
        raise ValueError(f"`phi` must have shape (b, k, k), got {tuple(phi.shape)}.")
    target = torch.arange(phi.shape[1], device=phi.device).repeat(len(phi))
    seen, heard = (F.cross_entropy(x.flatten(0, 1) / temperature, target) for x in (phi, phi.transpose(1, 2)))
    return seen, heard
