"""MM-Diffusion's coupled U-Net: noise of a video and of its sound from both (MM-Diffusion, CVPR 2023, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from diffusers import ModelMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from asva_baselines.mmdiffusion.layers import CoupledBlock, Pair, VideoConv, WindowedCrossAttention
from asva_unet.embeddings import sinusoid

Draw = Callable[[int], int]


class Layer(nn.Module):
    """A coupled block, then, at some levels, the streams look at one another, and at some ends both grow."""

    def __init__(
        self, block: CoupledBlock, cross: WindowedCrossAttention | None = None, grow: CoupledBlock | None = None
    ) -> None:
        super().__init__()
        self.block, self.cross, self.grow = block, cross, grow

    def forward(self, video: Tensor, audio: Tensor, emb: Tensor, draw: Draw, redraw: bool) -> Pair:
        video, audio = self.block(video, audio, emb)
        cross = self.cross
        if cross is not None:
            most = video.shape[2] - (cross.window or video.shape[2])

            def run(video: Tensor, audio: Tensor) -> Pair:
                return cross(video, audio, draw(most) if cross.shifted else 0)

            video, audio = checkpoint(run, video, audio, use_reentrant=False) if redraw else run(video, audio)
        return (video, audio) if self.grow is None else self.grow(video, audio, emb)


class MultimodalUNet(ModelMixin, ConfigMixin):
    """Predicts the noise of a video and of the waveform that goes with it; the defaults are the released network.

    Args:
        video_channels: Of the video.
        audio_channels: Of the waveform.
        block_out_channels: Channels at each level; the video halves its height and width from one to the next, the
            sound is four times shorter.
        layers_per_block: Layers at each level on the way down; one more on the way up.
        video_attention_levels: Levels at which pixels look at their frame and along the frames.
        audio_attention_levels: Levels at which the sound looks at itself; the middle always does.
        cross_attention_windows: Frames of the windows through which the streams look at one another, by level; 0: not.
        cross_attention_shift: Whether the windows are shifted at random.
        middle_cross_attention: Whether they also do in the middle, through no window.
        num_heads: Of the attentions within a stream.
        cross_attention_head_dim: Channels of a head between the streams.
        norm_num_groups: Of the normalisations.
    """

    @register_to_config
    def __init__(
        self,
        video_channels: int = 3,
        audio_channels: int = 1,
        block_out_channels: Sequence[int] = (128, 256, 384, 512),
        layers_per_block: int = 2,
        video_attention_levels: Sequence[bool] = (False, True, True, True),
        audio_attention_levels: Sequence[bool] = (False, False, False, False),
        cross_attention_windows: Sequence[int] = (0, 1, 4, 8),
        cross_attention_shift: bool = True,
        middle_cross_attention: bool = True,
        num_heads: int = 4,
        cross_attention_head_dim: int = 64,
        norm_num_groups: int = 32,
    ) -> None:
        super().__init__()
        widths, last = block_out_channels, len(block_out_channels) - 1
        width = widths[0]
        depth = 1  # of the sound's dilation, 2 to the power of it

        def block(before: int, after: int, level: int | None, growth: float = 1) -> CoupledBlock:
            attends = growth == 1
            return CoupledBlock(
                before,
                after,
                width,
                2 ** (depth % 10),
                growth,
                heads=num_heads,
                groups=norm_num_groups,
                video_attention=attends and (level is None or video_attention_levels[level]),
                audio_attention=attends and (level is None or audio_attention_levels[level]),
            )

        def cross(channels: int, window: int | None, shifted: bool) -> WindowedCrossAttention:
            heads = channels // cross_attention_head_dim
            return WindowedCrossAttention(channels, heads, norm_num_groups, window, shifted=shifted)

        def at_level(level: int) -> WindowedCrossAttention | None:
            window = cross_attention_windows[level]
            return cross(widths[level], window, cross_attention_shift) if window else None

        self.time_linear_1, self.time_linear_2 = nn.Linear(width, width), nn.Linear(width, width)
        self.video_in, self.audio_in = VideoConv(video_channels, width), nn.Conv1d(audio_channels, width, 3, padding=1)
        down, up, skips, before = [], [], [width], width
        for level, after in enumerate(widths):
            for _ in range(layers_per_block):
                down.append(Layer(block(before, after, level), at_level(level)))
                before, depth = after, depth + 1
                skips.append(after)
            if level < last:
                down.append(Layer(block(after, after, level, 0.5)))
                depth += 1
                skips.append(after)
        middle = cross(before, None, False) if middle_cross_attention else None
        self.middle = nn.ModuleList([Layer(block(before, before, None), middle), Layer(block(before, before, None))])
        for level in reversed(range(last + 1)):
            for index in range(layers_per_block + 1):
                depth -= 1
                main = block(before + skips.pop(), widths[level], level)
                before, grow = widths[level], None
                if level and index == layers_per_block:
                    depth -= 1
                    grow = block(before, before, level, 2)
                    depth += 1
                up.append(Layer(main, at_level(level), grow))
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        self.video_norm, self.audio_norm = (nn.GroupNorm(norm_num_groups, width) for _ in range(2))
        self.video_out = nn.Conv3d(width, video_channels, 3, padding=1)
        self.audio_out = nn.Conv1d(width, audio_channels, 3, padding=1)

    def forward(
        self,
        video: Tensor,
        audio: Tensor,
        timestep: Tensor | int,
        *,
        shifts: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
        redraw: bool = False,
    ) -> Pair:
        """Noise of both.

        Args:
            video: (b, t, c, h, w) noisy frames in [-1, 1].
            audio: (b, c, s) noisy waveform.
            timestep: (b,) or one number.
            shifts: Of the windows, in the order of the layers, instead of drawing them.
            generator: CPU generator that draws them.
            redraw: Draw them again in the backward pass, as the original does: its gradient is not that of its forward
                pass. ``shifts`` then holds both, the second in the order of the backward pass.
        """
        given: Iterator[int] | None = None if shifts is None else iter(shifts)

        def draw(most: int) -> int:
            return int(torch.randint(most + 1, (), generator=generator)) if given is None else int(next(given))

        emb = sinusoid(
            torch.as_tensor(timestep, device=video.device).expand(len(video)), self.config.block_out_channels[0]
        )
        emb = F.silu(self.time_linear_2(F.silu(self.time_linear_1(emb.to(video.dtype)))))
        pair = self.video_in(video.transpose(1, 2)), self.audio_in(audio)
        skips = [pair]
        for layer in self.down:
            pair = layer(*pair, emb, draw, redraw)
            skips.append(pair)
        for layer in self.middle:
            pair = layer(*pair, emb, draw, redraw)
        for layer in self.up:
            both = (torch.cat(streams, dim=1) for streams in zip(pair, skips.pop(), strict=True))
            pair = layer(*both, emb, draw, redraw)
        video = self.video_out(F.silu(self.video_norm(pair[0]))).transpose(1, 2)
        return video, self.audio_out(F.silu(self.audio_norm(pair[1])))
