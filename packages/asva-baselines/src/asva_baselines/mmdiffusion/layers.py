"""Layers of MM-Diffusion's coupled U-Net, on pairs of video (b, c, t, h, w) and sound (b, c, s) (section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva_unet.attention import join_heads, split_heads

Pair = tuple[Tensor, Tensor]


class VideoConv(nn.Module):
    """Over the pixels of each frame, then over the frames of each pixel."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, out_channels, 3)
        self.temporal = nn.Conv1d(out_channels, out_channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv3d(x, self.spatial.weight[:, :, None], self.spatial.bias, padding=(0, 1, 1))
        return F.conv3d(x, self.temporal.weight[..., None, None], self.temporal.bias, padding=(1, 0, 0))


class StreamBlock(nn.Module):
    """What a residual block does to one of the two streams.

    Args:
        conv: The first convolution.
        pointwise: Class of the others, of kernel 1.
        channels: Of the input.
        out_channels: Of the output.
        groups: Of the normalisations.
    """

    def __init__(self, conv: nn.Module, pointwise: type, channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, channels), nn.GroupNorm(groups, out_channels)
        self.conv1, self.conv2 = conv, pointwise(out_channels, out_channels, 1)
        self.shortcut = pointwise(channels, out_channels, 1) if channels != out_channels else None

    def forward(self, x: Tensor, scale: Tensor, shift: Tensor, factor: tuple[float, ...]) -> Tensor:
        """``scale`` and ``shift`` (b, c) come from the time; the axes grow by ``factor`` behind the convolution."""
        h = resized(self.conv1(F.silu(self.norm1(x))), factor)
        x = resized(x, factor)
        axes = (..., *[None] * (x.ndim - 2))
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale[axes]) + shift[axes]))
        return h + (x if self.shortcut is None else self.shortcut(x))


