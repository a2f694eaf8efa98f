"""Checkpoint file -> audio encoder, every key and shape checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asva_audio.beats import BEATsEncoder
from asva_audio.beats_convert import convert_beats
from asva_audio.convert import POSITIONS, audio_config, convert_imagebind_audio
from asva_audio.imagebind import ImageBindAudioEncoder
from asva_weights import read_checkpoint, read_content
from asva_weights.key_table import below
from asva_weights.release import blame

# Where ImageBind stands in KeyVID's diffusion checkpoints, in its localizer (sic) and in imagebind_huge.pth.
PREFIXES = ("imagebind_model.", "imagebindMoodel.", "")


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
        ConversionError: If the file is missing or damaged, would run code, or its keys or shapes are not ImageBind's.
    """
    state = read_checkpoint(path)
    prefix = next((prefix for prefix in PREFIXES if prefix + POSITIONS in state), "")
    options = {} if num_attention_heads is None else {"num_attention_heads": num_attention_heads}
    with blame(Path(path), "ImageBind checkpoint"):
        return read_imagebind(below(state, prefix), num_frames=num_frames, stride=stride, **options).float()


def read_imagebind(
    state: Mapping[str, Tensor], *, stride: int | tuple[int, int] = (10, 10), **options: Any
) -> ImageBindAudioEncoder:
    """The audio tower from the weights of ImageBind, positions resized to the grid that the stride gives.

    Args:
        state: ImageBind's weights, without prefix; they are shared.
        stride: Step between patches, (frequency, time) or one number for both.
        **options: Arguments of the encoder other than those that the weights tell.

    Raises:
        ConversionError: If a weight is missing or unknown, or its shape does not fit.
    """
    with torch.device("meta"):
        encoder = ImageBindAudioEncoder(**{**audio_config(state), **options}, stride=stride)
    encoder.load_state_dict(convert_imagebind_audio(state, grid=encoder.grid), assign=True)
    return encoder.eval()


def load_beats(path: str | os.PathLike[str]) -> BEATsEncoder:
    """The encoder of a released BEATs checkpoint (``BEATs_iter3.pt``, finetuned or not), configured by the file.

    Args:
        path: ``.pt`` with ``cfg`` and ``model``.

    Returns:
        The encoder in float32 and evaluation mode.

    Raises:
        ConversionError: If the file is missing or damaged, would run code, or its keys or shapes are not those of
            BEATs.
    """
    content = read_content(path)
    with blame(Path(path), "BEATs checkpoint"):
        return read_beats(content).float()


def read_beats(content: Mapping[str, Any]) -> BEATsEncoder:
    """The encoder from what a BEATs checkpoint holds; the weights are shared.

    Raises:
        ConversionError: If the architecture is another, a key is missing or unknown, or a shape does not fit.
    """
    config, weights = convert_beats(content)
    with torch.device("meta"):
        encoder = BEATsEncoder(**config)
    encoder.load_state_dict(weights, assign=True)
    return encoder.eval()
