"""AVSyncD's U-Net from Stable Diffusion's: every weight kept, the new ones drawn (AVSyncD, section 4.2)."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from typing import TypeVar

import torch
from diffusers import ModelMixin, UNet2DConditionModel
from torch import nn

from asva_unet.embeddings import zero_

Model = TypeVar("Model", bound=ModelMixin)
INITIALIZATIONS = ("neutral", "official")
SWITCHES = ("audio_cross_attention_dim", "audio", "first_frame_conv", "first_frame_attention", "norm_over_frames")


def is_new(name: str) -> bool:
    """Whether a parameter or module of this name is no part of Stable Diffusion.

    >>> is_new("mid_block.resnets.0.conv1.conv_temp.weight"), is_new("mid_block.resnets.0.time_emb_proj.bias")
    (True, False)
    """
    return re.search("_temp|_audio", name) is not None


def shared_config(config: Mapping, expected: set[str]) -> dict:
    """The entries of a Stable Diffusion U-Net's config that a network of ours takes.

    Args:
        config: Of ``UNet2DConditionModel``, or of a U-Net derived from it.
        expected: Names of the entries that are taken.

    Raises:
        ValueError: If another entry differs from what Stable Diffusion 1.x has, so that a layer would differ too.
    """
    for name, parameter in inspect.signature(UNet2DConditionModel.__init__).parameters.items():
        known = name in expected or name in ("self", "mid_block_type")
        if not known and config.get(name, parameter.default) != parameter.default:
            raise ValueError(
                f"`unet` must be a U-Net of Stable Diffusion 1.x with {name}={parameter.default!r}, "
                f"got {config[name]!r}."
            )
    return {name: value for name, value in config.items() if name in expected}


def inflate(
    cls: type[Model],
    unet: UNet2DConditionModel,
    initialization: str,
    generator: torch.Generator | None,
    switches: Mapping[str, int | bool],
) -> Model:
    """The work of ``AVSyncDUNet.from_unet2d``."""
    if initialization not in INITIALIZATIONS:
        raise ValueError(f"`initialization` must be one of {INITIALIZATIONS}, got {initialization!r}.")
    if unknown := sorted(set(switches) - set(SWITCHES)):
        raise ValueError(f"`from_unet2d` must be given arguments among {SWITCHES}, got {unknown}.")
    expected = set(inspect.signature(cls.__init__).parameters) - set(SWITCHES) - {"self"}
    with torch.device("meta"):
        model = cls(**shared_config(unet.config, expected), **switches)
    _check_alike(model, unet)
    state = {name: tensor.detach().clone() for name, tensor in unet.state_dict().items()}
    for name, tensor in model.state_dict().items():
        if name not in state:
            state[name] = torch.empty(tensor.shape, dtype=unet.dtype)
    model.load_state_dict(state, assign=True)
    draw_new_layers(model, initialization, generator)
    return model.to(unet.device)


def draw_new_layers(model: ModelMixin, initialization: str, generator: torch.Generator | None = None) -> None:
    """Draw what Stable Diffusion has not, as PyTorch draws a linear layer, and put what starts at zero to zero."""
    if generator is None:
        generator = torch.Generator()
        generator.seed()
    for name, module in model.named_modules():
        if is_new(name) and isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        elif is_new(name) and (isinstance(module, nn.Linear) or name.endswith("conv_temp")):
            _draw(module, generator)
            if name.endswith("conv_temp") or (initialization == "neutral" and re.search("_(temp|audio).to_out", name)):
                zero_(module)
            elif name.endswith("attn_temp.to_out.0"):
                nn.init.zeros_(module.weight)


def _draw(layer: nn.Module, generator: torch.Generator) -> None:
    """PyTorch's own start of a linear layer, from ``generator``."""
    bound = 1 / math.sqrt(layer.get_parameter("weight").shape[1])
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)


def _check_alike(model: ModelMixin, unet: UNet2DConditionModel) -> None:
    """Every weight of one is in the other, but for the new ones; the shapes are the same."""
    ours = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items() if not is_new(name)}
    theirs = {name: tuple(tensor.shape) for name, tensor in unet.state_dict().items()}
    if different := sorted(set(ours.items()) ^ set(theirs.items())):
        raise ValueError(
            f"`unet` must have the weights of a Stable Diffusion 1.x U-Net, got another {different[0][0]} "
            f"(and {len(different) - 1} more differences)."
        )
