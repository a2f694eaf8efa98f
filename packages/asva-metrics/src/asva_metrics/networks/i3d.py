"""I3D, the video network of FVD: Inception v1 inflated to three dimensions (Carreira and Zisserman, 2017)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

Style = Literal["hassony", "piergiaj"]
Triple = tuple[int, int, int]
NORM_EPS = {"hassony": 1e-3, "piergiaj": 1e-5}
MIXED = {
    "3b": (192, (64, 96, 128, 16, 32, 32)),
    "3c": (256, (128, 128, 192, 32, 96, 64)),
    "4b": (480, (192, 96, 208, 16, 48, 64)),
    "4c": (512, (160, 112, 224, 24, 64, 64)),
    "4d": (512, (128, 128, 256, 24, 64, 64)),
    "4e": (512, (112, 144, 288, 32, 64, 64)),
    "4f": (528, (256, 160, 320, 32, 128, 128)),
    "5b": (832, (256, 160, 320, 32, 128, 128)),
    "5c": (832, (384, 192, 384, 48, 128, 128)),
}
"""Channels into each block, and out of: 1x1; 1x1 and 3x3; 1x1 and 3x3; pooled 1x1."""


def pad_same(video: Tensor, size: tuple[int, ...], stride: tuple[int, ...], style: Style) -> Tensor:
    """Zeros around (b, c, t, h, w), after which a convolution acts as TensorFlow's "SAME".

    TensorFlow's number of zeros depends on what the stride leaves of the length; "hassony" heeds that in time alone.
    """
    sides: list[int] = []
    for axis in (2, 1, 0):
        left = video.shape[2 + axis] % stride[axis] if style == "piergiaj" or axis == 0 else 0
        zeros = max(size[axis] - (left or stride[axis]), 0)
        sides += [zeros // 2, zeros - zeros // 2]
    return F.pad(video, sides)


class Convolution(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, inner: int, outer: int, size: int, style: Style, stride: int = 1) -> None:
        super().__init__()
        self.style = style
        self.conv = nn.Conv3d(inner, outer, size, stride, bias=False)
        self.norm = nn.BatchNorm3d(outer, eps=NORM_EPS[style])

    def forward(self, video: Tensor) -> Tensor:
        video = pad_same(video, self.conv.kernel_size, self.conv.stride, self.style)
        return F.relu(self.norm(self.conv(video)))


class MaxPool(nn.Module):
    """Maximum over a neighbourhood padded with zeros, which follow a ReLU and change nothing."""

    def __init__(self, size: Triple, stride: Triple, style: Style) -> None:
        super().__init__()
        self.size, self.stride, self.style = size, stride, style

    def forward(self, video: Tensor) -> Tensor:
        video = pad_same(video, self.size, self.stride, self.style)
        return F.max_pool3d(video, self.size, self.stride, ceil_mode=self.style == "hassony")


class Mixed(nn.Module):
    """Four branches side by side, joined on the channels."""

    def __init__(self, inner: int, widths: tuple[int, ...], style: Style) -> None:
        super().__init__()
        one, before, three, before_second, second, pooled = widths
        self.one = Convolution(inner, one, 1, style)
        self.three = nn.Sequential(Convolution(inner, before, 1, style), Convolution(before, three, 3, style))
        self.second = nn.Sequential(
            Convolution(inner, before_second, 1, style), Convolution(before_second, second, 3, style)
        )
        self.pool = nn.Sequential(MaxPool((3, 3, 3), (1, 1, 1), style), Convolution(inner, pooled, 1, style))

    def forward(self, video: Tensor) -> Tensor:
        return torch.cat([branch(video) for branch in self.children()], dim=1)


class I3D(ModelMixin, ConfigMixin):
    """Kinetics-400 I3D on RGB: video -> 400 logits before the softmax, the features of FVD.

    Args:
        num_classes: Classes.
        style: Whose port: "hassony" is what the widespread ``i3d_torchscript.pt`` was scripted from, "piergiaj" has
            another epsilon in its norms and TensorFlow's padding at odd heights and widths.
    """

    @register_to_config
    def __init__(self, num_classes: int = 400, style: Style = "hassony") -> None:
        super().__init__()
        if style not in NORM_EPS:
            raise ValueError(f"`style` must be hassony or piergiaj, got {style!r}.")

        def pool(size: Triple, stride: Triple) -> MaxPool:
            return MaxPool(size, stride, style)

        self.stem = nn.Sequential(
            Convolution(3, 64, 7, style, stride=2),
            pool((1, 3, 3), (1, 2, 2)),
            Convolution(64, 64, 1, style),
            Convolution(64, 192, 3, style),
            pool((1, 3, 3), (1, 2, 2)),
        )
        self.mixed = nn.ModuleDict({name: Mixed(*widths, style) for name, widths in MIXED.items()})
        self.pools = nn.ModuleDict(
            {"4b": pool((3, 3, 3), (2, 2, 2)), "5b": pool((2, 2, 2), (2, 2, 2))}  # before these blocks
        )
        self.classes = nn.Conv3d(1024, num_classes, 1)

    def forward(self, video: Tensor) -> Tensor:
        """Logits of a clip; see `asva_metrics.fvd_video`.

        Args:
            video: (b, t, 3, h, w) in [-1, 1], t of at least 9; FVD has 224 x 224.

        Returns:
            (b, num_classes) mean over time, before the softmax.

        Raises:
            ValueError: If the shape is another, or the clip too short or too small.
        """
        return self.classes(self.embed(video)).mean(dim=(2, 3, 4))

    def embed(self, video: Tensor) -> Tensor:
        """(b, t, 3, h, w) -> (b, 1024, t', h', w') features after the last pool."""
        if video.ndim != 5 or video.shape[2] != 3:
            raise ValueError(f"`video` must have shape (b, t, 3, h, w), got {tuple(video.shape)}.")
        if video.shape[1] < 9 or min(video.shape[3:]) < 193:
            raise ValueError(
                f"`video` must have at least 9 frames of 193 x 193 for I3D, got {video.shape[1]} of "
                f"{video.shape[3]} x {video.shape[4]}; FVD resizes to 224."
            )
        video = self.stem(video.transpose(1, 2))
        for name, block in self.mixed.items():
            video = block(self.pools[name](video) if name in self.pools else video)
        return F.avg_pool3d(video, (2, 7, 7), 1)
