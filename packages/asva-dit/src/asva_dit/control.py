"""The part of MTV that is not in the blocks: tokens of each track, and speech and effects looking at each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from asva_dit.audio_tokens import AudioTokens
from asva_dit.injection import BlockAudio, Scale
from asva_dit.interval_interaction import IntervalInteraction


class MTVAudio(NamedTuple):
    """The tracks of clips as tokens: all that does not depend on the noise, so once a clip is enough.

    Attributes:
        speech: (b, s, t, n, d) tokens of each speaker.
        effects: (b, t, n, d) tokens.
        music: (b, d) one vector a clip; without separate extraction (b, t, n, d) tokens.
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
        separate_extraction: Music becomes one vector a clip; False: its tokens take part in the interaction.
        **tokens: Arguments of ``AudioTokens``.
    """

    def __init__(
        self,
        *,
        num_layers: int,
        num_heads: int,
        time_embed_dim: int,
        num_speakers: int,
        separate_extraction: bool = True,
        **tokens: Any,
    ) -> None:
        super().__init__()
        self.separate_extraction = separate_extraction
        self.speech_tokens, self.effects_tokens, self.music_tokens = (AudioTokens(**tokens) for _ in range(3))
        self.interaction = IntervalInteraction(num_layers, tokens["dim"], num_heads, time_embed_dim, num_speakers)

    def encode(self, speech: Tensor, effects: Tensor, music: Tensor) -> MTVAudio:
        """Tokens of features: (b, s, f, window, layers, channels) speech, the others without the axis of speakers."""
        tokens = self.speech_tokens(speech.flatten(0, 1)).unflatten(0, speech.shape[:2])
        music = self.music_tokens(music)
        music = music.mean(dim=(1, 2)) if self.separate_extraction else music
        return MTVAudio(tokens, self.effects_tokens(effects), music)

    def forward(self, audio: MTVAudio, temb: Tensor, speech: Scale, effects: Scale, music: Scale) -> BlockAudio:
        """What the blocks hear at the time of `temb` (b, e), and how loud; what has scale 0 is left out."""
        heard_speech, heard_effects, heard_music = audio
        timed = (speech, effects) if self.separate_extraction else (speech, effects, music)
        if not all(is_off(scale) for scale in timed):
            others = audio.effects if self.separate_extraction else torch.cat([audio.effects, audio.music], dim=2)
            heard_speech, others = self.interaction(audio.speech, others, temb)
            heard_effects = others[:, :, : audio.effects.shape[2]]
            if not self.separate_extraction:
                heard_music = others[:, :, audio.effects.shape[2] :]
        return BlockAudio(
            None if is_off(speech) else heard_speech,
            None if is_off(effects) else heard_effects,
            None if is_off(music) else heard_music,
            *(as_factor(scale, temb) for scale in (speech, effects, music)),
        )


def is_off(scale: Scale) -> bool:
    """Whether a scale is the number 0; a tensor never is, its values may live on a device."""
    return not isinstance(scale, Tensor) and scale == 0


def as_factor(scale: Scale, like: Tensor) -> Scale:
    """A number as it is, (b,) as (b, 1, 1) on the device and of the type of `like`."""
    return scale.to(like).reshape(-1, 1, 1) if isinstance(scale, Tensor) else scale
