"""The part of MTV that is not in the blocks: tokens of each track, and speech and effects looking at each other."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from asva_dit.audio_tokens import AudioTokens
from asva_dit.injection import BlockAudio, Scale
from asva_dit.interval_interaction import IntervalInteraction


class MTVAudio(NamedTuple):
    """The tracks of clips as tokens: all that does not depend on the noise, so once a clip is enough.

    Attributes:
        speech: (b, s, t, n, d) tokens of each speaker.
        effects: (b, t, n, d) tokens.
        music: (b, d) one vector a clip.
    """

    speech: Tensor
    effects: Tensor
    music: Tensor


class AudioControl(nn.Module):
    """Three projections, one for each track, and the interaction of speech and effects.

    Args:
        num_layers: Blocks of the interaction.
        num_heads: Heads of the interaction.
        time_embed_dim: Width of the time embedding.
        num_speakers: 1 or 2; both speakers share the projection.
        **tokens: Arguments of ``AudioTokens``.
    """

    def __init__(
        self, *, num_layers: int, num_heads: int, time_embed_dim: int, num_speakers: int, **tokens: int | str
    ) -> None:
        super().__init__()
        self.speech_tokens, self.effects_tokens, self.music_tokens = (AudioTokens(**tokens) for _ in range(3))
        self.interaction = IntervalInteraction(num_layers, tokens["dim"], num_heads, time_embed_dim, num_speakers)

    def encode(self, speech: Tensor, effects: Tensor, music: Tensor) -> MTVAudio:
        """Tokens of features: (b, s, f, window, layers, channels) speech, the others without the axis of speakers."""
        tokens = self.speech_tokens(speech.flatten(0, 1)).unflatten(0, speech.shape[:2])
        return MTVAudio(tokens, self.effects_tokens(effects), self.music_tokens(music).mean(dim=(1, 2)))

    def forward(self, audio: MTVAudio, temb: Tensor, speech: Scale, effects: Scale, music: Scale) -> BlockAudio:
        """What the blocks hear at the time of `temb` (b, e), and how loud; what has scale 0 is left out."""
        heard: tuple[Tensor | None, Tensor | None] = (None, None)
        if not is_off(speech) or not is_off(effects):
            heard = self.interaction(audio.speech, audio.effects, temb)
        return BlockAudio(
            None if is_off(speech) else heard[0],
            None if is_off(effects) else heard[1],
            None if is_off(music) else audio.music,
            *(as_factor(scale, temb) for scale in (speech, effects, music)),
        )


def is_off(scale: Scale) -> bool:
    """Whether a scale is the number 0; a tensor never is, its values may live on a device."""
    return not isinstance(scale, Tensor) and scale == 0


def as_factor(scale: Scale, like: Tensor) -> Scale:
    """A number as it is, (b,) as (b, 1, 1) on the device and of the type of `like`."""
    return scale.to(like).reshape(-1, 1, 1) if isinstance(scale, Tensor) else scale
