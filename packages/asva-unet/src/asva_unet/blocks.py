"""The U-Net's layer (residual block, temporal convolutions, two transformers) and its down, middle and up blocks."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from asva_unet.attention import ConditionedAttention
from asva_unet.audio_window import AudioWindowAttention
from asva_unet.conditions import UNetConditions
from asva_unet.resnet import Downsample, ResnetBlock, TemporalConv, Upsample
from asva_unet.transformer import SpatialTransformer, TemporalTransformer


@dataclass(frozen=True, kw_only=True)
class LayerConfig:
    """What all layers of one U-Net share."""

    embedding_dim: int
    groups: int
    dropout: float
    head_dim: int
    context_dim: int
    image: bool = True
    audio: bool
    audio_zero_init: bool
    audio_window_dim: int | None = None  # None: no audio window attention
    temporal_conv: bool = True
    temporal_reach: int | None = None  # None: the temporal attention knows no distances


class UNetLayer(nn.Module):
    """Residual block and temporal convolutions, then, with ``attention``, pixels, audio windows and frames attend."""

    def __init__(self, in_channels: int, out_channels: int, attention: bool, config: LayerConfig) -> None:
        super().__init__()
        self.resnet = ResnetBlock(in_channels, out_channels, config.embedding_dim, config.groups, config.dropout)
        self.temporal_conv = None
        if config.temporal_conv:
            self.temporal_conv = TemporalConv(out_channels, config.groups, config.dropout)
        self.attention = self.audio_window = self.temporal_attention = None
        if attention:
            heads = out_channels // config.head_dim
            cross = ConditionedAttention(
                out_channels,
                heads,
                config.context_dim,
                image=config.image,
                audio=config.audio,
                audio_zero_init=config.audio_zero_init,
            )
            self.attention = SpatialTransformer(out_channels, heads, config.groups, cross)
            if config.audio_window_dim is not None:
                self.audio_window = AudioWindowAttention(out_channels, heads, config.audio_window_dim)
            self.temporal_attention = TemporalTransformer(
                out_channels, heads, config.groups, reach=config.temporal_reach
            )

    def forward(self, x: Tensor, emb: Tensor, conditions: UNetConditions, num_frames: int) -> Tensor:
        """``x`` (b*t, c, h, w), ``emb`` (b*t, d)."""
        x = self.resnet(x, emb)
        if self.temporal_conv is not None:
            x = self.temporal_conv(x, num_frames)
        if self.attention is not None:
            x = self.attention(x, conditions)
            if self.audio_window is not None:
                x = self.audio_window(x, conditions)
            x = self.temporal_attention(x, num_frames)
        return x


class Block(nn.Module):
    """Layers of one resolution, and the change to the next one; recomputes its layers if checkpointing is on."""

    def __init__(self, layers: Iterable[UNetLayer], sampler: nn.Module | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.sampler = sampler
        self.gradient_checkpointing = False
        self._gradient_checkpointing_func: Any = None  # set by diffusers' ModelMixin

    def run(self, layer: UNetLayer, *args: Any) -> Tensor:
        """Call one layer."""
        if self.gradient_checkpointing and self.training:
            return self._gradient_checkpointing_func(layer, *args)
        return layer(*args)


def layer_widths(block_out_channels: tuple[int, ...], layers_per_block: int) -> list[int]:
    """Channels of every skip connection, in the order in which the way down makes them."""
    skips = [block_out_channels[0]]
    for level, channels in enumerate(block_out_channels):
        skips += [channels] * layers_per_block
        skips += [channels] * (level < len(block_out_channels) - 1)
    return skips


def down_blocks(
    block_out_channels: tuple[int, ...], layers_per_block: int, attention_levels: tuple[bool, ...], config: LayerConfig
) -> Iterable[Block]:
    """Blocks from the finest resolution to the coarsest; all but the last end in a downsampling."""
    inputs = (block_out_channels[0], *block_out_channels)
    for level, (before, channels) in enumerate(pairwise(inputs)):
        widths = [before] + [channels] * layers_per_block
        layers = (UNetLayer(a, b, attention_levels[level], config) for a, b in pairwise(widths))
        yield Block(layers, Downsample(channels) if level < len(block_out_channels) - 1 else None)


def up_blocks(
    block_out_channels: tuple[int, ...], layers_per_block: int, attention_levels: tuple[bool, ...], config: LayerConfig
) -> Iterable[Block]:
    """Blocks from the coarsest resolution to the finest; each layer also takes one skip connection."""
    skips = layer_widths(block_out_channels, layers_per_block)
    width = block_out_channels[-1]
    for level in reversed(range(len(block_out_channels))):
        layers = []
        for _ in range(layers_per_block + 1):
            layers.append(UNetLayer(width + skips.pop(), block_out_channels[level], attention_levels[level], config))
            width = block_out_channels[level]
        yield Block(layers, Upsample(width) if level else None)
