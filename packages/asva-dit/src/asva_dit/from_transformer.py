"""MTV's model from a CogVideoX transformer: the base's layers shared, the control drawn."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from diffusers import CogVideoXTransformer3DModel
from torch import nn

from asva_dit.control_file import base_arguments, control_arguments, read_control_config

Model = TypeVar("Model", bound=CogVideoXTransformer3DModel)


def from_transformer(
    cls: type[Model],
    transformer: CogVideoXTransformer3DModel,
    generator: torch.Generator | None,
    control: Mapping[str, Any],
) -> Model:
    """The work of ``MTVTransformer3DModel.from_transformer``."""
    model = share_base(cls, transformer, control)
    model.zero_control_(everything=model.config["zero_init"])  # on the meta device: shapes only, values follow
    draw_control(model, transformer, generator)
    return model


def from_control(cls: type[Model], transformer: CogVideoXTransformer3DModel, path: str | os.PathLike[str]) -> Model:
    """The work of ``MTVTransformer3DModel.from_control``."""
    model = share_base(cls, transformer, read_control_config(path))
    draw_control(model, transformer, None)
    model.load_control(path)
    return model


def share_base(cls: type[Model], transformer: CogVideoXTransformer3DModel, control: Mapping[str, Any]) -> Model:
    """A model whose base is `transformer`, module by module, and whose control has shapes and no values yet."""
    if not isinstance(transformer, CogVideoXTransformer3DModel):
        raise ValueError(f"`transformer` must be a CogVideoXTransformer3DModel, got {type(transformer).__name__}.")
    if unknown := sorted(set(control) - set(control_arguments(cls))):
        raise ValueError(f"`from_transformer` must be given arguments among {control_arguments(cls)}, got {unknown}.")
    config = {name: transformer.config[name] for name in base_arguments() if name in transformer.config}
    with torch.device("meta"):
        model = cls(**config, **control)
    for name, module in transformer.named_children():
        if name != "transformer_blocks":
            setattr(model, name, module)
    for ours, theirs in zip(model.transformer_blocks, transformer.transformer_blocks, strict=True):
        for name, module in theirs.named_children():
            if name != "control":
                setattr(ours, name, module)
    return model.train(transformer.training)


def draw_control(
    model: CogVideoXTransformer3DModel, transformer: CogVideoXTransformer3DModel, generator: torch.Generator | None
) -> None:
    """Give the control values, as PyTorch draws its layers, on the device and of the type of the base."""
    for part in [model.control, *(block.control for block in model.transformer_blocks if block.control is not None)]:
        draw_layers(part, generator).to(device=transformer.device, dtype=transformer.dtype)
    model.zero_control_(everything=model.config["zero_init"])


def draw_layers(part: nn.Module, generator: torch.Generator | None = None) -> nn.Module:
    """Layers that have shapes alone, with values as PyTorch draws them, on the CPU; from a fresh generator if None."""
    if generator is None:
        generator = torch.Generator()
        generator.seed()
    part.to_empty(device="cpu")
    for module in part.modules():
        _draw(module, generator)
    return part


def _draw(module: nn.Module, generator: torch.Generator) -> None:
    """PyTorch's own start of a layer, from ``generator``; a bare parameter, that of the speakers, starts normal."""
    if isinstance(module, nn.LayerNorm):
        module.reset_parameters()
    elif isinstance(module, nn.Linear | nn.Conv1d):
        bound = 1 / math.sqrt(module.weight[0].numel())
        for parameter in module.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
    else:
        for parameter in module.parameters(recurse=False):
            nn.init.normal_(parameter, std=0.02, generator=generator)
