"""The released checkpoints: one speaker, two speakers, effects; read strictly, and written back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asva_dit.convert import PREFIX, convert_mtv, restore_mtv
from asva_dit.transformer import MTVTransformer3DModel
from asva_weights import ConversionError, read_checkpoint, staged

SECOND_SPEAKER = PREFIX + "transformer.audio_vocal_embedding_1"


def mtv_config(num_speakers: int = 1) -> dict[str, Any]:
    """Arguments of ``MTVTransformer3DModel`` as released: CogVideoX 5B in the shape of its image-to-video model.

    The checkpoints for one speaker and for effects have the same form.
    """
    return {
        "num_attention_heads": 48,
        "num_layers": 42,
        "in_channels": 32,
        "use_rotary_positional_embeddings": True,
        "use_learned_positional_embeddings": True,
        "audio_temporal": "tied_conv",
        "num_speakers": num_speakers,
        "zero_init": False,
    }


def load_mtv_checkpoint(
    path: str | os.PathLike[str], *, dtype: torch.dtype | None = None, **config: Any
) -> MTVTransformer3DModel:
    """A released checkpoint as our model, every key and shape checked.

    Args:
        path: ``mp_rank_00_model_states.pt``; one or two speakers, as its names say.
        dtype: Type of the weights, that of the file by default.
        **config: Arguments other than the released ones of ``mtv_config``.

    Raises:
        ConversionError: If the file cannot be read, keys are missing or unknown, or shapes differ.
    """
    state = read_checkpoint(path)
    two = {SECOND_SPEAKER, SECOND_SPEAKER.removeprefix(PREFIX)} & state.keys()
    with torch.device("meta"):
        model = MTVTransformer3DModel(**{**mtv_config(2 if two else 1), **config})
    ours, _ = convert_mtv(state, model.state_dict())
    model.load_state_dict(ours, assign=True)
    return model.to(dtype) if dtype is not None else model


def save_mtv_checkpoint(
    model: MTVTransformer3DModel, path: str | os.PathLike[str], unused: Mapping[str, Tensor] | None = None
) -> None:
    """Write a model as the original code reads it: the inverse of ``load_mtv_checkpoint``.

    Args:
        model: In the published form.
        path: The file; it is written under another name and moved.
        unused: What ``convert_mtv`` has left aside, if it is to be in the file too.

    Raises:
        ConversionError: If the original has no place for a weight.
    """
    published = {
        **{"audio_temporal": ("tied_conv",), "injection_interval": (1,)},
        **{"separate_extraction": (True,), "separate_injection": (True,)},
        "injection_heads": (None, model.config.num_attention_heads),
    }
    if other := {name: model.config[name] for name in published if model.config[name] not in published[name]}:
        raise ConversionError(f"`model` must be in the published form, got {other}.")
    state = {PREFIX + name: tensor for name, tensor in restore_mtv(model.state_dict(), unused).items()}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with staged(path) as (draft,):
        torch.save({"module": state}, draft)
