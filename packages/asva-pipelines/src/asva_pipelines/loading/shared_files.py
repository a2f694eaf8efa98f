"""Files that several released models stand on: ImageBind's weights, and OpenCLIP's tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asva_weights import ModelError, RemoteFile

IMAGEBIND_FILE = RemoteFile(
    repo="link in the README of facebookresearch/ImageBind",
    path="imagebind_huge.pth",
    gigabytes=4.8,
    licence="CC BY-NC-SA 4.0 (no commercial use)",
)
TOKENIZER_FILES = tuple(
    RemoteFile(
        repo="laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        path=path,
        gigabytes=gigabytes,
        licence="MIT (OpenCLIP)",
        revision="1c2b8495b28150b8a4922ee1c8edee224c284c0c",
    )
    for path, gigabytes in (("vocab.json", 0.0009), ("merges.txt", 0.0005))
)


def openclip_files(folder: Path) -> dict[str, Path]:
    """Those of the tokenizer's files that lie in the folder itself or in its ``tokenizer``."""
    places = [place / file.path for file in TOKENIZER_FILES for place in (folder, folder / "tokenizer")]
    return {place.name: place for place in places if place.is_file()}


def openclip_parts(files: Mapping[str, Path], networks: Mapping[str, Any]) -> dict[str, Any]:
    """The tokenizer and the noise schedule of models on OpenCLIP."""
    from asva_unet import make_scheduler

    tokenizer = openclip_tokenizer(files, networks["text_encoder"].config.max_position_embeddings)
    return {"tokenizer": tokenizer, "scheduler": make_scheduler("ddim", dynamic_rescale=True)}


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
