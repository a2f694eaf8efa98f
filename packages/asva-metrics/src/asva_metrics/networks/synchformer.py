"""Synchformer: by how many seconds are sound and picture apart? The network of DeSync (Iashin et al., 2024)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

FRAMES, MEL_BINS, MEL_FRAMES = 16, 128, 66
"""Of a segment of 0.64 s: frames at 25 fps, and its log-mel spectrogram."""
TUBE, MEL_PATCH, MEL_STRIDE = 2, 16, 10
"""Frames of a patch of the picture; side and distance of the patches of the spectrogram."""


class Synchformer(ModelMixin, ConfigMixin):
    """Two towers that see and hear segments of 0.64 s, and a head that names the offset of 14 of them (4.8 s).

    Args:
        hidden_sizes: Width of the picture's tower, of the sound's, and of the head.
        num_layers: Their blocks.
        num_heads: Their heads.
        mlp_size: Inner width of the blocks of the sound; that of the others is four times their width.
        image_size: Side of a frame.
        patch_size: Side of its patches.
        num_segments: Segments that the head compares.
        num_offsets: Its classes, see `asva_metrics.desync`.
    """

    @register_to_config
    def __init__(
        self,
        hidden_sizes: tuple[int, int, int] = (768, 768, 768),
        num_layers: tuple[int, int, int] = (12, 12, 3),
        num_heads: tuple[int, int, int] = (12, 12, 8),
        mlp_size: int = 3072,
        image_size: int = 224,
        patch_size: int = 16,
        num_segments: int = 14,
        num_offsets: int = 21,
    ) -> None:
        super().__init__()
        video, audio, head = zip(hidden_sizes, num_layers, num_heads, strict=True)
        self.video = _VideoTower(*video, image_size, patch_size)
        self.audio = _AudioTower(*audio, mlp_size)
        length = 2 + num_segments * (FRAMES // TUBE + self.audio.grid[1])
        self.head = _Head(*head, hidden_sizes[1], hidden_sizes[0], length, num_offsets)

    def embed_video(self, segments: Tensor) -> Tensor:
        """(b, n, 16, 3, h, w) frames in [-1, 1] -> (b, n, 8, d).

        Raises:
            ValueError: If the shape is another.
        """
        side = self.config["image_size"]
        if segments.ndim != 6 or segments.shape[2:] != (FRAMES, 3, side, side):
            raise ValueError(
                f"`segments` must have shape (b, n, {FRAMES}, 3, {side}, {side}), got {tuple(segments.shape)}."
            )
        return self.video(segments.flatten(0, 1).transpose(1, 2)).unflatten(0, segments.shape[:2])

    def embed_audio(self, mel: Tensor) -> Tensor:
        """(b, n, 1, 128, 66) from `asva_metrics.synchformer_mel` -> (b, n, 6, d).

        Raises:
            ValueError: If the shape is another.
        """
        if mel.ndim != 5 or mel.shape[2:] != (1, MEL_BINS, MEL_FRAMES):
            raise ValueError(f"`mel` must have shape (b, n, 1, {MEL_BINS}, {MEL_FRAMES}), got {tuple(mel.shape)}.")
        return self.audio(mel.flatten(0, 1)).unflatten(0, mel.shape[:2])

    def compare(self, audio: Tensor, video: Tensor) -> Tensor:
        """(b, n, 6, d) and (b, n, 8, d) of exactly `num_segments` segments -> (b, num_offsets) logits.

        Raises:
            ValueError: If the number of segments is another.
        """
        length = self.config["num_segments"]
        if not audio.shape[1] == video.shape[1] == length:
            raise ValueError(
                f"`audio` and `video` must hold {length} segments, got {audio.shape[1]}, {video.shape[1]}."
            )
        return self.head(audio.flatten(1, 2), video.flatten(1, 2))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v, self.proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, tokens: Tensor) -> Tensor:
        q, k, v = self._split(tokens)
        return self._joined(F.scaled_dot_product_attention(q, k, v))

    def divided(self, tokens: Tensor, groups: int, *, over_time: bool) -> Tensor:
        """The first token sees all; each other one the first and its own group: its place in time, or its moment."""
        q, k, v = self._split(tokens)
        first = F.scaled_dot_product_attention(q[:, :, :1], k, v)

        def grouped(values: Tensor) -> Tensor:  # (b, m, t * s, c) -> (b, groups, m, members, c)
            values = values.unflatten(2, (-1, groups) if over_time else (groups, -1))
            return values.permute(0, 3, 1, 2, 4) if over_time else values.transpose(1, 2)

        def with_first(values: Tensor) -> Tensor:
            return torch.cat((values[:, None, :, :1].expand(-1, groups, -1, -1, -1), grouped(values[:, :, 1:])), dim=3)

        rest = F.scaled_dot_product_attention(grouped(q[:, :, 1:]), with_first(k), with_first(v))
        rest = rest.permute(0, 2, 3, 1, 4) if over_time else rest.transpose(1, 2)
        return self._joined(torch.cat((first, rest.flatten(2, 3)), dim=2))

    def _split(self, tokens: Tensor) -> tuple[Tensor, ...]:
        maps = (self.to_q, self.to_k, self.to_v)
        return tuple(to(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2) for to in maps)

    def _joined(self, values: Tensor) -> Tensor:
        return self.proj(values.transpose(1, 2).flatten(2))


class _Block(nn.Module):
    """Pre-norm block."""

    def __init__(self, width: int, heads: int, inner: int, eps: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.attn = _Attention(width, heads)
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fed(tokens + self.attn(self.norm1(tokens)))

    def fed(self, tokens: Tensor) -> Tensor:
        return tokens + self.fc2(F.gelu(self.fc1(self.norm2(tokens))))


class _DividedBlock(_Block):
    """Attention over time at each place, then over space at each moment (TimeSformer's order)."""

    def __init__(self, width: int, heads: int, inner: int, eps: float) -> None:
        super().__init__(width, heads, inner, eps)
        self.norm3, self.time_attn = nn.LayerNorm(width, eps), _Attention(width, heads)

    def forward(self, tokens: Tensor) -> Tensor:
        moments = FRAMES // TUBE
        places = (tokens.shape[1] - 1) // moments
        tokens = tokens + self.time_attn.divided(self.norm3(tokens), places, over_time=True)
        return self.fed(tokens + self.attn.divided(self.norm1(tokens), moments, over_time=False))


class _Gather(_Block):
    """(b, n, d) -> (b, d): a learned token after attention over all."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__(width, heads, inner, 1e-6)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(torch.cat((self.cls_token.expand(len(tokens), -1, -1), tokens), dim=1))[:, 0]


class _VideoTower(nn.Module):
    """(b, 3, 16, h, w) -> (b, 8, d): Motionformer with divided attention, places gathered at each moment."""

    def __init__(self, width: int, layers: int, heads: int, side: int, patch: int) -> None:
        super().__init__()
        self.patch = nn.Conv3d(3, width, (TUBE, patch, patch), (TUBE, patch, patch))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 1 + (side // patch) ** 2, width))
        self.times = nn.Parameter(torch.zeros(1, FRAMES // TUBE, width))
        self.blocks = nn.ModuleList(_DividedBlock(width, heads, 4 * width, 1e-6) for _ in range(layers))
        self.norm = nn.LayerNorm(width, 1e-6)
        self.gather = _Gather(width, heads, 4 * width)

    def forward(self, frames: Tensor) -> Tensor:
        patches = self.patch(frames).flatten(3).permute(0, 2, 3, 1)  # (b, t, n, d)
        patches = patches + self.positions[:, None, 1:] + self.times[:, :, None]
        first = (self.cls_token + self.positions[:, :1]).expand(len(frames), -1, -1)
        tokens = torch.cat((first, patches.flatten(1, 2)), dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        moments = self.norm(tokens[:, 1:]).unflatten(1, patches.shape[1:3])
        return self.gather(moments.flatten(0, 1)).unflatten(0, moments.shape[:2])


class _AudioTower(nn.Module):
    """(b, 1, 128, 66) -> (b, 6, d): the audio spectrogram transformer, frequencies gathered at each moment."""

    grid = tuple((size - MEL_PATCH) // MEL_STRIDE + 1 for size in (MEL_BINS, MEL_FRAMES))

    def __init__(self, width: int, layers: int, heads: int, inner: int) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, width, MEL_PATCH, MEL_STRIDE)
        self.cls_token, self.distillation_token = (nn.Parameter(torch.zeros(1, 1, width)) for _ in range(2))
        self.positions = nn.Parameter(torch.zeros(1, 2 + self.grid[0] * self.grid[1], width))
        self.blocks = nn.ModuleList(_Block(width, heads, inner, 1e-12) for _ in range(layers))
        self.norm = nn.LayerNorm(width, 1e-12)
        self.gather = _Gather(width, heads, inner)

    def forward(self, mel: Tensor) -> Tensor:
        patches = self.patch(mel).flatten(2).transpose(1, 2)  # frequency slowest
        first = (token.expand(len(mel), -1, -1) for token in (self.cls_token, self.distillation_token))
        tokens = torch.cat((*first, patches), dim=1) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        moments = self.norm(tokens)[:, 2:].unflatten(1, self.grid).transpose(1, 2)
        return self.gather(moments.flatten(0, 1)).unflatten(0, moments.shape[:2])


class _Head(nn.Module):
    """(b, n, d) of the sound and of the picture -> (b, classes) at the first of all tokens."""

    def __init__(self, width: int, layers: int, heads: int, audio: int, video: int, length: int, classes: int) -> None:
        super().__init__()
        self.audio_proj, self.video_proj = nn.Linear(audio, width), nn.Linear(video, width)
        self.audio_norm, self.video_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.offset_token, self.audio_token = (nn.Parameter(torch.zeros(1, 1, width)) for _ in range(2))
        self.positions = nn.Parameter(torch.zeros(1, length, width))
        self.blocks = nn.ModuleList(_Block(width, heads, 4 * width, 1e-5) for _ in range(layers))
        self.norm, self.classes = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, audio: Tensor, video: Tensor) -> Tensor:
        heard, seen = self.audio_norm(self.audio_proj(audio)), self.video_norm(self.video_proj(video))
        offset, middle = (token.expand(len(audio), -1, -1) for token in (self.offset_token, self.audio_token))
        tokens = torch.cat((offset, seen, middle, heard), dim=1) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        return self.classes(self.norm(tokens[:, 0]))
