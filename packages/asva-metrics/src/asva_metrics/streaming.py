"""torchmetrics around the distances: batches in, statistics that add up across processes, one number out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics import Metric

from asva_metrics.features import FeatureStatistics
from asva_metrics.frechet import Variant, frechet_distance
from asva_metrics.inception_score import inception_score
from asva_metrics.kernel import kernel_distance
from asva_metrics.networks.preprocessing import ImageResize, VideoResize, fid_images, fvd_video

Prepare = Callable[[Tensor], Tensor]
SIDES = ("real", "fake")


class Features(Metric):
    """What the distances share: pictures or features of two sides, seen once.

    Args:
        num_features: Width of the features.
        network: Makes (n, num_features) features of what ``update`` gets; None if it gets features.
        prepare: Makes the network's input of what ``update`` gets.
        **options: Of ``torchmetrics.Metric``.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    def __init__(
        self, num_features: int, *, network: nn.Module | None = None, prepare: Prepare | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.num_features, self.network, self.prepare = num_features, network, prepare

    @torch.no_grad()
    def features(self, inputs: Tensor) -> Tensor:
        """(n, num_features) float64.

        Raises:
            ValueError: If the shape is another or a feature is not finite.
        """
        values = inputs if self.prepare is None else self.prepare(inputs)
        values = (values if self.network is None else self.network.eval()(values)).double()
        if values.ndim != 2 or values.shape[1] != self.num_features:
            raise ValueError(f"`inputs` must give features (n, {self.num_features}), got {tuple(values.shape)}.")
        if not values.isfinite().all():
            raise ValueError("`inputs` must give finite features, got NaN or infinity; leave these clips out.")
        return values


class FrechetDistance(Features):
    """Frechet distance of all features seen, of which only mean and scatter are stored; see `frechet_distance`.

    Args:
        num_features: Width d of the features.
        variant: Whose convention.
        network: As `Features`.
        prepare: As `Features`.
        **options: Of ``torchmetrics.Metric``.

    Example:
        >>> metric = FrechetDistance(2)
        >>> for shift in (0.0, 1.0):
        ...     features = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 2.0], [2.0, 1.0]])
        ...     metric.update(features + shift, real=shift == 0)
        >>> round(float(metric.compute()), 6)
        2.0
    """

    def __init__(self, num_features: int, *, variant: Variant = "stylegan-v", **options: Any) -> None:
        super().__init__(num_features, **options)
        self.variant = variant
        for side in SIDES:
            # Count, mean and scatter in one state, because they are merged together.
            self.add_state(side, torch.zeros(1 + num_features + num_features**2).double(), dist_reduce_fx=merge)

    def update(self, inputs: Tensor, real: bool) -> None:
        """Add (n, d) features, or pictures if there is a network, of one side."""
        values = self.features(inputs)
        side = SIDES[not real]
        setattr(self, side, packed(self.statistics(real).update(values), getattr(self, side)))

    def compute(self) -> Tensor:
        """The distance, float64."""
        value = frechet_distance(self.statistics(False), self.statistics(True), variant=self.variant)
        return torch.tensor(value, dtype=torch.float64, device=self.device)

    def statistics(self, real: bool) -> FeatureStatistics:
        """What has been seen of one side, to be saved and merged later."""
        return unpacked(getattr(self, SIDES[not real]))


class FID(FrechetDistance):
    """Frechet distance of images; ``update`` takes (n, 3, h, w) uint8 or [0, 1].

    Args:
        network: `FIDInception` with its weights.
        resize: See `fid_images`; numbers of different resizes cannot be compared.
        **options: Of ``torchmetrics.Metric``.
    """

    def __init__(self, network: nn.Module, *, resize: ImageResize = "pytorch-fid", **options: Any) -> None:
        super().__init__(
            2048, variant="pytorch-fid", network=network, prepare=partial(fid_images, resize=resize), **options
        )


class FVD(FrechetDistance):
    """Frechet distance of clips; ``update`` takes (b, t, 3, h, w) uint8 or [0, 1].

    Args:
        network: `I3D` with its weights.
        resize: See `fvd_video`.
        variant: Whose convention of the covariance.
        **options: Of ``torchmetrics.Metric``.
    """

    def __init__(
        self, network: nn.Module, *, resize: VideoResize = "avsync", variant: Variant = "stylegan-v", **options: Any
    ) -> None:
        super().__init__(400, variant=variant, network=network, prepare=partial(fvd_video, resize=resize), **options)


class KernelDistance(Features):
    """Kernel distance of all features seen (KID of images, KVD of clips); the features are stored, the pictures not.

    Args:
        num_features: Width of the features.
        **options: As `Features`.
    """

    def __init__(self, num_features: int, **options: Any) -> None:
        super().__init__(num_features, **options)
        for side in SIDES:
            self.add_state(side, [], dist_reduce_fx="cat")

    def update(self, inputs: Tensor, real: bool) -> None:
        """Add (n, d) features, or pictures if there is a network, of one side."""
        getattr(self, SIDES[not real]).append(self.features(inputs))

    def compute(self) -> Tensor:
        """The distance, float64."""
        value = kernel_distance(*(joined(getattr(self, side), self.num_features) for side in SIDES[::-1]))
        return torch.tensor(value, dtype=torch.float64, device=self.device)

    def sync(self, *args: Any, **options: Any) -> None:
        """As in torchmetrics, also if a process has seen nothing of a side."""
        for side in SIDES:
            if not getattr(self, side):
                setattr(self, side, [torch.zeros(0, self.num_features, dtype=torch.float64, device=self.device)])
        super().sync(*args, **options)


class KID(KernelDistance):
    """Kernel distance of images; ``update`` takes (n, 3, h, w) uint8 or [0, 1].

    Args:
        network: `FIDInception` with its weights.
        resize: See `fid_images`.
        **options: Of ``torchmetrics.Metric``.
    """

    def __init__(self, network: nn.Module, *, resize: ImageResize = "pytorch-fid", **options: Any) -> None:
        super().__init__(2048, network=network, prepare=partial(fid_images, resize=resize), **options)


class KVD(KernelDistance):
    """Kernel distance of clips; ``update`` takes (b, t, 3, h, w) uint8 or [0, 1].

    Args:
        network: `I3D` with its weights.
        resize: See `fvd_video`.
        **options: Of ``torchmetrics.Metric``.
    """

    def __init__(self, network: nn.Module, *, resize: VideoResize = "avsync", **options: Any) -> None:
        super().__init__(400, network=network, prepare=partial(fvd_video, resize=resize), **options)


class InceptionScore(Metric):
    """`inception_score` of all logits seen, with its standard deviation over parts.

    Args:
        num_classes: Width of the logits.
        num_splits: Parts.
        **options: Of ``torchmetrics.Metric``.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    logits: Any

    def __init__(self, num_classes: int, *, num_splits: int = 10, **options: Any) -> None:
        super().__init__(**options)
        self.num_classes, self.num_splits = num_classes, num_splits
        self.add_state("logits", [], dist_reduce_fx="cat")

    def update(self, logits: Tensor) -> None:
        """Add (n, num_classes) logits."""
        self.logits.append(logits.double())

    def compute(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, float64."""
        found = inception_score(joined(self.logits, self.num_classes), num_splits=self.num_splits)
        mean, std = (torch.tensor(x, dtype=torch.float64, device=self.device) for x in (found.mean, found.std))
        return mean, std


def packed(statistics: FeatureStatistics, like: Tensor) -> Tensor:
    """Count, mean and scatter as one tensor (1 + d + d^2) on the device of another."""
    if statistics.count == 0:
        return torch.zeros_like(like)
    values = np.concatenate(([statistics.count], statistics.mean, statistics.scatter.reshape(-1)))
    return torch.from_numpy(values).to(like)


def unpacked(state: Tensor) -> FeatureStatistics:
    """The statistics that `packed` made one tensor of."""
    values, statistics = state.cpu().numpy(), FeatureStatistics()
    width = round((len(values) - 0.75) ** 0.5 - 0.5)  # 1 + d + d^2 values
    if values[0]:
        statistics.count, statistics.mean = int(values[0]), values[1 : 1 + width].copy()
        statistics.scatter = values[1 + width :].reshape(width, width).copy()
    return statistics


def merge(states: Tensor) -> Tensor:
    """(k, 1 + d + d^2) statistics of k parts -> (1 + d + d^2) of all."""
    return packed(reduce(FeatureStatistics.merge, map(unpacked, states), FeatureStatistics()), states[0])


def joined(rows: list[Tensor] | Tensor, *width: int) -> Tensor:
    """One tensor of a list state, which a synchronization has joined already."""
    if isinstance(rows, Tensor):
        return rows
    return torch.cat(rows) if rows else torch.zeros(0, *width, dtype=torch.float64)
