"""RAFT through torchvision, with weights that the user gives (KeyVID, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asva_weights import ConversionError, KeyTable, read_checkpoint

SMALLEST_SIDE = 128
"""RAFT's correlation pyramid needs at least 16 cells of 8 pixels."""

TABLE = KeyTable(
    (
        (r"^feature_encoder\.", "fnet."),
        (r"^context_encoder\.", "cnet."),
        (r"^(.net)\.convnormrelu\.0\.", r"\1.conv1."),
        (r"^(.net)\.convnormrelu\.1\.", r"\1.norm1."),
        (r"^(.net)\.conv\.", r"\1.conv2."),
        (r"\.convnormrelu(\d)\.0\.", r".conv\1."),
        (r"\.convnormrelu(\d)\.1\.", r".norm\1."),
        (r"^update_block\.motion_encoder\.conv(c)orr(\d)\.0\.", r"update_block.encoder.conv\1\2."),
        (r"^update_block\.motion_encoder\.conv(f)low(\d)\.0\.", r"update_block.encoder.conv\1\2."),
        (r"^update_block\.motion_encoder\.conv\.0\.", "update_block.encoder.conv."),
        (r"^update_block\.recurrent_block\.convgru(\d)\.conv(.)\.", r"update_block.gru.conv\2\1."),
        (r"^mask_predictor\.convrelu\.0\.", "update_block.mask.0."),
        (r"^mask_predictor\.conv\.", "update_block.mask.2."),
    ),
    unused=r".+\.norm3\..+",  # a second copy of a shortcut's norm, `downsample.1`
)


def convert_raft(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename princeton-vl RAFT weights (``raft-things.pth``) for ``torchvision.models.optical_flow.raft_large``.

    Args:
        state_dict: The original's state, with or without the ``module.`` of DataParallel.

    Returns:
        State that ``load_state_dict(strict=True)`` takes.

    Raises:
        ConversionError: If the two copies that the original keeps of a shortcut's norm differ, or keys are missing or
            unknown.
    """
    state = {key.removeprefix("module."): value for key, value in state_dict.items()}
    for key, copy in TABLE.rest(state).items():
        name = key.replace(".norm3.", ".downsample.1.")
        if name in state and not torch.equal(state[name], copy):
            raise ConversionError(f"`state_dict` must hold equal copies of {name}, got different ones.")
    return TABLE.to_ours(state, _empty_raft().state_dict(), "`state_dict`")


def load_raft(weights: str | Path | Mapping[str, Tensor], device: str | torch.device = "cpu") -> nn.Module:
    """RAFT (large) with the user's weights, ready for ``optical_flow(..., method="raft")``.

    Args:
        weights: A ``.pth`` or ``.safetensors`` file or a state dict, in the original's names (``raft-things.pth``) or
            in torchvision's. Files are read with ``weights_only=True``.
        device: Where to run it.

    Returns:
        The network in eval mode.

    Raises:
        ConversionError: If keys or shapes do not fit.
        ModuleNotFoundError: If torchvision (extra ``raft``) is absent.
    """
    state = weights if isinstance(weights, Mapping) else read_checkpoint(weights)
    model = _empty_raft()
    if any(key.removeprefix("module.").startswith("fnet.") for key in state):
        state = convert_raft(state)
    else:
        state = KeyTable().to_ours(state, model.state_dict(), "`weights`")
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


def _empty_raft() -> nn.Module:
    from torchvision.models.optical_flow import raft_large

    with torch.device("meta"):
        return raft_large(weights=None, progress=False)
