"""A prompt as LTX-2 reads it: all layers of Gemma, brought by connectors to what video and sound each look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Words:
    """What the connectors make of a prompt.

    Attributes:
        video: (b, n, d) for the video.
        audio: (b, n, e) for the sound.
        mask: (b, n) where there are words; None is everywhere.
    """

    video: Tensor
    audio: Tensor
    mask: Tensor | None = None


def read_words(
    tokenizer: Any, text_encoder: Any, connectors: Any, prompts: list[str], length: int, device: Any
) -> list[Words]:
    """Words of each prompt.

    Args:
        tokenizer: Of Gemma.
        text_encoder: Gemma.
        connectors: ``LTX2TextConnectors``.
        prompts: All read at once.
        length: Tokens of each, filled up on the left.
        device: That the networks run on.
    """
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokens = tokenizer(
        [prompt.strip() for prompt in prompts],
        padding="max_length",
        padding_side="left",
        max_length=length,
        truncation=True,
        return_tensors="pt",
    )
    ids, mask = tokens.input_ids.to(device), tokens.attention_mask.to(device)
    # Of the last layer's many logits none is wanted.
    layers = text_encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True, logits_to_keep=1).hidden_states
    read = torch.stack(layers, dim=-1).flatten(2).to(connectors.dtype)
    parts = connectors(read, mask, padding_side="left")
    return [Words(*(one[None] for one in each)) for each in zip(*parts, strict=True)]