class CoupledBlock(nn.Module):
    """A residual block of both streams, which share what they know of the time, and attention within each.

    Args:
        channels: Of the input.
        out_channels: Of the output.
        embedding_dim: Of the time.
        dilation: Of the sound's convolution.
        growth: 2 where the video's height and width double and the sound's length grows by 4, 0.5 where they shrink so.
        heads: Of the attentions.
        groups: Of the normalisations.
        video_attention: Whether pixels look at their frame, and then at their place in the other frames.
        audio_attention: Whether moments of the sound look at one another.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        embedding_dim: int,
        dilation: int,
        growth: float = 1,
        *,
        heads: int = 4,
        groups: int = 32,
        video_attention: bool = False,
        audio_attention: bool = False,
    ) -> None:
        super().__init__()
        self.growth = growth
        sound = nn.Conv1d(channels, out_channels, 3, padding=dilation, dilation=dilation)
        self.video = StreamBlock(VideoConv(channels, out_channels), nn.Conv3d, channels, out_channels, groups)
        self.audio = StreamBlock(sound, nn.Conv1d, channels, out_channels, groups)
        self.time = nn.Linear(embedding_dim, 2 * out_channels)
        self.spatial_attention = self.temporal_attention = self.audio_attention = None
        if video_attention:
            self.spatial_attention = SelfAttention(out_channels, heads, groups)
            self.temporal_attention = SelfAttention(out_channels, heads, groups)
        if audio_attention:
            self.audio_attention = SelfAttention(out_channels, heads, groups)

    def forward(self, video: Tensor, audio: Tensor, emb: Tensor) -> Pair:
        """``emb`` (b, d), through SiLU."""
        scale, shift = self.time(emb).chunk(2, dim=1)
        video = self.video(video, scale, shift, (1, self.growth, self.growth))
        audio = self.audio(audio, scale, shift, (self.growth**2,))
        if self.spatial_attention is not None and self.temporal_attention is not None:
            b, _, t, h, _ = video.shape
            frames = self.spatial_attention(video.transpose(1, 2).flatten(0, 1).flatten(2))
            video = frames.unflatten(0, (b, t)).unflatten(3, (h, -1)).transpose(1, 2)
            pixels = self.temporal_attention(video.permute(0, 3, 4, 1, 2).flatten(0, 2))
            video = pixels.unflatten(0, (b, h, -1)).permute(0, 3, 4, 1, 2)
        if self.audio_attention is not None:
            audio = self.audio_attention(audio)
        return video, audio


class SelfAttention(nn.Module):
    """Tokens of rows (n, c, l) look at those of their row."""

    def __init__(self, channels: int, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv, self.proj_out = nn.Conv1d(channels, 3 * channels, 1), nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = heads_of(self.qkv(self.norm(x)), self.heads)
        out = F.scaled_dot_product_attention(query, key, value)
        return x + self.proj_out(join_heads(out).transpose(1, 2))


class WindowedCrossAttention(nn.Module):
    """Each frame looks at the sound of a window of frames, and the sound of each frame at the pixels of one.

    The window begins ``shift`` frames behind the frame; shifts are drawn anew in every forward pass (random-shift
    multi-modal attention, section 3.2).

    Args:
        channels: Of both streams.
        heads: Of the attention.
        groups: Of the normalisations.
        window: Frames; None is all.
        shifted: Whether a shift is drawn.
    """

    def __init__(self, channels: int, heads: int, groups: int, window: int | None, *, shifted: bool) -> None:
        super().__init__()
        self.heads, self.window, self.shifted = heads, window, shifted
        self.video_norm, self.audio_norm = (nn.GroupNorm(groups, channels) for _ in range(2))
        self.video_qkv, self.audio_qkv = (nn.Conv1d(channels, 3 * channels, 1) for _ in range(2))
        self.video_out, self.audio_out = nn.Conv3d(channels, channels, 1), nn.Conv1d(channels, channels, 1)

    def forward(self, video: Tensor, audio: Tensor, shift: int = 0) -> Pair:
        t, pixels, length = video.shape[2], video.shape[3] * video.shape[4], audio.shape[2]
        window, each = self.window or t, length // t
        seen = heads_of(self.video_qkv(self.video_norm(video).flatten(2)), self.heads)
        seen = [x.unflatten(2, (t, pixels)) for x in seen]  # (b, m, t, h*w, d)
        heard = heads_of(self.audio_qkv(self.audio_norm(audio)), self.heads)  # (b, m, s, d)

        first = torch.arange(t, device=video.device)[:, None] + shift
        moments = (first * each + torch.arange(window * each, device=video.device)) % length
        frames = (first + torch.arange(window, device=video.device)) % t
        looks = F.scaled_dot_product_attention(seen[0], heard[1][:, :, moments], heard[2][:, :, moments])

        keys, values = (x[:, :, frames].flatten(3, 4) for x in seen[1:])  # (b, m, t, window*h*w, d)
        whole, rest = heard[0].split([t * each, length - t * each], dim=2)
        hears = F.scaled_dot_product_attention(whole.unflatten(2, (t, each)), keys, values).flatten(2, 3)
        rest = F.scaled_dot_product_attention(rest, keys[:, :, -1], values[:, :, -1])  # belongs to the last frame
        hears = torch.cat([hears, rest], dim=2)

        video = video + self.video_out(join_heads(looks.flatten(2, 3)).transpose(1, 2).reshape(video.shape))
        return video, audio + self.audio_out(join_heads(hears).transpose(1, 2))


def heads_of(qkv: Tensor, heads: int) -> list[Tensor]:
    """Queries, keys and values (b, m, n, d) of (b, 3*m*d, n)."""
    return [split_heads(x, heads) for x in qkv.transpose(1, 2).contiguous().chunk(3, dim=-1)]


def resized(x: Tensor, factor: tuple[float, ...]) -> Tensor:
    """Axes behind the channels grown by repetition, or shrunk to means."""
    if all(one == 1 for one in factor):
        return x
    if max(factor) > 1:
        return F.interpolate(x, scale_factor=tuple(map(float, factor)), mode="nearest")
    pool = F.avg_pool1d if x.ndim == 3 else F.avg_pool3d
    return pool(x, tuple(round(1 / one) for one in factor))
