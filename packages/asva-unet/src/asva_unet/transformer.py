"""Transformers over the pixels of a frame and over the frames of a pixel (KeyVID, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from asva_unet.attention import ConditionedAttention, FeedForward, RelativeSelfAttention, SelfAttention
from asva_unet.conditions import UNetConditions
from asva_unet.embeddings import zero_
from asva_unet.normalization import GroupNorm
from asva_unet.resnet import frame_images, frame_plane

View = tuple[int, int]
Fuse = Callable[[list[Tensor]], Tensor]


class TransformerBlock(nn.Module):
    """Self attention, a second attention (conditioned or again self), feed-forward; each after a LayerNorm."""

    def __init__(self, channels: int, attn1: nn.Module, attn2: nn.Module) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))
        self.attn1 = attn1
        self.attn2 = attn2
        self.ff = FeedForward(channels)

    def forward(self, x: Tensor, *conditions: object) -> Tensor:
        x = self.attn1(self.norm1(x)) + x
        x = self.attn2(self.norm2(x), *conditions) + x
        return self.ff(self.norm3(x)) + x


class SpatialTransformer(nn.Module):
    """The pixels of each frame look at one another, then at text, image and sound."""

    def __init__(self, channels: int, num_heads: int, groups: int, attn2: ConditionedAttention) -> None:
        super().__init__()
        self.norm = GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.block = TransformerBlock(channels, SelfAttention(channels, num_heads), attn2)
        self.proj_out = zero_(nn.Linear(channels, channels))
        self.layer_index = 0  # place of this layer in UNetConditions.layers, set by the U-Net

    def forward(self, x: Tensor, conditions: UNetConditions) -> Tensor:
        """``x`` (b*t, c, h, w)."""
        tokens = self.norm(x).permute(0, 2, 3, 1).flatten(1, 2)
        tokens = self.block(self.proj_in(tokens), conditions.layers[self.layer_index])
        return self.proj_out(tokens).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2) + x


class TemporalTransformer(nn.Module):
    """Every pixel looks along its frames; the order comes from the temporal convolutions, or from distances.

    Args:
        channels: Width of the network here.
        num_heads: Heads.
        groups: Groups of the normalisation, which pools over frames and pixels.
        inner_dim: Width inside; ``channels`` by default.
        reach: Largest distance between frames that the attention knows; None: it knows none.
    """

    def __init__(
        self, channels: int, num_heads: int, groups: int, inner_dim: int | None = None, reach: int | None = None
    ) -> None:
        super().__init__()
        width = inner_dim or channels
        self.norm = GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, width)
        attentions = (
            SelfAttention(width, num_heads) if reach is None else RelativeSelfAttention(width, num_heads, reach)
            for _ in range(2)
        )
        self.block = TransformerBlock(width, *attentions)
        self.proj_out = zero_(nn.Linear(width, channels))
        self.windows: tuple[Sequence[View], Fuse] | None = None

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """``x`` (b*t, c, h, w)."""
        plane = frame_plane(x, num_frames)
        tokens = self.norm(plane).permute(0, 3, 2, 1)  # (b, h*w, t, c)
        tokens = self._look(self.proj_in(tokens.flatten(0, 1).contiguous()))
        out = self.proj_out(tokens).unflatten(0, (plane.shape[0], -1)).permute(0, 3, 2, 1)
        return frame_images((out + plane).contiguous(memory_format=torch.channels_last), x.shape)

    def _look(self, tokens: Tensor) -> Tensor:
        if self.windows is None:
            return self.block(tokens)
        views, fuse = self.windows
        return fuse([self.block(tokens[:, start:end]) for start, end in views])


@contextmanager
def temporal_windows(unet: nn.Module, views: Sequence[View], fuse: Fuse) -> Generator[None]:
    """Let the temporal attention of a U-Net look within windows alone, its answers joined (FreeNoise, section 3.3).

    Args:
        unet: The network; everything else of it still sees all frames.
        views: The windows, ``[start, end)`` each.
        fuse: Joins (n, size, d) of each window to (n, t, d), such as :func:`asva_interp.fuse_windows`.
    """
    layers = [module for module in unet.modules() if isinstance(module, TemporalTransformer)]
    for layer in layers:
        layer.windows = views, fuse
    try:
        yield
    finally:
        for layer in layers:
            layer.windows = None
