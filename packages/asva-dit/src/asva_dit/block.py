"""One block of CogVideoX that also hears: audio enters between its attention and its feed-forward layer."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.hooks._helpers import TransformerBlockMetadata, TransformerBlockRegistry
from diffusers.models.normalization import CogVideoXLayerNormZero
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from torch import Tensor

from asva_dit.injection import BlockAudio, BlockControl


class MTVBlock(CogVideoXBlock):
    """``CogVideoXBlock`` with MTV's control in ``control``, None in a block that only passes the sound by.

    A subclass, not a hook: what the sound adds is also what the feed-forward layer is added to.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.control: BlockControl | None = None

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        temb: Tensor,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
        attention_kwargs: dict[str, Any] | None = None,
        audio: BlockAudio | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As the base's, which it equals without sound.

        Args:
            hidden_states: (b, t * n, dim) video tokens, frame by frame.
            encoder_hidden_states: (b, l, dim) text tokens.
            temb: (b, e) time embedding, or (b, 1 + t, e): that of the text, then that of each latent frame.
            image_rotary_emb: Rotary embedding of the video tokens.
            attention_kwargs: For the attention processor.
            audio: What the block hears.
        """
        normed, normed_text, gate, text_gate = modulate(self.norm1, hidden_states, encoder_hidden_states, temb)
        attended, attended_text = self.attn1(
            hidden_states=normed,
            encoder_hidden_states=normed_text,
            image_rotary_emb=image_rotary_emb,
            **(attention_kwargs or {}),
        )
        hidden_states = hidden_states + gate * attended
        encoder_hidden_states = encoder_hidden_states + text_gate * attended_text

        if audio is not None and self.control is not None:
            norms = self.attn1.norm_q, self.attn1.norm_k
            hidden_states = self.control(hidden_states, audio, *norms, image_rotary_emb)

        normed, normed_text, gate, text_gate = modulate(self.norm2, hidden_states, encoder_hidden_states, temb)
        length = encoder_hidden_states.shape[1]
        refined = self.ff(torch.cat([normed_text, normed], dim=1))
        hidden_states = hidden_states + gate * refined[:, length:]
        return hidden_states, encoder_hidden_states + text_gate * refined[:, :length]


def modulate(
    norm: CogVideoXLayerNormZero, hidden_states: Tensor, encoder_hidden_states: Tensor, temb: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The base's modulated norm, with a time for each latent frame where `temb` has one (MTV's condition frames).

    Args:
        norm: The base's layer.
        hidden_states: (b, t * n, dim) video tokens.
        encoder_hidden_states: (b, l, dim) text tokens.
        temb: (b, e), or (b, 1 + t, e): the text's, then each frame's.

    Returns:
        The normed video and text tokens and the gates of both, (b, 1, dim) or (b, t * n, dim).
    """
    if temb.ndim == 2:
        return norm(hidden_states, encoder_hidden_states, temb)
    modulation = norm.linear(norm.silu(temb))
    video, text = modulation[:, 1:].chunk(6, dim=-1)[:3], modulation[:, :1].chunk(6, dim=-1)[3:]
    tokens = hidden_states.shape[1] // video[0].shape[1]
    shift, scale, gate = (part.repeat_interleave(tokens, dim=1) for part in video)
    normed = norm.norm(hidden_states) * (1 + scale) + shift
    normed_text = norm.norm(encoder_hidden_states) * (1 + text[1]) + text[0]
    return normed, normed_text, gate, text[2]


# diffusers' caches and layer skipping look the class up, subclasses do not count.
TransformerBlockRegistry.register(
    MTVBlock, TransformerBlockMetadata(return_hidden_states_index=0, return_encoder_hidden_states_index=1)
)
