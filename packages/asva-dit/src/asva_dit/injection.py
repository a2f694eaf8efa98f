"""Audio into the video tokens of one block: interval injection and holistic style (MTV, section 4.2, eq. 2 and 3)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor, nn
from torch.nn import functional as F

Scale = float | Tensor


class BlockAudio(NamedTuple):
    """What every block hears of one clip, with a scale for each track; a track that is None is not heard.

    Attributes:
        speech: (b, s, t, n, d) tokens of each speaker.
        effects: (b, t, m, d) tokens.
        music: (b, d) one vector a clip; without separate extraction (b, t, n, d) tokens.
        speech_scale, effects_scale, music_scale: A number, or (b, 1, 1).
    """

    speech: Tensor | None
    effects: Tensor | None
    music: Tensor | None
    speech_scale: Scale = 1.0
    effects_scale: Scale = 1.0
    music_scale: Scale = 1.0


class IntervalInjection(nn.Module):
    """Cross attention from the video tokens of a latent frame to the audio tokens of the same frame.

    Queries and keys pass through the norms of the block's own attention, and queries of every frame are turned by the
    rotary embedding of latent frame 0: an audio token has a time but no place.

    Args:
        dim: Width of a video token.
        audio_dim: Width of an audio token.
        num_heads: Heads; may be fewer than the block's own, which makes the layer lighter.
        head_dim: Width of a head, that of the block's own.
        eps: Of the norm.
    """

    def __init__(self, dim: int, audio_dim: int, num_heads: int, head_dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        width = num_heads * head_dim
        self.num_heads = num_heads
        self.norm = nn.LayerNorm(dim, eps=eps)
        self.to_q = nn.Linear(dim, width)
        self.to_k, self.to_v = nn.Linear(audio_dim, width), nn.Linear(audio_dim, width)
        self.to_out = nn.Linear(width, dim)

    def forward(
        self,
        hidden_states: Tensor,
        tokens: Tensor,
        norm_q: nn.Module | None = None,
        norm_k: nn.Module | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
        inside: Tensor | None = None,
    ) -> Tensor:
        """What the sound adds.

        Args:
            hidden_states: (b, t * n, dim) video tokens, frame by frame.
            tokens: (b, t, m, audio_dim) audio tokens.
            norm_q, norm_k: Norms of queries and keys, over the width of a head.
            image_rotary_emb: Cosines and sines (t * n, head_dim) of the video tokens; None leaves queries as they are.
            inside: (t, m) bool, tokens that a frame hears; all if None.

        Returns:
            (b, t * n, dim).
        """
        frames = tokens.shape[:2]
        x = self.norm(hidden_states).unflatten(1, (frames[1], -1)).flatten(0, 1)
        heard = tokens.flatten(0, 1)
        query, key, value = (self._heads(y) for y in (self.to_q(x), self.to_k(heard), self.to_v(heard)))
        query = norm_q(query) if norm_q is not None else query
        key = norm_k(key) if norm_k is not None else key
        if image_rotary_emb is not None:
            query = apply_rotary_emb(query, tuple(part[: x.shape[1]] for part in image_rotary_emb))
        mask = None if inside is None else inside[:, None, None].repeat(frames[0], 1, 1, 1)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)
        return self.to_out(attended).unflatten(0, frames).flatten(1, 2)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class HolisticStyle(nn.Module):
    """A gain and a shift of every video token from one vector of music: ``h' = h + h * gamma + beta`` (eq. 3).

    Args:
        audio_dim: Width of the music vector.
        dim: Width of a video token.
    """

    def __init__(self, audio_dim: int, dim: int) -> None:
        super().__init__()
        self.affine = nn.Linear(audio_dim, 2 * dim)

    def forward(self, hidden_states: Tensor, music: Tensor) -> Tensor:
        """What the music adds: (b, l, dim) video tokens and (b, audio_dim) music -> (b, l, dim)."""
        gamma, beta = self.affine(music)[:, None].chunk(2, dim=-1)
        return hidden_states * gamma + beta


class BlockControl(nn.Module):
    """All that MTV adds to one block of the base; by its flags, what the paper's ablations add.

    Args:
        dim: Width of a video token.
        audio_dim: Width of an audio token.
        num_heads: Heads of the injections.
        head_dim: Width of a head.
        num_speakers: 1 or 2; each speaker has an injection of its own.
        eps: Of the norms.
        separate_extraction: Music is one vector that sets a style; False: tokens of each interval, as the others.
        separate_injection: Each track has an injection of its own; False: one for the tokens of all.
    """

    def __init__(
        self,
        dim: int,
        audio_dim: int,
        num_heads: int,
        head_dim: int,
        num_speakers: int = 1,
        eps: float = 1e-5,
        *,
        separate_extraction: bool = True,
        separate_injection: bool = True,
    ) -> None:
        super().__init__()
        shape = (dim, audio_dim, num_heads, head_dim, eps)
        self.shared = None if separate_injection else IntervalInjection(*shape)
        self.speech = nn.ModuleList(IntervalInjection(*shape) for _ in range(num_speakers * separate_injection))
        self.effects = IntervalInjection(*shape) if separate_injection else None
        self.music = IntervalInjection(*shape) if separate_injection and not separate_extraction else None
        self.style = HolisticStyle(audio_dim, dim) if separate_injection and separate_extraction else None

    def forward(
        self,
        hidden_states: Tensor,
        audio: BlockAudio,
        norm_q: nn.Module | None = None,
        norm_k: nn.Module | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Add speech and effects, both from the same video tokens, then the style: (b, l, dim) -> (b, l, dim)."""
        context = (norm_q, norm_k, image_rotary_emb)
        if self.shared is not None:
            return hidden_states + self.shared(hidden_states, all_tokens(audio), *context)
        changed = hidden_states
        if audio.speech is not None:
            for layer, tokens in zip(self.speech, audio.speech.unbind(1), strict=True):
                changed = changed + audio.speech_scale * layer(hidden_states, tokens, *context)
        if audio.effects is not None:
            changed = changed + audio.effects_scale * self.effects(hidden_states, audio.effects, *context)
        if audio.music is not None and self.music is not None:
            changed = changed + audio.music_scale * self.music(hidden_states, audio.music, *context)
        elif audio.music is not None:
            changed = changed + audio.music_scale * self.style(changed, audio.music)
        return changed

    @torch.no_grad()
    def zero_(self, *, everything: bool = True) -> None:
        """Put every layer that writes into the video tokens to zero, or the style alone, so that nothing is added."""
        injections = [layer for layer in (*self.speech, self.effects, self.music, self.shared) if layer is not None]
        writers: list[Any] = [layer.to_out for layer in injections] if everything else []
        writers += [] if self.style is None else [self.style.affine]
        for layer in writers:
            layer.weight.zero_()
            layer.bias.zero_()


def all_tokens(audio: BlockAudio) -> Tensor:
    """The tokens of every track that is heard, for one injection: (b, t, n, d); a scale makes a track's tokens small.

    A vector of music is one token of every interval.
    """
    tokens = []
    if audio.speech is not None:
        tokens += [_scaled(part, audio.speech_scale) for part in audio.speech.unbind(1)]
    if audio.effects is not None:
        tokens.append(_scaled(audio.effects, audio.effects_scale))
    if audio.music is not None:
        music = audio.music
        if music.ndim == 2:
            frames = tokens[0].shape[1] if tokens else 1
            music = music[:, None, None].expand(-1, frames, -1, -1)
        tokens.append(_scaled(music, audio.music_scale))
    return torch.cat(tokens, dim=2)


def _scaled(tokens: Tensor, scale: Scale) -> Tensor:
    return tokens * (scale[..., None] if isinstance(scale, Tensor) else scale)
