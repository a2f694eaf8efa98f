"""Checkpoint file -> network of a metric: every key and shape checked, code in pickles never run."""

from __future__ import annotations

import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from asva_metrics.networks.convert import BUILDERS, Family, convert_network, invert_network
from asva_metrics.networks.imagebind import ImageBind
from asva_metrics.networks.imagebind_convert import convert_imagebind
from asva_metrics.networks.video_clip import VideoCLIP, convert_video_clip

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
        ValueError: If the file is missing or damaged, would run code, or its keys or shapes are others.
    """
    source = Path(path)
    state = _folder(source) if family == "avsync" and source.is_dir() else read_weights(source)
    weights = convert_network(state, family)
    network = BUILDERS[family]()
    network.load_state_dict(weights)
    return network.eval()


def load_imagebind(path: str | os.PathLike[str], *, prefix: str = "") -> ImageBind:
    """ImageBind's towers of images, texts and sounds from ``imagebind_huge.pth``, see `convert_imagebind`."""
    return convert_imagebind(read_weights(Path(path)), prefix=prefix)


def load_video_clip(path: str | os.PathLike[str]) -> VideoCLIP:
    """VideoCLIP-XL from ``VideoCLIP-XL.bin``, in evaluation mode; errors as `load_network`."""
    state = convert_video_clip(read_weights(Path(path)))
    with torch.device("meta"):
        network = VideoCLIP()
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"`path` must hold exactly the weights of VideoCLIP-XL, got {path}: {reason}.") from error
    return network.float().eval()


def start_from_avid_cma(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Give an `AVSyncClassifier` the towers of an AVID-CMA checkpoint, from which the original starts.

    Raises:
        ValueError: If the file does not hold both towers.
    """
    given = {_AVID_TOWER.sub(r"\1_encoder.", key): value for key, value in read_weights(Path(path)).items()}
    state = invert_network(network.state_dict(), "avsync")
    lacking = [key for key in state if not key.startswith("head.") and key not in given]
    if lacking:
        raise ValueError(f"`path` must hold both towers of AVID-CMA, got {path} without {lacking[0]}.")
    network.load_state_dict(convert_network(state | {key: given[key] for key in state if key in given}, "avsync"))


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Tensors by name from a checkpoint file.

    Raises:
        ValueError: If the file is missing or damaged, would run code, or holds something else.
    """
    if not path.is_file():
        raise ValueError(f"`path` must name a checkpoint file, got {path}, which does not exist.")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _unpickle(path)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"`path` must hold weights only, got {path}, which would run code; get another copy."
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"`path` must hold a whole checkpoint, got {path}, which is damaged; get it again.") from error
    for nest in ("state_dict", "model"):
        state = state.get(nest, state) if isinstance(state, Mapping) else state
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"`path` must hold weights by name, got {type(state).__name__} in {path}.")
    return state


def _folder(path: Path) -> dict[str, Tensor]:
    state = {}
    for part in AVSYNC_PARTS:
        file = next((path / part / name for name in FILES if (path / part / name).is_file()), path / part / FILES[-1])
        state |= {f"{part}.{key}": value for key, value in read_weights(file).items()}
    return state


def _unpickle(path: Path) -> object:
    if zipfile.is_zipfile(path) and _is_torchscript(path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # the form is deprecated, the published file is not
            return dict(torch.jit.load(path, map_location="cpu").state_dict())  # read, never called
    return torch.load(path, map_location="cpu", weights_only=True)


def _is_torchscript(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("constants.pkl") for name in archive.namelist())
