"""Checkpoint files as their trainers left them: memory-mapped, and never allowed to run code."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from asva_weights.errors import ConversionError
from asva_weights.torchscript import read_torchscript

_LIGHTNING = ("pytorch_lightning.", "lightning.", "lightning_fabric.")
_INERT_HOMES = (*_LIGHTNING, "omegaconf.", "numpy.", "typing.", "collections.")  # numpy's: states of random generators
_HOLDERS = ("state_dict", "module", "model")  # of Lightning, DeepSpeed, BEATs
_DEEPSPEED = "_forward_module."  # before every name in the files of Lightning's DeepSpeed strategy


class _Inert:
    """Stands in for settings or a random state that training left beside the weights; nothing of it is read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        del args, kwargs

    def __setstate__(self, state: Any) -> None:
        del state


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a ``.ckpt``, ``.pt``, ``.pth``, ``.bin`` or ``.safetensors`` file by name.

    The file is memory-mapped: a weight takes memory when it is used, not before, so that a checkpoint of 15 GB can be
    taken apart and converted one network at a time.

    Args:
        path: The file. Of a Lightning checkpoint only ``state_dict`` is returned, of a DeepSpeed one ``module``; of a
            TorchScript archive the tensors, read as data: its code is not loaded.

    Raises:
        ConversionError: If the file is missing or damaged, would run code, or holds no weights.
    """
    content = weights_in(read_content(path))
    state = {name.removeprefix(_DEEPSPEED): value for name, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise ConversionError(f"A checkpoint must hold a state dict, got '{path}' without a single tensor.")
    return state


def read_content(path: str | os.PathLike[str], known: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """All that a checkpoint holds, memory-mapped; no code in it is run.

    Objects of Lightning, OmegaConf and numpy beside the weights are passed over, and what would run code is named.

    Args:
        path: The file.
        known: What stands for further names in a pickle, such as ``{"fractions.Fraction": my_fraction}``; it is called
            with what the file says, so it must be harmless whatever that is.

    Raises:
        ConversionError: If the file is missing, damaged, would run code, or holds no mapping.
    """
    content = read_object(path, known)
    if not isinstance(content, Mapping):
        raise ConversionError(f"A checkpoint must hold weights by name, got '{path}' with {type(content).__name__}.")
    return content


def read_object(path: str | os.PathLike[str], known: Mapping[str, Any] | None = None) -> Any:
    """What a checkpoint holds, be it a mapping or not; see :func:`read_content`."""
    path = Path(path)
    if not path.is_file():
        raise ConversionError(f"A checkpoint must be a file, got '{path}', which does not exist.")
    try:
        return load_file(path) if path.suffix == ".safetensors" else _unpickle(path, known or {})
    except ConversionError:
        raise
    except pickle.UnpicklingError as error:
        raise ConversionError(
            f"A checkpoint must hold weights only, got '{path}', which would run code when read: it was not loaded."
        ) from error
    except Exception as error:  # what a reader stumbles over in a damaged file may be of any kind
        raise ConversionError(f"A checkpoint must be whole, got '{path}', which is damaged: fetch it again.") from error


def weights_in(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The weights among what a checkpoint holds."""
    holder = next((name for name in _HOLDERS if isinstance(content.get(name), Mapping)), None)
    return content if holder is None else content[holder]


def _unpickle(path: Path, known: Mapping[str, Any]) -> object:
    stand_ins: list[Any] = [(value, name) for name, value in known.items()]
    if not zipfile.is_zipfile(path):  # torch's format before 1.6, which cannot be mapped
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(path, map_location="cpu", weights_only=True)
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if packed := [entry.filename for entry in entries if entry.compress_type and entry.filename.endswith(".pkl")]:
        raise ValueError(f"{packed[0]} is compressed, as torch never leaves it: it may grow without end")
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        return read_torchscript(path)
    with torch.serialization.safe_globals(stand_ins + _inert(path, known)):
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)


def _inert(path: Path, known: Mapping[str, Any]) -> list[Any]:
    """Inert classes for what stands harmlessly beside the weights; anything else is refused."""
    foreign = [name for name in torch.serialization.get_unsafe_globals_in_checkpoint(path) if name not in known]
    refused = sorted(name for name in foreign if not name.startswith(_INERT_HOMES))
    if refused:
        raise ConversionError(
            f"A checkpoint must hold weights only, got '{path}', which would run code when it is read "
            f"({', '.join(refused[:3])}): it was not loaded. Take it from a source that you trust, as safetensors or "
            f"saved with `torch.save(state_dict)`."
        )
    return [(_Inert, name) for name in foreign]
