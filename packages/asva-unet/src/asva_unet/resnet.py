"""Convolutional layers: spatial residual block, temporal convolutions, down- and upsampling."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva_unet.embeddings import zero_
from asva_unet.normalization import GroupNorm


class ResnetBlock(nn.Module):
    """Two 3x3 convolutions of each frame; the time embedding is added between them."""

    def __init__(self, in_channels: int, out_channels: int, embedding_dim: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = GroupNorm(groups, in_channels, silu=True)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(embedding_dim, out_channels)
        self.norm2 = GroupNorm(groups, out_channels, silu=True)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = zero_(nn.Conv2d(out_channels, out_channels, 3, padding=1))
        self.conv_shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """``x`` (b*t, c, h, w); ``emb`` (b*t, embedding_dim), already through SiLU."""
        h = self.conv1(self.norm1(x)) + self.time_emb_proj(emb)[:, :, None, None]
        h = self.conv2(self.dropout(self.norm2(h)))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class TemporalConv(nn.Module):
    """Four convolutions over three neighbouring frames, around them a residual connection (VideoComposer's layer).

    A convolution over frames alone is a 2-D convolution with a (3, 1) kernel on the plane of frames times pixels; in
    channels-last memory that plane is a view, so nothing is copied.
    """

    def __init__(self, channels: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(GroupNorm(groups, channels, silu=True) for _ in range(4))
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, (3, 1), padding=(1, 0)) for _ in range(4))
        self.dropout = nn.Dropout(dropout)
        zero_(self.convs[-1])

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        plane = y = frame_plane(x, num_frames)
        for index, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            y = norm(y)
            y = conv(self.dropout(y) if index else y)
        return frame_images(plane + y, x.shape)


class Downsample(nn.Module):
    """Half the height and width by a convolution of stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Upsample(nn.Module):
    """Twice the height and width: nearest neighbours, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def frame_plane(x: Tensor, num_frames: int) -> Tensor:
    """Frames as images (b*t, c, h, w) -> clips as planes (b, c, t, h*w); a view if ``x`` is channels-last."""
    rows, c, h, w = x.shape
    return x.permute(0, 2, 3, 1).reshape(rows // num_frames, num_frames, h * w, c).permute(0, 3, 1, 2)


def frame_images(plane: Tensor, shape: torch.Size) -> Tensor:
    """The inverse of ``frame_plane``; ``shape`` is (b*t, c, h, w)."""
    rows, c, h, w = shape
    return plane.permute(0, 2, 3, 1).reshape(rows, h, w, c).permute(0, 3, 1, 2)
