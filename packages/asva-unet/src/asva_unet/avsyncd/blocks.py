"""Down, middle and up blocks of AVSyncD's U-Net; the names are Stable Diffusion's."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from asva_unet.avsyncd.conditions import AVSyncDConditions
from asva_unet.avsyncd.resnet import Downsample, LayerConfig, Resnet, Upsample
from asva_unet.avsyncd.transformer import Transformer
from asva_unet.blocks import layer_widths


class Block(nn.Module):
    """Layers of one resolution, and the change to the next one; recomputes its layers if checkpointing is on."""

    def __init__(
        self,
        resnets: Iterable[Resnet],
        attentions: Iterable[Transformer] = (),
        *,
        downsampler: Downsample | None = None,
        upsampler: Upsample | None = None,
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        self.attentions = nn.ModuleList(attentions)
        self.downsamplers = nn.ModuleList([downsampler] if downsampler else [])
        self.upsamplers = nn.ModuleList([upsampler] if upsampler else [])
        self.gradient_checkpointing = False
        self._gradient_checkpointing_func: Any = None  # set by diffusers' ModelMixin

    def run(self, index: int, *args: Any) -> Tensor:
        """Call layer ``index``: its residual block, then its transformer if it has one."""
        if self.gradient_checkpointing and self.training:
            return self._gradient_checkpointing_func(self._layer, index, *args)
        return self._layer(index, *args)

    def _layer(self, index: int, x: Tensor, emb: Tensor, conditions: AVSyncDConditions, num_frames: int) -> Tensor:
        x = self.resnets[index](x, emb, num_frames)
        if index < len(self.attentions):
            x = self.attentions[index](x, conditions, num_frames)
        return x


def down_blocks(
    widths: tuple[int, ...], layers_per_block: int, attention_levels: tuple[bool, ...], config: LayerConfig
) -> Iterable[Block]:
    """Blocks from the finest resolution to the coarsest; all but the last end in a downsampling."""
    for level, (before, channels) in enumerate(pairwise((widths[0], *widths))):
        inputs = [before] + [channels] * (layers_per_block - 1)
        yield Block(
            (Resnet(width, channels, config) for width in inputs),
            (Transformer(channels, config) for _ in inputs if attention_levels[level]),
            downsampler=Downsample(channels, config) if level < len(widths) - 1 else None,
        )


def mid_block(channels: int, config: LayerConfig) -> Block:
    """Residual block, transformer, residual block."""
    return Block((Resnet(channels, channels, config) for _ in range(2)), [Transformer(channels, config)])


def up_blocks(
    widths: tuple[int, ...], layers_per_block: int, attention_levels: tuple[bool, ...], config: LayerConfig
) -> Iterable[Block]:
    """Blocks from the coarsest resolution to the finest; each layer also takes one skip connection."""
    skips = layer_widths(widths, layers_per_block)
    before = widths[-1]
    for level in reversed(range(len(widths))):
        channels = widths[level]
        inputs = [before] + [channels] * layers_per_block
        yield Block(
            [Resnet(width + skips.pop(), channels, config) for width in inputs],
            (Transformer(channels, config) for _ in inputs if attention_levels[level]),
            upsampler=Upsample(channels, config) if level else None,
        )
        before = channels
