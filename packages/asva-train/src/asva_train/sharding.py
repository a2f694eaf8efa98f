"""Weights, gradients and optimizer states spread over the processes of a run (PyTorch's FSDP 2)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard

from asva_train.errors import RunError
from asva_train.fields import LoopRecipe

_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


def check_sharding(recipe: LoopRecipe) -> None:
    """See that a recipe asks for nothing that spread weights cannot do.

    Raises:
        RunError: If it does.
    """
    for name, fits in (
        ("optimizer", recipe.optimizer == "adamw"),
        ("ema_decay", recipe.ema_decay is None),
        ("mixed_precision", recipe.mixed_precision != "fp16"),
    ):
        if not fits:
            raise RunError(f"`loop.{name}` must be another with `loop.sharding`, got {getattr(recipe, name)}.")


def shard(module: nn.Module, accelerator: Accelerator, *, again: bool) -> Any:
    """Spread a module's weights over all processes, block by block as its networks name their blocks.

    Args:
        module: What learns and what it needs.
        accelerator: Of the run.
        again: Whether a block's weights are spread again between its forward and its backward pass.
    """
    module = module.to(accelerator.device)
    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    names = {name for part in module.modules() for name in getattr(part, "_no_split_modules", None) or ()}
    for part in list(module.modules()):
        if type(part).__name__ in names:
            fully_shard(part, mesh=mesh, reshard_after_forward=again)
    return fully_shard(module, mesh=mesh, reshard_after_forward=again)


@contextmanager
def whole_weights(module: nn.Module) -> Generator[None]:
    """Inside, every process holds all weights; all of them must enter."""
    parts = [part for part in module.modules() if isinstance(part, FSDPModule)]
    for part in parts:
        part.unshard()
    try:
        yield
    finally:
        for part in parts:
            part.reshard()


def weights_of(module: nn.Module) -> dict[str, Any]:
    """The whole weights, on the CPU of the first process; all must ask."""
    return get_model_state_dict(module, options=_WHOLE)


def optimizer_state(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The whole state, on the CPU of the first process; all must ask."""
    return get_optimizer_state_dict(module, optimizer, options=_WHOLE)


def load_states(
    module: nn.Module, optimizer: torch.optim.Optimizer, weights: dict[str, Any], state: dict[str, Any]
) -> None:
    """Go on from whole weights and a whole state, which every process has read."""
    set_model_state_dict(module, weights, options=StateDictOptions(full_state_dict=True))
    set_optimizer_state_dict(module, optimizer, state, options=StateDictOptions(full_state_dict=True))
