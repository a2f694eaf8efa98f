"""Self attention, three-way cross attention with an audio gate, feed-forward layer (KeyVID, section 3.3)."""

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from torch import Tensor, nn
from torch.nn import functional as F

from asva_unet.conditions import KeysValues, LayerConditions
from asva_unet.embeddings import zero_
from asva_weights.offloading import onload


class SelfAttention(nn.Module):
    """Multi-head attention among the tokens of a sequence (rows, n, d)."""

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(channels, channels, bias=False)
        self.to_v = nn.Linear(channels, channels, bias=False)
        self.to_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (split_heads(layer(x), self.num_heads) for layer in (self.to_q, self.to_k, self.to_v))
        return self.to_out(join_heads(attend(query, key, value)))


class RelativeSelfAttention(SelfAttention):
    """Self attention that knows how far apart tokens are (VideoCrafter1; arXiv 1803.02155, eq. 3 and 4).

    Args:
        channels: Width.
        num_heads: Heads, which share the vectors of distances.
        reach: Distances beyond it count as it.
    """

    def __init__(self, channels: int, num_heads: int, reach: int) -> None:
        super().__init__(channels, num_heads)
        self.reach = reach
        shape = 2 * reach + 1, channels // num_heads
        self.distance_keys, self.distance_values = (nn.Parameter(torch.randn(shape) / shape[1] ** 0.5) for _ in "kv")

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (split_heads(layer(x), self.num_heads) for layer in (self.to_q, self.to_k, self.to_v))
        place = torch.arange(x.shape[1], device=x.device)
        distance = (place - place[:, None]).clamp(-self.reach, self.reach) + self.reach
        scores = query @ key.transpose(-1, -2) + torch.einsum("rmtd,tsd->rmts", query, self.distance_keys[distance])
        share = (scores * query.shape[-1] ** -0.5).softmax(-1)
        out = share @ value + torch.einsum("rmts,tsd->rmtd", share, self.distance_values[distance])
        return self.to_out(join_heads(out))


class ConditionedAttention(nn.Module):
    """One query looks at text, at image tokens and at sound, each through its own softmax.

    ``out = attend(text) + attend(image) + (1 + tanh(g)) * attend(audio)``

    The gate ``g`` starts at 0. Text belongs to the clip: the frames are folded into the query axis, so that its keys
    and values exist once. Image and audio tokens belong to a frame.

    Args:
        channels: Width of the queries and of the result.
        num_heads: Heads.
        context_dim: Width of the tokens looked at.
        image: Whether there is a branch for image tokens.
        audio: Whether there is a branch for sound.
        audio_zero_init: Start the sound's keys and values at zero, so that a pretrained network is left as it is.
    """

    def __init__(
        self,
        channels: int,
        num_heads: int,
        context_dim: int,
        *,
        image: bool = True,
        audio: bool = True,
        audio_zero_init: bool = True,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context_dim, channels, bias=False)
        self.to_v = nn.Linear(context_dim, channels, bias=False)
        if image:
            self.to_k_image = nn.Linear(context_dim, channels, bias=False)
            self.to_v_image = nn.Linear(context_dim, channels, bias=False)
        self.audio = audio
        if audio:
            self.to_k_audio = nn.Linear(context_dim, channels, bias=False)
            self.to_v_audio = nn.Linear(context_dim, channels, bias=False)
            self.audio_gate = nn.Parameter(torch.zeros(()))
            if audio_zero_init:
                zero_(self.to_k_audio)
                zero_(self.to_v_audio)
        self.to_out = nn.Linear(channels, channels)

    def encode_conditions(self, text: Tensor, image: Tensor | None, audio: Tensor | None) -> LayerConditions:
        """Keys and values of (b, n, d) text, (b, t, n, d) image tokens and (b, t, n, d) projected sound."""
        onload(self)  # the gate
        m = self.num_heads
        text_pair = split_heads(self.to_k(text), m), split_heads(self.to_v(text), m)
        image_pair = audio_pair = None
        if image is not None:
            image_pair = split_heads(self.to_k_image(image), m), split_heads(self.to_v_image(image), m)
        if audio is not None:
            values = self.to_v_audio(audio)
            values = values * (1 + torch.tanh(self.audio_gate.float())).to(values.dtype)
            audio_pair = split_heads(self.to_k_audio(audio), m), split_heads(values, m)
        return LayerConditions(text_pair, image_pair, audio_pair)

    def forward(self, x: Tensor, conditions: LayerConditions) -> Tensor:
        """``x`` (b*t, n, c) queries of all frames."""
        query = self.to_q(x)
        out = attend_frames(query, conditions.text, self.num_heads)
        for pair in (conditions.image, conditions.audio):
            if pair is not None:
                out = out + attend_frames(query, pair, self.num_heads)
        return self.to_out(out)


class FeedForward(nn.Module):
    """Gated feed-forward layer, four times as wide inside: ``out(a * gelu(g))`` with ``a, g = proj(x)``."""

    def __init__(self, channels: int, mult: int = 4) -> None:
        super().__init__()
        self.proj_in = nn.Linear(channels, 2 * mult * channels)
        self.proj_out = nn.Linear(mult * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj_in(x).chunk(2, dim=-1)
        return self.proj_out(value * F.gelu(gate))


def attend_frames(query: Tensor, pair: KeysValues, num_heads: int, bias: Tensor | None = None) -> Tensor:
    """Attention of the frames (b*t, n, c) of clips to keys and values (b, m, n, d) or (b, t, m, n, d); t = 1: shared.

    ``bias`` (b, t, n) is added to the scores.
    """
    key, value = (x.squeeze(1) if x.ndim == 5 and x.shape[1] == 1 else x for x in pair)
    key, value = (x.flatten(0, 1) if x.ndim == 5 else x for x in (key, value))
    folded = query.reshape(key.shape[0], -1, query.shape[-1])  # with one key per clip, its frames become one row
    if bias is not None:
        bias = bias.flatten(0, 1)[:, None, None]
    out = attend(split_heads(folded, num_heads), key, value, bias)
    return join_heads(out).view_as(query)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """``softmax(q k^T / sqrt(d) + bias) v`` for (b, m, n, d).

    One case is written out: short sequences in half precision on the CPU, where three plain products take half the
    time of the fused kernel, and its backward pass five to ten times longer than theirs.
    """
    short = query.shape[-2] * key.shape[-2] <= 128 * 128
    if short and query.device.type == "cpu" and _compute_dtype(query) != torch.float32:
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        return (scores if bias is None else scores + bias.to(scores.dtype)).softmax(-1) @ value
    return dispatched(query, key, value, None if bias is None else bias.to(query.dtype))


def dispatched(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention of (b, m, n, d) by the backend that is active in diffusers, PyTorch's fused one unless told."""
    rows = (x.transpose(1, 2) for x in (query, key, value))
    return dispatch_attention_fn(*rows, attn_mask=mask).transpose(1, 2)


def _compute_dtype(x: Tensor) -> torch.dtype:
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """(..., n, m*d) -> (..., m, n, d), a view."""
    return x.unflatten(-1, (num_heads, -1)).transpose(-2, -3)


def join_heads(x: Tensor) -> Tensor:
    """(..., m, n, d) -> (..., n, m*d)."""
    return x.transpose(-2, -3).flatten(-2)
