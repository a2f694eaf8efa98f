"""Foreign checkpoint files as their trainer left them, with settings beside the weights."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asva.models.catalog import ModelError

__all__ = ["read_checkpoint", "read_content", "weights_in"]

_INERT_HOMES = ("omegaconf.", "pytorch_lightning.", "lightning.", "lightning_fabric.", "typing.", "collections.")
_HOLDERS = ("state_dict", "module", "model")  # of Lightning, DeepSpeed, BEATs


class _Inert:
    """Stands in for a settings object that training left beside the weights; nothing of it is read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        del args, kwargs

    def __setstate__(self, state: Any) -> None:
        del state


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of a checkpoint, memory-mapped; no code in it is run.

    As :func:`asva_unet.read_checkpoint`, but objects of Lightning and OmegaConf beside the weights are passed over,
    and what would run code is named.

    Raises:
        ModelError: If the file is missing, damaged, would run code, or holds no weights.
    """
    from asva_unet import ConversionError
    from asva_unet import read_checkpoint as read_weights

    path = Path(path)
    try:
        with torch.serialization.safe_globals(_stand_ins(path)):
            return read_weights(path)
    except ConversionError as error:
        raise ModelError(str(error).replace("`path`", "A checkpoint")) from error


def read_content(path: str | Path) -> Mapping[str, Any]:
    """All that a checkpoint holds, memory-mapped; no code in it is run.

    Raises:
        ModelError: If the file is missing, damaged, would run code, or holds no mapping.
    """
    path = Path(path)
    if path.suffix == ".safetensors" or not path.is_file():
        return read_checkpoint(path)
    stand_ins = _stand_ins(path)
    try:
        with torch.serialization.safe_globals(stand_ins):
            content = torch.load(path, map_location="cpu", mmap=zipfile.is_zipfile(path), weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"A checkpoint must hold weights only, got '{path}', which would run code when read: it was not loaded."
        ) from error
    except (RuntimeError, EOFError, KeyError, ValueError) as error:
        raise ModelError(f"A checkpoint must be whole, got '{path}', which is damaged: fetch it again.") from error
    if not isinstance(content, Mapping):
        raise ModelError(f"A checkpoint must hold weights by name, got '{path}' with {type(content).__name__}.")
    return content


def weights_in(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The weights among what a checkpoint holds."""
    holder = next((name for name in _HOLDERS if isinstance(content.get(name), Mapping)), None)
    return content if holder is None else content[holder]


def _stand_ins(path: Path) -> list[tuple[type, str]]:
    """Inert classes for harmless settings; anything else that is not a weight stays forbidden."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return []
    try:
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (RuntimeError, KeyError, EOFError, ValueError):  # damaged: the reader says so
        return []
    refused = sorted(name for name in foreign if not name.startswith(_INERT_HOMES))
    if refused:
        raise ModelError(
            f"Checkpoint '{path}' would run code when it is read ({', '.join(refused[:3])}): it was not loaded. Take "
            f"it from a source that you trust, as safetensors or saved with `torch.save(state_dict)`."
        )
    return [(_Inert, name) for name in foreign]
