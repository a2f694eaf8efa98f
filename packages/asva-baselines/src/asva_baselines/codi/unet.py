"""CoDi's U-Nets: Stable Diffusion's, with time behind each residual block for videos (CoDi, arXiv 2305.11846).

For several outputs at once each network has a connector: what it makes of its own latents, one vector, that its layers
look at. In the released code, and so here, each looks at its own: the outputs do not know of one another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from diffusers import ModelMixin, UNet2DConditionModel  # noqa: F401 (diffusers looks for the former where it loads from)
from diffusers.configuration_utils import register_to_config
from diffusers.models.resnet import Downsample2D, ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn
from torch.nn import functional as F

from asva_baselines.codi.temporal import TemporalBlock

Wrap = Callable[[ResnetBlock2D], nn.Module]


class Clip:
    """What the layers of one forward pass share.

    Attributes:
        num_frames: Frames of each video; 0 where images are made.
        connection: (rows, 1, d) tokens that the connectors look at; None without them.
    """

    num_frames = 0
    connection: Tensor | None = None


class VideoResnet(nn.Module):
    """A residual block of each frame, and what moves between them."""

    def __init__(self, resnet: ResnetBlock2D, clip: Clip, factor: int, groups: int) -> None:
        super().__init__()
        self.resnet, self.clip = resnet, clip
        self.temporal = TemporalBlock(resnet.out_channels, factor, groups)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        x = self.resnet(x, emb)
        if not self.clip.num_frames:
            return x
        video = x.unflatten(0, (-1, self.clip.num_frames)).transpose(1, 2)
        return self.temporal(video).transpose(1, 2).flatten(0, 1)


class Connected(nn.Module):
    """A layer whose output looks at the connection, if there is one."""

    def __init__(self, layer: nn.Module, connector: Transformer2DModel, clip: Clip) -> None:
        super().__init__()
        self.layer, self.connector, self.clip = layer, connector, clip

    def forward(self, x: Tensor, *args, **kwargs):
        answer = self.layer(x, *args, **kwargs)
        if self.clip.connection is None:
            return answer
        x = answer[0] if isinstance(answer, tuple) else answer
        x = self.connector(x, encoder_hidden_states=self.clip.connection, return_dict=False)[0]
        return (x,) if isinstance(answer, tuple) else x


class Connector(nn.Module):
    """Noisy latents as one vector."""

    def __init__(self, channels: int, widths: Sequence[int], out_channels: int, embedding_dim: int, wrap: Wrap) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(channels, widths[0] // 2, 3, padding=1)
        self.resnets = nn.ModuleList(
            wrap(ResnetBlock2D(in_channels=a, out_channels=b, temb_channels=embedding_dim, eps=1e-5))
            for a, b in pairwise((widths[0] // 2, *widths))
        )
        self.downsamplers = nn.ModuleList(Downsample2D(width, use_conv=True, name="op") for width in widths[:-1])
        self.norm, self.conv_out = nn.GroupNorm(32, widths[-1]), nn.Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(self, x: Tensor, emb: Tensor, num_frames: int) -> Tensor:
        """(rows, d) of latents (rows, c, h, w), the same for all frames of a video."""
        x = self.conv_in(x)
        for index, resnet in enumerate(self.resnets):
            x = resnet(x, emb)
            if index < len(self.downsamplers):
                x = self.downsamplers[index](x)
        x = self.conv_out(F.silu(self.norm(x))).mean((2, 3)).unflatten(0, (-1, num_frames or 1)).mean(1)
        return F.normalize(x, dim=-1).repeat_interleave(num_frames or 1, dim=0)


class CoDiUNet(UNet2DConditionModel):
    """Noise of a video's latents, or of an image's, or of a sound's; the defaults are the released one of videos.

    Args:
        in_channels: Of the latents, which are answered with as many.
        block_out_channels: Channels at each resolution.
        layers_per_block: Layers at each resolution.
        attention_levels: Which resolutions look at the conditions; the middle always does.
        cross_attention_dim: Width of the conditions.
        num_heads: Of every attention.
        video: Whether there is time in it.
        temporal_factor: See :class:`TemporalBlock`.
        connector_channels: Channels at each resolution of the connector; None where there is none.
        connector_dim: Width of what it answers.
    """

    @register_to_config
    def __init__(
        self,
        in_channels: int = 4,
        block_out_channels: Sequence[int] = (320, 640, 1280, 1280),
        layers_per_block: int = 2,
        attention_levels: Sequence[bool] = (True, True, True, False),
        cross_attention_dim: int = 768,
        num_heads: int = 8,
        video: bool = True,
        temporal_factor: int = 4,
        connector_channels: Sequence[int] | None = None,
        connector_dim: int = 1280,
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            out_channels=in_channels,
            down_block_types=tuple("CrossAttnDownBlock2D" if there else "DownBlock2D" for there in attention_levels),
            up_block_types=tuple("CrossAttnUpBlock2D" if there else "UpBlock2D" for there in attention_levels[::-1]),
            block_out_channels=tuple(block_out_channels),
            layers_per_block=layers_per_block,
            cross_attention_dim=cross_attention_dim,
            attention_head_dim=num_heads,
        )
        self.clip = Clip()
        blocks = [*self.down_blocks, self.mid_block, *self.up_blocks]

        def wrap(resnet: ResnetBlock2D) -> nn.Module:
            return VideoResnet(resnet, self.clip, temporal_factor, 32) if video else resnet

        for block in blocks:
            block.resnets = nn.ModuleList(wrap(resnet) for resnet in block.resnets)
        self.up_blocks[0].resnets[0].register_forward_pre_hook(_middle_twice)
        self.connector = None
        if connector_channels is not None:
            emb = 4 * block_out_channels[0]
            self.connector = Connector(in_channels, connector_channels, connector_dim, emb, wrap)
            for block in (*self.down_blocks, *self.up_blocks):
                self._connect(block, num_heads, connector_dim)

    def _connect(self, block: nn.Module, heads: int, dim: int) -> None:
        """Connectors behind the attentions of a block; the last one on the way up stands behind the upsampling."""
        attentions: Any = getattr(block, "attentions", ())
        for index, attention in enumerate(attentions):
            width = attention.in_channels
            connector = Transformer2DModel(heads, width // heads, width, cross_attention_dim=dim)
            samplers = getattr(block, "upsamplers", None)
            if samplers is not None and index + 1 == len(attentions):
                samplers[0] = Connected(samplers[0], connector, self.clip)
            else:
                attentions[index] = Connected(attention, connector, self.clip)

    def noise(self, x: Tensor, timestep: Tensor | int, context: Tensor, *, connected: bool = False) -> Tensor:
        """Noise of latents.

        Args:
            x: (b, t, c, h, w) of videos, or (b, c, h, w) of images and sounds.
            timestep: (b,) or one number.
            context: (b, n, d) conditions.
            connected: Whether the connectors act, as they do where several outputs are made at once.
        """
        self.clip.num_frames = x.shape[1] if x.ndim == 5 else 0
        frames = self.clip.num_frames or 1
        rows = x.flatten(0, 1) if x.ndim == 5 else x
        timestep = torch.as_tensor(timestep, device=x.device).expand(len(x)).repeat_interleave(frames)
        self.clip.connection = None
        if connected:
            emb = self.time_embedding(self.time_proj(timestep).to(x.dtype))
            self.clip.connection = self.connector(rows, emb, self.clip.num_frames)[:, None]
        answer = self(rows, timestep, context.repeat_interleave(frames, dim=0), return_dict=False)[0]
        return answer.unflatten(0, x.shape[:2]) if x.ndim == 5 else answer


def _middle_twice(layer: nn.Module, given: tuple) -> tuple:
    """The released network begins its way up with what its middle answers twice, and leaves the last layer's skip."""
    del layer
    middle = given[0].chunk(2, dim=1)[0]
    return (torch.cat([middle, middle], dim=1), *given[1:])
