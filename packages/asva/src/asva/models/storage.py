"""Folders of converted models: written whole or not at all, and read part by part."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from asva.models.catalog import ModelError

__all__ = ["SOURCE", "check_space", "fresh", "network_size", "read_networks"]

SOURCE = "source.json"
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


def network_size(networks: Iterable[nn.Module]) -> int:
    """Bytes of the weights."""
    return sum(value.numel() * value.element_size() for network in networks for value in network.state_dict().values())


def check_space(destination: Path, needed: int) -> None:
    """Refuse what the disk cannot take.

    Raises:
        ModelError: If the disk is too small.
    """
    home = destination.parent
    home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    if free < needed:
        raise ModelError(
            f"Folder '{home}' has {free / 1e9:.1f} GB free and the converted model needs {needed / 1e9:.1f} GB: "
            f"free some, or set ASVA_CACHE to a folder on another disk."
        )


@contextmanager
def fresh(destination: Path) -> Iterator[Path]:
    """A folder beside the destination that takes its name when the block ends well, and is removed otherwise.

    A block may also put a single file of it there.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
    try:
        draft.chmod(0o755)
        yield draft
        if not (destination.is_file() or (destination / SOURCE).is_file()):  # else another process was faster
            os.replace(draft, destination)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


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
