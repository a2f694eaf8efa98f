"""LPIPS: how different two pictures look to people, by AlexNet's features (Zhang et al., 2018, v0.1)."""

from __future__ import annotations

import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asva_weights import KeyTable, read_checkpoint
from asva_weights.release import blame

WIDTHS = (64, 192, 384, 256, 256)
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class LPIPSTrunk(nn.Module):
    """AlexNet's convolutions, named as in torchvision's file."""

    def __init__(self) -> None:
        super().__init__()
        sizes = ((3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1))
        layers: list[nn.Module] = []
        for place, size in enumerate(sizes):
            layers += [nn.MaxPool2d(3, 2)] if place in (1, 2) else []
            layers += [nn.Conv2d(*size), nn.ReLU()]
        self.features = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(n, 3, h, w) in [0, 1] -> features after each of the five convolutions, each of unit length."""
        shift, scale = (images.new_tensor(x)[:, None, None] for x in (SHIFT, SCALE))
        hidden, found = (2 * images - 1 - shift) / scale, []
        for layer in self.features:
            hidden = layer(hidden)
            if isinstance(layer, nn.ReLU):
                found.append(hidden / (hidden.square().sum(dim=1, keepdim=True).sqrt() + 1e-10))
        return found


class LPIPSHeads(nn.Module):
    """Weights of the channels, as the package ``lpips`` holds them."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(1, width, 1, 1)) for width in WIDTHS)

    def forward(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        """Features of n pictures each -> (n,) distances."""
        squared = zip(self.weights, first, second, strict=True)
        layers = [F.conv2d((a - b).square(), weight).mean(dim=(1, 2, 3)) for weight, a, b in squared]
        return torch.stack(layers).sum(dim=0)


TRUNK = KeyTable(unused=r"classifier\..*")
HEADS = KeyTable(((r"weights\.(\d)", r"lin\1.model.1.weight"),))


def load_lpips_trunk(path: str | os.PathLike[str]) -> LPIPSTrunk:
    """AlexNet from torchvision's ``alexnet-owt-7be5be79.pth``; errors as `load_network`."""
    network = LPIPSTrunk()
    _fill(network, path, TRUNK, "checkpoint of AlexNet")
    return network


def load_lpips_heads(path: str | os.PathLike[str]) -> LPIPSHeads:
    """The heads from ``lpips/weights/v0.1/alex.pth`` of the package ``lpips``; errors as `load_network`."""
    network = LPIPSHeads()
    _fill(network, path, HEADS, "file of LPIPS heads for AlexNet")
    return network


def _fill(network: nn.Module, path: str | os.PathLike[str], table: KeyTable, what: str) -> None:
    state = read_checkpoint(path)
    with blame(Path(path), what):
        network.load_state_dict(table.to_ours(state, network.state_dict(), f"`{what}`"))
    network.eval()
