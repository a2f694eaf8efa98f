"""OpenCLIP's tokenizer, which DynamiCrafter and KeyVID use and their checkpoints do not hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asva_weights import ModelError

__all__ = ["openclip_tokenizer"]


def openclip_tokenizer(files: Mapping[str, Path], length: int) -> Any:
    """CLIP's words, padded with the word of number 0.

    Args:
        files: ``vocab.json`` and ``merges.txt``.
        length: Words that the text encoder takes.

    Raises:
        ModelError: If a file is damaged.
    """
    from transformers import CLIPTokenizer

    try:
        vocabulary = json.loads(files["vocab.json"].read_text(encoding="utf-8"))
        lines = files["merges.txt"].read_text(encoding="utf-8").splitlines()
        first = next(word for word, number in vocabulary.items() if number == 0)
        merges = [tuple(line.split()) for line in lines if line and not line.startswith("#version")]
        return CLIPTokenizer(vocab=vocabulary, merges=merges, pad_token=first, model_max_length=length)
    except (OSError, ValueError, AttributeError, StopIteration) as error:
        raise ModelError(
            f"The tokenizer's '{files['vocab.json']}' or 'merges.txt' is damaged: fetch it again."
        ) from error
