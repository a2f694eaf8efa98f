"""Parts of BEATs: the convolution that tells positions, and layers whose attention is biased by gated distances."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PositionConvolution(nn.Module):
    """Grouped convolution over the sequence; its weight is a direction and one length per position of the kernel."""

    def __init__(self, hidden_size: int, kernel_size: int, groups: int) -> None:
        super().__init__()
        self.groups, self.padding = groups, kernel_size // 2
        self.direction = nn.Parameter(torch.empty(hidden_size, hidden_size // groups, kernel_size))
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        nn.init.normal_(self.direction, std=math.sqrt(4 / (kernel_size * hidden_size)))
        self.length = nn.Parameter(self.direction.detach().norm(dim=(0, 1), keepdim=True))

    def forward(self, tokens: Tensor) -> Tensor:
        """(b, n, d) -> (b, n, d)."""
        weight = self.direction * (self.length / self.direction.norm(dim=(0, 1), keepdim=True))
        weight, bias = weight.to(tokens.dtype), self.bias.to(tokens.dtype)
        out = F.conv1d(tokens.transpose(1, 2), weight, bias, padding=self.padding, groups=self.groups)
        # An even kernel gives one position too many.
        return F.gelu(out[..., : tokens.shape[1]]).transpose(1, 2)


class GatedAttention(nn.Module):
    """Self attention whose distance bias each query scales by two learned gates."""

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_q, self.to_k, self.to_v, self.to_out = (nn.Linear(hidden_size, hidden_size) for _ in range(4))
        self.gate = nn.Linear(hidden_size // num_heads, 8)
        self.gate_scale = nn.Parameter(torch.ones(1, num_heads, 1, 1))

    def forward(self, hidden_states: Tensor, bias: Tensor, padding: Tensor | None) -> Tensor:
        query, key, value = (
            linear(hidden_states).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for linear in (self.to_q, self.to_k, self.to_v)
        )
        scores = self._gates(query) * bias
        if padding is not None:
            scores = scores.masked_fill(padding[:, None, None, :], float("-inf"))
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=scores.to(query.dtype))
        return self.to_out(out.transpose(1, 2).flatten(2))

    def _gates(self, query: Tensor) -> Tensor:
        """(b, m, n, e) -> (b, m, n, 1) factor of the bias; 2 where the first gate is shut."""
        first, second = self.gate(query).unflatten(-1, (2, 4)).sum(-1).sigmoid().chunk(2, dim=-1)
        return first * (second * self.gate_scale - 1.0) + 2.0


class BEATsBlock(nn.Module):
    """Post-norm transformer layer, the residual scaled before each norm."""

    def __init__(self, hidden_size: int, num_heads: int, intermediate_size: int, residual_scale: float) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.attention = GatedAttention(hidden_size, num_heads)
        self.norm1 = nn.LayerNorm(hidden_size)
        self.mlp = nn.Sequential(
            nn.Linear(hidden_size, intermediate_size), nn.GELU(), nn.Linear(intermediate_size, hidden_size)
        )
        self.norm2 = nn.LayerNorm(hidden_size)

    def forward(self, hidden_states: Tensor, bias: Tensor, padding: Tensor | None) -> Tensor:
        attended = self.attention(hidden_states, bias, padding)
        hidden_states = self.norm1(self.residual_scale * hidden_states + attended)
        return self.norm2(self.residual_scale * hidden_states + self.mlp(hidden_states))


@lru_cache(maxsize=8)
def distance_buckets(num_tokens: int, num_buckets: int, max_distance: int) -> Tensor:
    """(n, n) class of the distance from row to column: exact when near, logarithmic when far, behind and ahead apart.

    The rule of T5: half of the classes are for columns ahead; half of each half are single distances.
    """
    position = torch.arange(num_tokens)
    distance = position[None, :] - position[:, None]
    half = num_buckets // 2
    exact = half // 2
    away = distance.abs()
    ratio = (away.float() / exact).clamp_min(1.0).log() / math.log(max_distance / exact)
    far = (exact + (ratio * (half - exact)).long()).clamp_max(half - 1)
    return (distance > 0).long() * half + torch.where(away < exact, away, far)
