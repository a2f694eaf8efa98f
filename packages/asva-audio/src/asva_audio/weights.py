"""Checkpoint file -> audio encoder: memory-mapped, every key and shape checked, code in pickles never run."""

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from asva_audio.beats import BEATsEncoder
from asva_audio.beats_convert import convert_beats
from asva_audio.convert import EMBEDDING, convert_imagebind_audio
from asva_audio.imagebind import ImageBindAudioEncoder

# Where ImageBind stands in KeyVID's diffusion checkpoints, in its localizer (sic) and in imagebind_huge.pth.
PREFIXES = ("imagebind_model.", "imagebindMoodel.", "")
HEAD_SIZE = 64


def load_imagebind_audio(
    path: str | os.PathLike[str],
    *,
    num_frames: int = 204,
    stride: int | tuple[int, int] = (10, 4),
    num_attention_heads: int | None = None,
) -> ImageBindAudioEncoder:
    """The audio encoder of ``imagebind_huge.pth``, of a KeyVID checkpoint or of its localizer.

    Width and number of blocks follow the file; positions of another number of columns are resized to the geometry
    asked for, as KeyVID does (229 -> 577).

    Args:
        path: ``.pth``, ``.ckpt`` or ``.safetensors``.
        num_frames: Width of the mel, in frames of 10 ms.
        stride: Step between patches, (frequency, time) or one number for both.
        num_attention_heads: Number of heads; None for heads of width 64 as in ImageBind.

    Returns:
        The encoder in float32 and evaluation mode.

    Raises:
        ValueError: If the file is missing or damaged, would run code, or its keys or shapes are not ImageBind's.
    """
    state = _weights_of(path)
    prefix = next((p for p in PREFIXES if p + EMBEDDING["positions"] in state), "")
    weights = convert_imagebind_audio(state, prefix=prefix)
    width, _, patch_size, _ = weights["patch.weight"].shape
    encoder = ImageBindAudioEncoder(
        num_frames=num_frames,
        stride=stride,
        patch_size=patch_size,
        hidden_size=width,
        num_hidden_layers=len({key.split(".")[1] for key in weights if key.startswith("blocks.")}),
        num_attention_heads=num_attention_heads or width // HEAD_SIZE,
        class_token="class_embedding" in weights,
    )
    weights = convert_imagebind_audio(state, prefix=prefix, grid=encoder.grid)
    _check_shapes(path, weights, encoder.state_dict())
    encoder.load_state_dict(weights)
    return encoder.eval()


def load_beats(path: str | os.PathLike[str]) -> BEATsEncoder:
    """The encoder of a released BEATs checkpoint (``BEATs_iter3.pt``, finetuned or not), configured by the file.

    Args:
        path: ``.pt`` with ``cfg`` and ``model``.

    Returns:
        The encoder in float32 and evaluation mode.

    Raises:
        ValueError: If the file is missing or damaged, would run code, or its keys or shapes are not those of BEATs.
    """
    config, weights = convert_beats(_read(Path(path)))
    encoder = BEATsEncoder(**config)
    _check_shapes(path, weights, encoder.state_dict())
    encoder.load_state_dict(weights)
    return encoder.eval()


def _check_shapes(path: str | os.PathLike[str], weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    for key, value in weights.items():
        if value.shape != expected[key].shape:
            raise ValueError(
                f"`path` must hold {tuple(expected[key].shape)} for {key}, "
                f"got {tuple(value.shape)} in {path}; it is another network."
            )


def _weights_of(path: str | os.PathLike[str]) -> Mapping[str, Tensor]:
    content = _read(Path(path))
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping) or not state:
        raise ValueError(f"`path` must hold weights by name, got {type(state).__name__} in {path}.")
    return state


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise ValueError(f"`path` must name a checkpoint file, got {path}, which does not exist.")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _unpickle(path)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"`path` must hold weights only, got {path}, which would run code; get another copy."
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise ValueError(f"`path` must hold a whole checkpoint, got {path}, which is damaged; get it again.") from error
    if not isinstance(state, Mapping) or not state:
        raise ValueError(f"`path` must hold weights by name, got {type(state).__name__} in {path}.")
    return state


def _unpickle(path: Path) -> object:
    with path.open("rb") as file:
        mapped = file.read(2) == b"PK"  # only the zip format of torch 1.6 and later can be mapped
    return torch.load(path, map_location="cpu", mmap=mapped, weights_only=True)
