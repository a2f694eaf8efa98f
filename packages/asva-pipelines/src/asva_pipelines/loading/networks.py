"""Networks of a converted folder, as its config files name them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from asva_weights import ModelError

__all__ = ["read_networks"]

# A class of another name is never imported, whatever a folder says.
_LIBRARIES = {
    "AutoencoderKL": "diffusers",
    "CLIPTextModel": "transformers",
    "CLIPVisionModel": "transformers",
    "ImageResampler": "asva_unet",
    "KeyVIDUNet": "asva_unet",
    "AVSyncDUNet": "asva_unet",
    "MTVTransformer3DModel": "asva_dit",
    "ImageBindAudioEncoder": "asva_audio",
    "BEATsEncoder": "asva_audio",
}


def read_networks(folder: Path) -> dict[str, nn.Module]:
    """The networks of a model folder that a release can hold, the weights memory-mapped and in their own precision.

    Raises:
        ModelError: If a part is damaged.
    """
    if not (folder / "model_index.json").is_file():
        return {"encoder": _read_network(folder)}
    parts = [path.parent for path in sorted(folder.glob("*/config.json"))]
    return {part.name: _read_network(part) for part in parts if _config(part)[0] in _LIBRARIES}


def _config(part: Path) -> tuple[str, dict[str, Any]]:
    try:
        config = json.loads((part / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"Folder '{part}' has no readable config.json: convert the released files again.") from error
    return config.get("_class_name") or (config.get("architectures") or [""])[0], config


def _read_network(folder: Path) -> nn.Module:
    name, config = _config(folder)
    try:
        with torch.device("meta"):
            network = _empty(name, config)
        weights: dict[str, torch.Tensor] = {}
        for file in sorted(folder.glob("*.safetensors")):
            weights.update(load_file(file))
        network.load_state_dict(weights, assign=True)
    except (OSError, ValueError, RuntimeError, TypeError, AttributeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise ModelError(f"Folder '{folder}' is damaged ({reason}): convert the released files again.") from error
    return network.eval()


def _empty(name: str, config: dict[str, Any]) -> nn.Module:
    if name not in _LIBRARIES:
        raise ValueError(f"it holds {name or 'no class'}, which is no part of a released model")
    made = getattr(importlib.import_module(_LIBRARIES[name]), name)
    if _LIBRARIES[name] == "transformers":
        return made(made.config_class.from_dict(config))
    return made.from_config(config)
