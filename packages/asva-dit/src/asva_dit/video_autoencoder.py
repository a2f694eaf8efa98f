"""CogVideoX's autoencoder as its authors publish it (``3d-vae.pt``), in the names of diffusers, strict both ways."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from asva_weights import KeyTable, read_checkpoint

# Of the 5B models; every other size is the class's own.
COGVIDEOX_VAE: dict[str, Any] = {"scaling_factor": 0.7}
# The original counts the four blocks of the way up from the finest, and the two of the middle from one.
_TABLE = KeyTable(
    (
        (r"mid_block\.resnets\.(\d)", lambda match: f"mid.block_{int(match[1]) + 1}"),
        (r"up_blocks\.(\d)", lambda match: f"up.{3 - int(match[1])}"),
        (r"down_blocks\.", "down."),
        (r"(down|up)samplers\.0", r"\1sample"),
        (r"resnets\.", "block."),
        (r"conv_shortcut", "nin_shortcut"),
    ),
    unused=r"loss\..*",  # the discriminator and the perceptual loss that it was trained with
)


def load_cogvideox_vae(path: str | os.PathLike[str]) -> Any:
    """``3d-vae.pt`` as ``diffusers.AutoencoderKLCogVideoX``, every key and shape checked.

    Raises:
        ConversionError: If the file cannot be read, keys are missing or unknown, or shapes differ.
    """
    from diffusers import AutoencoderKLCogVideoX

    with torch.device("meta"):
        vae = AutoencoderKLCogVideoX(**COGVIDEOX_VAE)
    ours = _TABLE.to_ours(read_checkpoint(path), vae.state_dict(), "CogVideoX's autoencoder")
    vae.load_state_dict(ours, assign=True)
    return vae.eval()


def restore_cogvideox_vae(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse: a state dict of diffusers' class in the names of ``3d-vae.pt``."""
    return _TABLE.to_original(state)
