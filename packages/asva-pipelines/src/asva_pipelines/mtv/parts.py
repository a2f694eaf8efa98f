"""Parts of MTV models, read by the class that their folder names."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from asva_pipelines.loading.folders import damage_named, quiet_libraries
from asva_pipelines.loading.placement import read_network
from asva_pipelines.memory.skeleton import outline
from asva_weights import ModelError

# A class of another name is never imported, whatever a folder says.
LIBRARIES = {
    "AutoencoderKLCogVideoX": "diffusers",
    "CogVideoXTransformer3DModel": "diffusers",
    "T5EncoderModel": "transformers",
    "CLIPTextModel": "transformers",
    "Wav2Vec2Model": "transformers",
    "MTVTransformer3DModel": "asva_dit",
    "PatchVideoAutoencoder": "asva_dit",
    "LogMelFrames": "asva_audio",
    "ImageBindAudioEncoder": "asva_audio",
    "BEATsEncoder": "asva_audio",
}


def part_class(name: str) -> Any:
    """The class of a name, imported when asked for."""
    return getattr(import_module(LIBRARIES[name]), name)


def read_part(name: str, folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """A part of a model folder, its weights in ``dtype`` however they are stored.

    Raises:
        ModelError: If the folder does not hold it, or something else, or what it holds is damaged.
    """
    kind = _kind(name, folder)
    with damage_named(folder), quiet_libraries():
        if kind == "Wav2Vec2ForCTC":
            from asva_audio import load_wav2vec

            return load_wav2vec(folder)
        return read_network(part_class(kind), folder, dtype)


def outline_part(name: str, folder: Path) -> Any:
    """A part in its shape alone, for what only asks for its class and configuration.

    Raises:
        ModelError: See :func:`read_part`.
    """
    kind = _kind(name, folder)
    with damage_named(folder), quiet_libraries():
        return outline(part_class(kind), folder)


def _kind(name: str, folder: Path) -> str:
    path = folder / "config.json"
    if not path.is_file():
        raise ModelError(f"`{name}` must be in {folder}, found nothing there. Train or convert it first.")
    with damage_named(folder):
        config = json.loads(path.read_text(encoding="utf-8"))
        kind = config.get("_class_name") or (config.get("architectures") or [""])[0]
    if kind not in (*LIBRARIES, "Wav2Vec2ForCTC"):
        raise ModelError(f"`{name}` must be one of {', '.join(LIBRARIES)}, got {kind or 'no class'} in {folder}.")
    return kind
