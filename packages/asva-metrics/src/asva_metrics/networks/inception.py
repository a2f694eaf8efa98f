"""Inception v3 as FID uses it: the TensorFlow network of 2015, 2048 features (Heusel et al., 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

Size = int | tuple[int, int]


class Convolution(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, inner: int, outer: int, size: Size, stride: int = 1, padding: Size = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, size, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(outer, eps=1e-3)

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(images)))


class Fork(nn.Module):
    """A (1, 3) and a (3, 1) convolution side by side."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.wide = Convolution(inner, outer, (1, 3), padding=(0, 1))
        self.tall = Convolution(inner, outer, (3, 1), padding=(1, 0))

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat((self.wide(images), self.tall(images)), dim=1)


class Branches(nn.Module):
    """Branches side by side, joined on the channels."""

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([branch(images) for branch in self.children()], dim=1)


def mean_pool() -> nn.Module:
    """Mean over 3 x 3 that leaves the border out, unlike torchvision's network."""
    return nn.AvgPool2d(3, 1, 1, count_include_pad=False)


def _small(inner: int, pooled: int) -> Branches:
    return Branches(
        one=nn.Sequential(Convolution(inner, 64, 1)),
        five=nn.Sequential(Convolution(inner, 48, 1), Convolution(48, 64, 5, padding=2)),
        deep=nn.Sequential(
            Convolution(inner, 64, 1), Convolution(64, 96, 3, padding=1), Convolution(96, 96, 3, padding=1)
        ),
        pool=nn.Sequential(mean_pool(), Convolution(inner, pooled, 1)),
    )


def _small_to_middle() -> Branches:
    return Branches(
        three=nn.Sequential(Convolution(288, 384, 3, stride=2)),
        deep=nn.Sequential(
            Convolution(288, 64, 1), Convolution(64, 96, 3, padding=1), Convolution(96, 96, 3, stride=2)
        ),
        pool=nn.MaxPool2d(3, 2),
    )


def _middle(width: int) -> Branches:
    wide, tall = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))  # size, stride, padding
    return Branches(
        one=nn.Sequential(Convolution(768, 192, 1)),
        seven=nn.Sequential(
            Convolution(768, width, 1), Convolution(width, width, *wide), Convolution(width, 192, *tall)
        ),
        deep=nn.Sequential(
            Convolution(768, width, 1),
            Convolution(width, width, *tall),
            Convolution(width, width, *wide),
            Convolution(width, width, *tall),
            Convolution(width, 192, *wide),
        ),
        pool=nn.Sequential(mean_pool(), Convolution(768, 192, 1)),
    )


def _middle_to_large() -> Branches:
    return Branches(
        three=nn.Sequential(Convolution(768, 192, 1), Convolution(192, 320, 3, stride=2)),
        seven=nn.Sequential(
            Convolution(768, 192, 1),
            Convolution(192, 192, (1, 7), padding=(0, 3)),
            Convolution(192, 192, (7, 1), padding=(3, 0)),
            Convolution(192, 192, 3, stride=2),
        ),
        pool=nn.MaxPool2d(3, 2),
    )


def _large(inner: int, pool: nn.Module) -> Branches:
    return Branches(
        one=nn.Sequential(Convolution(inner, 320, 1)),
        three=nn.Sequential(Convolution(inner, 384, 1), Fork(384, 384)),
        deep=nn.Sequential(Convolution(inner, 448, 1), Convolution(448, 384, 3, padding=1), Fork(384, 384)),
        pool=nn.Sequential(pool, Convolution(inner, 192, 1)),
    )


class FIDInception(ModelMixin, ConfigMixin):
    """Inception v3 with the weights of ``pt_inception-2015-12-05``: images -> 2048 features.

    It differs from torchvision's: pools leave the border out, the last block takes a maximum, and there are 1008
    classes. ``stages`` end where pytorch-fid's blocks end: 64, 192, 768 and 2048 channels.
    """

    @register_to_config
    def __init__(self, num_classes: int = 1008) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            [
                nn.Sequential(
                    Convolution(3, 32, 3, stride=2),
                    Convolution(32, 32, 3),
                    Convolution(32, 64, 3, padding=1),
                    nn.MaxPool2d(3, 2),
                ),
                nn.Sequential(Convolution(64, 80, 1), Convolution(80, 192, 3), nn.MaxPool2d(3, 2)),
                nn.Sequential(
                    *(_small(192, 32), _small(256, 64), _small(288, 64), _small_to_middle()),
                    *(_middle(width) for width in (128, 160, 160, 192)),
                ),
                nn.Sequential(_middle_to_large(), _large(1280, mean_pool()), _large(2048, nn.MaxPool2d(3, 1, 1))),
            ]
        )
        self.classes = nn.Linear(2048, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Features of images; see `asva_metrics.fid_images` for the sizes that published numbers use.

        Args:
            images: (n, 3, h, w) in [-1, 1], sides of at least 75.

        Returns:
            (n, 2048) mean over the last plane; ``classes`` makes logits of them.

        Raises:
            ValueError: If the shape is another.
        """
        if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < 75:
            raise ValueError(
                f"`images` must have shape (n, 3, h, w) with sides of 75 or more, got {tuple(images.shape)}."
            )
        for stage in self.stages:
            images = stage(images)
        return images.mean(dim=(2, 3))
