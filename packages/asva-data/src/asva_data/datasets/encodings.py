"""Text encodings of classes as the released code stores them."""

from __future__ import annotations

import os

from torch import Tensor

from asva_weights import ConversionError, read_object

from ..clip import MediaError


def load_text_encodings(path: str | os.PathLike) -> dict[str, Tensor] | Tensor:
    """Read a file of text encodings: a dict from words to (77, 768), or one (77, 768) for a set of one class.

    Raises:
        MediaError: If it is missing or holds something else; nothing in it is ever executed.
    """
    try:
        loaded = read_object(path)
    except ConversionError as error:
        raise MediaError(f"`encodings` must be tensors stored by torch, got {path}: {error}") from error
    tensors = list(loaded.values()) if isinstance(loaded, dict) else [loaded]
    if not tensors or not all(isinstance(tensor, Tensor) and tensor.ndim in (2, 3) for tensor in tensors):
        raise MediaError(f"`encodings` must be a tensor or a dict of them, got {type(loaded).__name__} in {path}.")
    return loaded


def encoding_of(encodings: dict[str, Tensor] | Tensor, caption: str) -> Tensor:
    """The encoding of a caption.

    Raises:
        MediaError: If it has none.
    """
    if isinstance(encodings, Tensor):
        return encodings
    if caption not in encodings:
        some = ", ".join(sorted(encodings)[:5])
        raise MediaError(f"`encodings` must hold every caption, got none for {caption!r} among {some}, ...")
    return encodings[caption]
