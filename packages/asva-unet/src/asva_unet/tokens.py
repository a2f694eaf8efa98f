"""Tokens of words and pictures, as the U-Nets look at them (KeyVID, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from asva_unet.openclip import clip_image_pixels


def text_tokens(tokenizer: Any, text_encoder: Any, prompts: Sequence[str], device: Any = None) -> Tensor:
    """(b, n, d) hidden states of the prompts, padded or cut to the tokenizer's length.

    An offloaded encoder lies elsewhere than on the `device` where it runs; without it the encoder's own is taken.
    """
    length = min(tokenizer.model_max_length, text_encoder.config.max_position_embeddings)
    ids = prompt_ids(tokenizer, prompts, length).to(device or text_encoder.device)
    return text_encoder(ids).last_hidden_state


def prompt_ids(tokenizer: Any, prompts: Sequence[str], length: int) -> Tensor:
    """(b, n) numbers of the words, padded or cut to a length."""
    found = tokenizer(list(prompts), padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    return found.input_ids


def image_tokens(image_encoder: Any, pixels: Tensor) -> Tensor:
    """(b, n, d) tokens of pictures (b, 3, h, w) in [-1, 1]: the tower's last block, without its final norm."""
    squares = clip_image_pixels(pixels, image_encoder.config.image_size)
    return image_encoder(squares.to(image_encoder.dtype)).last_hidden_state


def project(image_projector: Any, tokens: Tensor) -> Tensor:
    """(b, t, q, d) tokens of each frame, t = 1 where all frames share them, from a picture's (b, n, d)."""
    frames = image_projector(tokens.to(image_projector.dtype))
    return frames.unflatten(1, (image_projector.config.num_frames, -1))
