"""RAFT through torchvision, with weights that the user gives (KeyVID, section 3.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALLEST_SIDE = 128
"""RAFT's correlation pyramid needs at least 16 cells of 8 pixels."""

NAMES: tuple[tuple[str, str], ...] = (
    (r"fnet\.(.+)", r"feature_encoder.\1"),
    (r"cnet\.(.+)", r"context_encoder.\1"),
    (r"(\w+_encoder)\.conv1\.(.+)", r"\1.convnormrelu.0.\2"),
    (r"(\w+_encoder)\.norm1\.(.+)", r"\1.convnormrelu.1.\2"),
    (r"(\w+_encoder)\.conv2\.(.+)", r"\1.conv.\2"),
    (r"(.+\.layer\d\.\d)\.conv(\d)\.(.+)", r"\1.convnormrelu\2.0.\3"),
    (r"(.+\.layer\d\.\d)\.norm([12])\.(.+)", r"\1.convnormrelu\2.1.\3"),
    (r"(.+\.layer\d\.\d)\.norm3\.(.+)", r"\1.downsample.1.\2"),
    (r"update_block\.encoder\.convc(\d)\.(.+)", r"update_block.motion_encoder.convcorr\1.0.\2"),
    (r"update_block\.encoder\.convf(\d)\.(.+)", r"update_block.motion_encoder.convflow\1.0.\2"),
    (r"update_block\.encoder\.conv\.(.+)", r"update_block.motion_encoder.conv.0.\1"),
    (r"update_block\.gru\.conv([zrq])(\d)\.(.+)", r"update_block.recurrent_block.convgru\2.conv\1.\3"),
    (r"update_block\.mask\.0\.(.+)", r"mask_predictor.convrelu.0.\1"),
    (r"update_block\.mask\.2\.(.+)", r"mask_predictor.conv.\1"),
)
"""Original name -> torchvision's, applied in this order, each to the result of those before."""


def convert_raft(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename princeton-vl RAFT weights (``raft-things.pth``) for ``torchvision.models.optical_flow.raft_large``.

    Args:
        state_dict: The original's state, with or without the ``module.`` of DataParallel.

    Returns:
        State that ``load_state_dict(strict=True)`` takes.

    Raises:
        ValueError: If the two copies that the original keeps of a shortcut's norm differ, or keys are missing or
            unknown.
    """
    state: dict[str, Tensor] = {}
    for key, value in state_dict.items():
        name = _rename(key.removeprefix("module."))
        if name in state and not torch.equal(state[name], value):
            raise ValueError(f"`state_dict` must hold equal copies of {name}, got different ones.")
        state[name] = value
    expected = _empty_raft().state_dict()
    missing, unknown = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing or unknown:
        raise ValueError(
            f"`state_dict` must be that of RAFT (large), got {len(missing)} missing keys {missing[:3]} "
            f"and {len(unknown)} unknown keys {unknown[:3]}."
        )
    return state


def load_raft(weights: str | Path | Mapping[str, Tensor], device: str | torch.device = "cpu") -> nn.Module:
    """RAFT (large) with the user's weights, ready for ``optical_flow(..., method="raft")``.

    Args:
        weights: A ``.pth`` or ``.safetensors`` file or a state dict, in the original's names (``raft-things.pth``) or
            in torchvision's. Files are read with ``weights_only=True``.
        device: Where to run it.

    Returns:
        The network in eval mode.

    Raises:
        ValueError: If keys or shapes do not fit.
        ModuleNotFoundError: If torchvision (extra ``raft``) is absent.
    """
    state = weights if isinstance(weights, Mapping) else _read(Path(weights))
    if any(key.removeprefix("module.").startswith("fnet.") for key in state):
        state = convert_raft(state)
    model = _empty_raft()
    wrong = [k for k, v in model.state_dict().items() if k in state and state[k].shape != v.shape]
    if wrong or state.keys() != model.state_dict().keys():
        wrong = wrong or sorted(state.keys() ^ model.state_dict().keys())
        raise ValueError(f"`weights` must be those of RAFT (large), got wrong keys or shapes, for example {wrong[0]}.")
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False).to(device)


@torch.no_grad()
def raft_flow(model: nn.Module, first: np.ndarray, second: np.ndarray, num_updates: int = 20) -> np.ndarray:
    """Flow of one pair of (h, w, 3) uint8 frames as (2, h, w) float32.

    Frames are padded by their edges to multiples of 8, as the original does; the padding is removed again.
    """
    h, w = first.shape[:2]
    below, right = (max(-side % 8, SMALLEST_SIDE - side) for side in (h, w))
    padding = (right // 2, right - right // 2, below // 2, below - below // 2)
    device = next(model.parameters()).device
    images = [torch.from_numpy(np.ascontiguousarray(x)).to(device).permute(2, 0, 1)[None] for x in (first, second)]
    images = [F.pad(image.float() / 127.5 - 1, padding, mode="replicate") for image in images]
    flow = model(*images, num_flow_updates=num_updates)[-1][0]
    top, left = padding[2], padding[0]
    return flow[:, top : top + h, left : left + w].float().cpu().numpy()


def _rename(key: str) -> str:
    for pattern, name in NAMES:
        key = re.sub(rf"^{pattern}$", name, key)
    return key


def _empty_raft() -> nn.Module:
    from torchvision.models.optical_flow import raft_large

    with torch.device("meta"):
        return raft_large(weights=None, progress=False)


def _read(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)
