"""Optimizers of a training run by name."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from asva_train.fields import LoopRecipe


def make_optimizer(recipe: LoopRecipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer that a recipe names."""
    if recipe.optimizer == "muon":
        return MuonAdamW(parameters, recipe.learning_rate, recipe.betas, recipe.weight_decay)
    return torch.optim.AdamW(
        list(parameters), recipe.learning_rate, recipe.betas, weight_decay=recipe.weight_decay, fused=True
    )


class MuonAdamW(torch.optim.Optimizer):
    """Muon (Jordan et al., 2024) for matrices and convolution kernels, AdamW for everything else, one rate for both.

    A kernel counts as the matrix (out channels, everything else). Updates of Muon are scaled to the size of AdamW's
    (Liu et al., 2025, arXiv:2502.16982), so that one learning rate serves both.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.01,
    ) -> None:
        parameters = list(parameters)
        super().__init__(parameters, {"lr": learning_rate})
        kernels = [p for p in parameters if p.ndim >= 2 and min(len(p), p[0].numel()) >= 16]
        chosen = {id(p) for p in kernels}
        others = [p for p in parameters if id(p) not in chosen]
        # torch's Muon takes matrices alone: each kernel gets one that shares its memory.
        self._matrices = [(p, nn.Parameter(p.data.view(len(p), -1))) for p in kernels]
        self._parts: dict[str, torch.optim.Optimizer] = {}
        if kernels:
            self._parts["muon"] = torch.optim.Muon(
                [matrix for _, matrix in self._matrices],
                lr=learning_rate,
                weight_decay=weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        if others:
            self._parts["adamw"] = torch.optim.AdamW(
                others, learning_rate, betas, weight_decay=weight_decay, fused=True
            )

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Move the weights; the learning rate is that of the (only) parameter group."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for kernel, matrix in self._matrices:
            matrix.data = kernel.data.view_as(matrix)
            matrix.grad = None if kernel.grad is None else kernel.grad.view_as(matrix)
        for part in self._parts.values():
            part.param_groups[0]["lr"] = self.param_groups[0]["lr"]
            part.step()
        for _, matrix in self._matrices:
            matrix.grad = None
        return loss

    def state_dict(self) -> dict:
        """States of both, by name."""
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state_dict: dict) -> None:
        """Go on from ``state_dict``."""
        for name, part in self._parts.items():
            part.load_state_dict(state_dict[name])
