"""Audio encoders that were released by themselves: ImageBind's tower and BEATs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asva_weights import ModelError, count_of, read_checkpoint, shape_of
from asva_weights.checkpoint import read_content
from asva_weights.release import Family, Files, Release, Say, State, blame

__all__ = ["BEATS", "IMAGEBIND", "IMAGEBIND_AUDIO", "audio_config", "read_imagebind"]

IMAGEBIND = "imagebind_huge.pth"
_STRIDE = (10, 10)
_HEAD = 64


def read_imagebind(state: State, *, stride: tuple[int, int] = _STRIDE) -> Any:
    """The audio tower of ImageBind, positions resized to the grid that the stride gives.

    Raises:
        ValueError: If a weight is missing or unknown, or its shape does not fit.
    """
    from asva_audio.convert import convert_imagebind_audio
    from asva_audio.imagebind import ImageBindAudioEncoder

    with torch.device("meta"):
        encoder = ImageBindAudioEncoder(**audio_config(state), stride=stride)
    _load(encoder, convert_imagebind_audio(state, grid=encoder.grid))
    return encoder.eval()


def audio_config(state: State) -> dict[str, Any]:
    """Arguments of :class:`asva_audio.ImageBindAudioEncoder` from ``imagebind_model`` without prefix."""
    what = "audio encoder"
    width, _, patch, _ = shape_of(state, "modality_preprocessors.audio.rgbt_stem.proj.weight", what)
    block = "modality_trunks.audio.blocks"
    return {
        "hidden_size": width,
        "num_hidden_layers": count_of(state, rf"{re.escape(block)}\.(\d+)\."),
        "num_attention_heads": max(width // _HEAD, 1),
        "mlp_ratio": shape_of(state, f"{block}.0.mlp.fc1.weight", what)[0] // width,
        "patch_size": patch,
    }


def _load(network: torch.nn.Module, weights: State) -> None:
    """Strict, with an error of one line."""
    for name, wanted in network.state_dict().items():
        if name in weights and weights[name].shape != wanted.shape:
            raise ModelError(f"{name} must have shape {tuple(wanted.shape)}, got {tuple(weights[name].shape)}.")
    network.load_state_dict(weights, assign=True)


def _find_imagebind(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is not None:
        return {IMAGEBIND: source} if any(name.startswith("modality_trunks.") for name in content) else None
    return {IMAGEBIND: source / IMAGEBIND} if (source / IMAGEBIND).is_file() else None


def _read_imagebind(files: Files, say: Say) -> Release:
    path = files[IMAGEBIND]
    state = read_checkpoint(path)
    with blame(path, "ImageBind checkpoint"):
        return Release(networks={"encoder": read_imagebind(state)})


def _find_beats(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is not None:
        return {source.name: source} if {"cfg", "model"} <= content.keys() else None
    found = sorted(path for path in source.glob("BEATs_*.pt") if path.is_file())
    if len(found) > 1:
        raise ModelError(f"Folder '{source}' holds {len(found)} BEATs files: pass one of them.")
    return {found[0].name: found[0]} if found else None


def _read_beats(files: Files, say: Say) -> Release:
    from asva_audio.beats import BEATsEncoder
    from asva_audio.beats_convert import convert_beats

    [path] = files.values()
    content = read_content(path)
    with blame(path, "BEATs checkpoint"):
        config, weights = convert_beats(content)
        with torch.device("meta"):
            encoder = BEATsEncoder(**config)
        _load(encoder, weights)
    return Release(networks={"encoder": encoder.eval()})


IMAGEBIND_AUDIO = Family(
    name="imagebind",
    title="ImageBind's audio encoder",
    wants=f"`{IMAGEBIND}`",
    licence="CC BY-NC-SA 4.0 (no commercial use)",
    find=_find_imagebind,
    read=_read_imagebind,
)
BEATS = Family(
    name="beats",
    title="BEATs",
    wants="`BEATs_iter3.pt`, `BEATs_iter3_plus_AS2M.pt` or their finetuned forms",
    licence="MIT",
    find=_find_beats,
    read=_read_beats,
)
