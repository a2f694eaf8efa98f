"""Spatial convolutions that also look at the first frame and the frame before (AVSyncD, section 4.2)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva_unet.embeddings import zero_
from asva_unet.normalization import GroupNorm
from asva_unet.resnet import frame_images, frame_plane


class FirstFrameConv(nn.Conv2d):
    """A 2-D convolution of each frame, then a convolution of its results over three frames, added to them.

    ``y_t = x_t + W [x_0, x_(t-1), x_t] + b`` with ``x = conv(frame)`` and ``x_(-1) = x_0``

    ``W`` starts at zero, so that the layer starts as the 2-D convolution. The share of frame 0 is the same for all
    frames and computed once per clip.

    Args:
        in_channels: Channels before.
        out_channels: Channels after.
        kernel_size: Of the 2-D convolution.
        stride: Of the 2-D convolution.
        first_frame: False gives the paper's ablation, a plain convolution over the frames t-1, t, t+1 with zeros
            beyond the clip; its weights have the same names and shapes.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1, *, first_frame: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2)
        self.conv_temp = zero_(_ThreeFrames(out_channels, first_frame))

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """``x`` (b*t, c, h, w)."""
        x = super().forward(x).contiguous(memory_format=torch.channels_last)
        return x + frame_images(self.conv_temp(frame_plane(x, num_frames)), x.shape)


class _ThreeFrames(nn.Module):
    """The share of three frames in each.

    Called as a layer is, so that offloading brings its weights; no ``nn.Linear``, for which quantisation and offloading
    would take it beside the convolution that holds it.
    """

    def __init__(self, channels: int, first_frame: bool) -> None:
        super().__init__()
        layer = nn.Linear(3 * channels, channels)
        self.weight, self.bias, self.first_frame = layer.weight, layer.bias, first_frame

    def forward(self, plane: Tensor) -> Tensor:
        """(b, c, t, p) of frames t and pixels p."""
        kernels = self.weight[:, :, None, None].chunk(3, dim=1)  # of one frame by one pixel
        if not self.first_frame:
            return F.conv2d(plane, torch.cat(kernels, dim=2), self.bias, padding=(1, 0))
        first, before, current = kernels
        padded = torch.cat([plane[:, :, :1], plane], dim=2)
        shares = F.conv2d(padded, torch.cat([before, current], dim=2), self.bias)
        return shares + F.conv2d(plane[:, :, :1], first)


class ClipGroupNorm(GroupNorm):
    """Group normalisation whose statistics run over all frames of a clip, then SiLU.

    Args:
        num_groups: Groups.
        num_channels: Channels.
        eps: Added to the variance.
        over_frames: False takes the statistics of each frame by itself, as Stable Diffusion does.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float, *, over_frames: bool = True) -> None:
        super().__init__(num_groups, num_channels, eps, silu=True)
        self.over_frames = over_frames

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """``x`` (b*t, c, h, w)."""
        if not self.over_frames or num_frames == 1:
            return super().forward(x)
        return frame_images(super().forward(frame_plane(x, num_frames)), x.shape)
