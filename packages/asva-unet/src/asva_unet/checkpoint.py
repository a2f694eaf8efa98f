"""Checkpoint files of the original code: memory-mapped, and never allowed to run code."""

import os
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from asva_unet.key_table import ConversionError

DEEPSPEED = "_forward_module."  # before every name in the files of Lightning's DeepSpeed strategy


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a ``.ckpt``, ``.pt``, ``.pth`` or ``.safetensors`` file by name.

    The file is memory-mapped: a weight takes memory when it is used, not before, so that a checkpoint of 15 GB can be
    taken apart (``split_checkpoint``) and converted one network at a time.

    Args:
        path: The file. Of a Lightning checkpoint only ``state_dict`` is returned, of a DeepSpeed one ``module``.

    Raises:
        ConversionError: If the file is missing or damaged, would run code, or holds no weights.
    """
    path = Path(path)
    if not path.is_file():
        raise ConversionError(f"`path` must name a checkpoint file, got '{path}', which does not exist.")
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _unpickle(path)
    except pickle.UnpicklingError as error:
        raise ConversionError(
            f"`path` must hold weights only, got '{path}', which would run code when read: it was not loaded."
        ) from error
    except (SafetensorError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise ConversionError(f"`path` must be a whole checkpoint file, got '{path}', which is damaged.") from error
    content = content if isinstance(content, dict) else {}
    content = content.get("state_dict", content.get("module", content))
    state = {name.removeprefix(DEEPSPEED): value for name, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise ConversionError(f"`path` must hold a state dict, got '{path}' without a single tensor.")
    return state


def _unpickle(path: Path) -> object:
    with open(path, "rb") as file:
        zipped = file.read(2) == b"PK"  # torch's format since 1.6; only this one can be mapped
    return torch.load(path, map_location="cpu", mmap=zipped, weights_only=True)
