"""First-frame, audio, text and temporal attention: the transformer of AVSyncD (AVSyncD, section 4.2)."""

import torch
from diffusers.models.attention import FeedForward
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn

from asva_unet.attention import attend, dispatched, join_heads, split_heads
from asva_unet.avsyncd.conditions import AVSyncDConditions, KeptTokens
from asva_unet.avsyncd.resnet import LayerConfig
from asva_unet.conditions import KeysValues
from asva_unet.embeddings import zero_
from asva_unet.normalization import GroupNorm


class Attention(nn.Module):
    """Multi-head attention of (rows, n, c) to keys and values that are given.

    Args:
        channels: Width of the queries and of the result.
        num_heads: Heads.
        context_dim: Width of the tokens looked at; ``channels`` by default.
    """

    def __init__(self, channels: int, num_heads: int, context_dim: int | None = None) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context_dim or channels, channels, bias=False)
        self.to_v = nn.Linear(context_dim or channels, channels, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def keys_values(self, tokens: Tensor, kept: KeptTokens | None = None) -> KeysValues:
        """Of (..., n, d) tokens: (..., m, n, d); with ``kept`` those of each frame, (b, t, m, k, d)."""
        pair = self.to_k(tokens), self.to_v(tokens)
        key, value = pair if kept is None else (kept.gather(x) for x in pair)
        return split_heads(key, self.num_heads), split_heads(value, self.num_heads)

    def forward(self, x: Tensor, pair: KeysValues, mask: Tensor | None = None) -> Tensor:
        """Where there are fewer keys than rows, neighbouring rows share them and become one.

        Args:
            x: (rows, n, c).
            pair: Keys and values, (rows or fewer, m, k, d) or (b, t, m, k, d).
            mask: bool, True = attend, as many axes as ``pair`` less one, its axis of queries of size 1.
        """
        key, value = (each.flatten(0, -4) for each in pair)
        query = self.to_q(x)
        folded = split_heads(query.reshape(key.shape[0], -1, query.shape[-1]), self.num_heads)
        if mask is None:
            out = attend(folded, key, value)
        else:
            out = dispatched(folded, key, value, mask.flatten(0, -3)[:, None])
        return self.to_out[0](join_heads(out).view_as(query))


class TransformerBlock(nn.Module):
    """Pixels look at the first frame, at sound, at text and along the frames; then a feed-forward layer.

    The names are those of the released weights. What is new stands at zero at the start: the output layers of the
    audio and the temporal attention.
    """

    def __init__(self, channels: int, config: LayerConfig) -> None:
        super().__init__()
        self.first_frame = config.first_frame_attention
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = Attention(channels, config.num_heads)
        self.attn_audio = None
        if config.audio_dim is not None:
            self.norm_audio = nn.LayerNorm(channels)
            self.attn_audio = Attention(channels, config.num_heads, config.audio_dim)
            zero_(self.attn_audio.to_out)
        self.norm2 = nn.LayerNorm(channels)
        self.attn2 = Attention(channels, config.num_heads, config.context_dim)
        self.positions = Timesteps(channels, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.pos_embedding_temp = TimestepEmbedding(channels, channels)
        self.attn_temp = Attention(channels, config.num_heads)
        zero_(self.attn_temp.to_out)
        self.norm_temp = nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(
        self, x: Tensor, text: KeysValues, audio: KeysValues | None, audio_mask: Tensor | None, num_frames: int
    ) -> Tensor:
        """``x`` (b*t, n, c)."""
        x = self._spatial(self.norm1(x), num_frames) + x
        if self.attn_audio is not None:
            x = self.attn_audio(self.norm_audio(x), audio, audio_mask) + x
        x = self.attn2(self.norm2(x), text) + x
        x = self._temporal(x, num_frames) + x
        return self.ff(self.norm3(x)) + x

    def _spatial(self, x: Tensor, num_frames: int) -> Tensor:
        looked_at = x[::num_frames] if self.first_frame else x
        return self.attn1(x, self.attn1.keys_values(looked_at))

    def _temporal(self, x: Tensor, num_frames: int) -> Tensor:
        """Every pixel looks along its frames; only here do their positions count."""
        angles = self.positions(torch.arange(num_frames, device=x.device))
        positions = self.pos_embedding_temp(angles.to(self.norm_temp.weight.dtype))
        frames = self.norm_temp(x.unflatten(0, (-1, num_frames)) + positions[:, None])
        sequences = frames.transpose(1, 2).flatten(0, 1)  # (b*n, t, c)
        out = self.attn_temp(sequences, self.attn_temp.keys_values(sequences))
        return out.unflatten(0, (-1, x.shape[1])).transpose(1, 2).flatten(0, 1)


class Transformer(nn.Module):
    """Normalisation of each frame, one block between two layers of single pixels, and a residual connection."""

    def __init__(self, channels: int, config: LayerConfig) -> None:
        super().__init__()
        self.norm = GroupNorm(config.groups, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, config)])
        self.proj_out = nn.Conv2d(channels, channels, 1)
        self.layer_index = 0  # place of this layer in AVSyncDConditions, set by the U-Net

    @property
    def block(self) -> TransformerBlock:
        """The block; released weights keep it in a list."""
        return self.transformer_blocks[0]

    def forward(self, x: Tensor, conditions: AVSyncDConditions, num_frames: int) -> Tensor:
        """``x`` (b*t, c, h, w)."""
        text, audio = conditions.text[self.layer_index], None
        if conditions.audio is not None:
            audio = conditions.audio[self.layer_index]
        tokens = self.proj_in(self.norm(x)).permute(0, 2, 3, 1).flatten(1, 2)
        tokens = self.block(tokens, text, audio, conditions.audio_mask, num_frames)
        return self.proj_out(tokens.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)) + x
