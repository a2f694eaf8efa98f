"""Checkpoint file -> network of a metric: every key and shape checked, code in pickles never run."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch
from torch import Tensor, nn

from asva_metrics.networks.convert import BUILDERS, Family, convert_network, invert_network
from asva_metrics.networks.imagebind import ImageBind
from asva_metrics.networks.imagebind_convert import convert_imagebind
from asva_metrics.networks.video_clip import TABLE, VideoCLIP
from asva_weights import read_checkpoint
from asva_weights.release import blame

AVSYNC_PARTS = ("audio_encoder", "video_encoder", "head")
_AVID_TOWER = re.compile(r"^module\.(audio|video)_model\.")
FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")


def load_network(path: str | os.PathLike[str], family: Family) -> nn.Module:
    """A network with its published weights.

    Args:
        path: ``.pt``, ``.pth``, ``.bin``, ``.model`` or ``.safetensors``; for "i3d" also the TorchScript file; for
            "avsync" also the folder ``modules`` of the release.
        family: See `asva_metrics.convert_network`.

    Returns:
        The network in float32 and evaluation mode.

    Raises:
        ConversionError: If the file is missing or damaged, would run code, or its keys or shapes are others.
    """
    source = Path(path)
    state = _folder(source) if family == "avsync" and source.is_dir() else read_checkpoint(source)
    with blame(source, f"checkpoint of {family}"):
        weights = convert_network(state, family)
    network = BUILDERS[family]()
    network.load_state_dict(weights)
    return network.eval()


def load_imagebind(path: str | os.PathLike[str], *, prefix: str = "") -> ImageBind:
    """ImageBind's towers of images, texts and sounds from ``imagebind_huge.pth``, see `convert_imagebind`."""
    return convert_imagebind(read_checkpoint(path), prefix=prefix)


def load_video_clip(path: str | os.PathLike[str]) -> VideoCLIP:
    """VideoCLIP-XL from ``VideoCLIP-XL.bin``, in evaluation mode; errors as `load_network`."""
    with torch.device("meta"):
        network = VideoCLIP()
    state = TABLE.to_ours(read_checkpoint(path), network.state_dict(), "VideoCLIP-XL")
    network.load_state_dict(state, assign=True)
    return network.float().eval()


def start_from_avid_cma(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Give an `AVSyncClassifier` the towers of an AVID-CMA checkpoint, from which the original starts.

    Raises:
        ValueError: If the file does not hold both towers.
    """
    given = {_AVID_TOWER.sub(r"\1_encoder.", key): value for key, value in read_checkpoint(path).items()}
    state = invert_network(network.state_dict(), "avsync")
    lacking = [key for key in state if not key.startswith("head.") and key not in given]
    if lacking:
        raise ValueError(f"`path` must hold both towers of AVID-CMA, got {path} without {lacking[0]}.")
    network.load_state_dict(convert_network(state | {key: given[key] for key in state if key in given}, "avsync"))


def _folder(path: Path) -> dict[str, Tensor]:
    state = {}
    for part in AVSYNC_PARTS:
        file = next((path / part / name for name in FILES if (path / part / name).is_file()), path / part / FILES[-1])
        state |= {f"{part}.{key}": value for key, value in read_checkpoint(file).items()}
    return state
