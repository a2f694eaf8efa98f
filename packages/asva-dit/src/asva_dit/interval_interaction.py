"""Speech and effects of one latent frame look at each other (MTV, section 4.2, interval stream)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class IntervalInteractionBlock(nn.Module):
    """Self-attention over the speech and effects tokens of one interval, then a feed-forward layer.

    Both parts are modulated by the time embedding, speech and effects each by their own shift, scale and gate; the norm
    before the attention is each one's own, the one before the feed-forward layer is shared.

    Args:
        dim: Width of a token.
        num_heads: Heads of the attention.
        time_embed_dim: Width of the time embedding.
    """

    def __init__(self, dim: int, num_heads: int, time_embed_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.modulation = nn.Linear(time_embed_dim, 12 * dim)
        self.speech_norm, self.effects_norm, self.ff_norm = (nn.LayerNorm(dim) for _ in range(3))
        self.to_qkv, self.to_out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.ff_in, self.ff_out = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, speech: Tensor, effects: Tensor, temb: Tensor) -> tuple[Tensor, Tensor]:
        """Refine both.

        Args:
            speech: (b, t, n, d) tokens of all speakers.
            effects: (b, t, m, d) tokens.
            temb: (b, e) time embedding.
        """
        chunks = self.modulation(F.silu(temb))[:, None, None].chunk(12, dim=-1)
        ours, theirs = chunks[:6], chunks[6:]
        attended = self._attend(
            torch.cat(
                [
                    _modulate(self.speech_norm(speech), *ours[:2]),
                    _modulate(self.effects_norm(effects), *theirs[:2]),
                ],
                dim=2,
            )
        ).split([speech.shape[2], effects.shape[2]], dim=2)
        speech, effects = speech + ours[2] * attended[0], effects + theirs[2] * attended[1]
        speech = speech + ours[5] * self._feed_forward(_modulate(self.ff_norm(speech), *ours[3:5]))
        effects = effects + theirs[5] * self._feed_forward(_modulate(self.ff_norm(effects), *theirs[3:5]))
        return speech, effects

    def _attend(self, x: Tensor) -> Tensor:
        """Attention within each interval: (b, t, l, d) -> the same."""
        query, key, value = self.to_qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(3, 0, 1, 4, 2, 5)
        return self.to_out(F.scaled_dot_product_attention(query, key, value).transpose(2, 3).flatten(3))

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.ff_out(F.gelu(self.ff_in(x), approximate="tanh"))


class SpeakerEmbedding(nn.ParameterList):
    """A vector for each speaker; offloading brings them along with `forward`, but a list cannot be called."""

    def forward(self) -> Tensor:
        """(s, d)."""
        return torch.stack(list(self))


class IntervalInteraction(nn.Module):
    """A stack of interaction blocks, after which speech and effects part again.

    Args:
        num_layers: Blocks, 4 as released.
        dim: Width of a token.
        num_heads: Heads of the attention, 48 as released.
        time_embed_dim: Width of the time embedding.
        num_speakers: 1, or 2 with a learned vector that tells the speakers' tokens apart.
    """

    def __init__(self, num_layers: int, dim: int, num_heads: int, time_embed_dim: int, num_speakers: int = 1) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(IntervalInteractionBlock(dim, num_heads, time_embed_dim) for _ in range(num_layers))
        told_apart = num_speakers if num_speakers > 1 else 0
        self.speaker_embedding = SpeakerEmbedding(nn.Parameter(torch.zeros(dim)) for _ in range(told_apart))

    def forward(self, speech: Tensor, effects: Tensor, temb: Tensor) -> tuple[Tensor, Tensor]:
        """Let the tracks of each interval look at each other.

        Args:
            speech: (b, s, t, n, d) tokens of each speaker.
            effects: (b, t, m, d) tokens.
            temb: (b, e) time embedding.

        Returns:
            (b, s, t, n, d) and (b, t, m, d).
        """
        speakers = speech.shape[1]
        if len(self.speaker_embedding):
            speech = speech + self.speaker_embedding.forward()[:, None, None]
        speech = speech.transpose(1, 2).flatten(2, 3)  # (b, t, s n, d)
        for block in self.blocks:
            speech, effects = block(speech, effects, temb)
        return speech.unflatten(2, (speakers, -1)).transpose(1, 2), effects


def _modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return x * (1 + scale) + shift
