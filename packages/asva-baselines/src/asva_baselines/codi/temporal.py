"""How CoDi's networks look along time: attention, feed-forward and, where videos are made, shifts over frames."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asva_unet.attention import join_heads, split_heads

FRAMES = 30  # that positions are known of
RATE = 4  # frames per second; the original never says another
# What their weights are called in the released files, below the name of the whole.
TEMPORAL_ROWS = (
    (r"\.temporal\.positions$", ".temporal.temporal_attn.pos_embeds"),
    (r"\.temporal\.rates$", ".temporal.temporal_attn.frame_rate_embeds"),
    (r"\.temporal\.gain$", ".temporal.temporal_attn.norm.g"),
    (r"\.temporal\.to_(q|kv|out)\.", r".temporal.temporal_attn.to_\1."),
    (r"\.temporal\.distance\.([01])\.", r".temporal.temporal_rel_pos_bias.net.\1.0."),
    (r"\.temporal\.distance\.2\.", ".temporal.temporal_rel_pos_bias.net.2."),
    (r"\.temporal\.ff_in\.", ".temporal.ff.proj_in.0."),
    (r"\.temporal\.ff_gain$", ".temporal.ff.proj_out.0.g"),
    (r"\.temporal\.ff_out\.", ".temporal.ff.proj_out.1."),
    (r"\.temporal\.norm\.", ".temporal.frameshiftblock.out_layers.0."),
    (r"\.temporal\.conv\.", ".temporal.frameshiftblock.out_layers.2."),
)


class TemporalAttention(nn.Module):
    """Tokens (..., t, c) look along time, then pass a feed-forward layer.

    Args:
        channels: Of the tokens.
        heads: Of the attention.
        inner: Channels of all heads together.
    """

    def __init__(self, channels: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads, hidden = heads, int(channels * 8 / 3)
        self.gain = nn.Parameter(torch.ones(channels))
        self.to_q = nn.Linear(channels, inner, bias=False)
        self.to_kv = nn.Linear(channels, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, channels, bias=False)
        widths = 1, channels // 2, channels // 2, heads
        self.distance = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.ff_in = nn.Linear(channels, 2 * hidden, bias=False)
        self.ff_gain = nn.Parameter(torch.ones(hidden))
        self.ff_out = nn.Linear(hidden, channels, bias=False)

    def forward(self, x: Tensor, place: Tensor | float = 0.0, *, late: bool = False) -> Tensor:
        """``x`` (..., t, c); ``place`` is added where the attention looks, ``late`` half moves on by a frame."""
        x = x + self._attend(x + place)
        value, gate = self.ff_in(x).chunk(2, dim=-1)
        inner = value * F.gelu(gate)
        if late:
            kept, moved = inner.chunk(2, dim=-1)
            inner = torch.cat([kept, later(moved, 1, dim=-2)], dim=-1)
        return x + self.ff_out(normalized(inner, -1) * self.ff_gain)

    def _attend(self, y: Tensor) -> Tensor:
        y = normalized(y, -2) * self.gain
        query, (key, value) = self.to_q(y), self.to_kv(y).chunk(2, dim=-1)
        place = torch.arange(y.shape[-2], device=y.device, dtype=y.dtype)
        apart = place[:, None] - place
        bias = (apart.sign() * (apart.abs() + 1).log())[..., None]
        for index, layer in enumerate(self.distance):
            bias = layer(F.silu(bias) if index else bias)
        query, key, value = (split_heads(one, self.heads) for one in (query, key, value))
        return self.to_out(join_heads(F.scaled_dot_product_attention(query, key, value, bias.permute(2, 0, 1))))


class TemporalBlock(TemporalAttention):
    """Frames (b, c, t, h, w) look along time (Make-A-Video, section 3.2, as CoDi has it).

    Args:
        channels: Of the frames.
        factor: ``channels`` divided by it are the channels of each of the 8 heads.
        groups: Of the normalisation.
    """

    def __init__(self, channels: int, factor: int = 4, groups: int = 32) -> None:
        super().__init__(channels, heads=8, inner=8 * channels // factor)
        self.positions, self.rates = (nn.Parameter(torch.randn(1, FRAMES, channels)) for _ in range(2))
        self.norm = nn.GroupNorm(groups, channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # ty: ignore[incompatible-method-override]
        """``x`` (b, c, t, h, w)."""
        place = self.positions[:, : x.shape[2]] + self.rates[:, RATE - 1]
        x = super().forward(x.permute(0, 3, 4, 2, 1), place, late=True).permute(0, 3, 4, 1, 2)  # (b, t, c, h, w)
        moved = self.conv(F.silu(self.norm(x.flatten(0, 1)))).unflatten(0, x.shape[:2])
        parts = moved.chunk(8, dim=2)
        moved = torch.cat([later(part, index, dim=1) for index, part in enumerate(parts)], dim=2)
        return (x + moved).transpose(1, 2)


def normalized(x: Tensor, dim: int) -> Tensor:
    """Mean 0 and variance 1 along an axis; a small variance counts as 1e-5, in half precision as 1e-3."""
    least = 1e-3 if x.dtype in (torch.float16, torch.bfloat16) else 1e-5
    centred = x - x.mean(dim, keepdim=True)
    return centred * x.var(dim, unbiased=False, keepdim=True).clamp(min=least).rsqrt()


def later(x: Tensor, frames: int, dim: int) -> Tensor:
    """Moved along an axis, zeros in front."""
    kept = x.narrow(dim, 0, max(x.shape[dim] - frames, 0))
    empty = torch.zeros_like(x.narrow(dim, 0, min(frames, x.shape[dim])))
    return torch.cat([empty, kept], dim=dim)
