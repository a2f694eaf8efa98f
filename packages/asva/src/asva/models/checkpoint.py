"""Foreign checkpoint files, memory-mapped, and never allowed to run code."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asva.models.catalog import ModelError

__all__ = ["read_checkpoint", "take"]

_INERT_HOMES = ("omegaconf.", "pytorch_lightning.", "lightning.", "lightning_fabric.", "typing.", "collections.")


class _Inert:
    """Stands in for a settings object that training left beside the weights; nothing of it is read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        del args, kwargs

    def __setstate__(self, state: Any) -> None:
        del state


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.ckpt``, ``.pth``, ``.pt``, ``.bin`` or ``.safetensors`` file.

    The file is memory-mapped: a tensor takes memory when it is used, not before.

    Args:
        path: The file. A Lightning checkpoint gives its ``state_dict``.

    Returns:
        Tensors by their original names.

    Raises:
        ModelError: If the file is missing, damaged, holds code, or holds no tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"Checkpoint '{path}' does not exist.")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    content = _unpickle(path)
    content = content.get("state_dict", content) if isinstance(content, dict) else {}
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ModelError(f"Checkpoint '{path}' holds no tensors: it is not a model, or it was saved another way.")
    return tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise _damaged(path, error) from error


def _unpickle(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_stand_ins(path)):
            return torch.load(path, map_location="cpu", mmap=_is_zip(path), weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(path, error) from error
    except (RuntimeError, EOFError, KeyError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise _damaged(path, error) from error


def _is_zip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"PK"


def _stand_ins(path: Path) -> list[tuple[type, str]]:
    """Inert classes for the harmless settings that Lightning stores; anything else foreign stays forbidden."""
    if not _is_zip(path):
        return []
    foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    refused = [name for name in foreign if not name.startswith(_INERT_HOMES)]
    if refused:
        raise _runs_code(path, refused)
    return [(_Inert, name) for name in foreign]


def _refused(path: Path, error: Exception) -> ModelError:
    foreign = re.findall(r"GLOBAL (\S+)", str(error))
    if foreign:
        return _runs_code(path, foreign)
    return ModelError(f"'{path}' is not a checkpoint (neither safetensors nor written by `torch.save`).")


def _runs_code(path: Path, foreign: list[str]) -> ModelError:
    return ModelError(
        f"Checkpoint '{path}' would run code when it is read ({', '.join(sorted(foreign)[:3])}): it was not loaded. "
        f"Take it from a source that you trust, as safetensors or saved with `torch.save(state_dict)`."
    )


def _damaged(path: Path, error: Exception) -> ModelError:
    return ModelError(f"Checkpoint '{path}' is damaged or incomplete ({_first(error)}): download it again.")


def _first(error: Exception) -> str:
    """The first sentence of a long message."""
    return str(error).strip().split("\n")[0].split(". ")[0].rstrip(".") or type(error).__name__


def take(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors below a prefix, named without it."""
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
