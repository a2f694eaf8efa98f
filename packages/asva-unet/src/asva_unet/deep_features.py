"""Deep features of a U-Net kept between steps (DeepCache: arXiv 2312.00858)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class DeepFeatures:
    """What one branch of guidance keeps between its calls; the first one is whole.

    Coarse resolutions change little from step to step. In a call that is not whole, only the `level` finest ones are
    computed, and what came up to them in the last whole one stands in for the rest.

    Args:
        interval: Every how many calls one is whole; with 1 all are, to the same bits as without.
        level: Resolutions that every call computes, the finest first.

    >>> features = DeepFeatures(interval=3)
    >>> [features.begin(4) for _ in range(5)]
    [4, 1, 1, 4, 1]
    """

    interval: int = 1
    level: int = 1
    calls: int = field(default=0, init=False)
    whole: bool = field(default=True, init=False)
    kept: Tensor | None = field(default=None, init=False)

    def begin(self, levels: int) -> int:
        """Resolutions that the next call computes, of a network with `levels` of them.

        Raises:
            ValueError: If the network has fewer than are to be computed.
        """
        if not 1 <= self.level <= levels:
            raise ValueError(f"`cache_level` must be a resolution of the network, 1 to {levels}, got {self.level}.")
        self.whole = self.calls % self.interval == 0
        self.calls += 1
        return levels if self.whole else self.level

    def enter(self, level: int, x: Tensor) -> Tensor:
        """What the way up goes on from at resolution `level`, 0 the finest: ``x``, or what was kept there."""
        if level != self.level - 1 or self.interval == 1:
            return x
        if self.whole or self.kept is None:
            self.kept = x
        return self.kept


@dataclass
class FeatureCache:
    """The :class:`DeepFeatures` of every branch of guidance of one clip, and of every window of its frames.

    Args:
        interval: As there.
        level: As there.
    """

    interval: int = 1
    level: int = 1
    branches: dict[Hashable, DeepFeatures] = field(default_factory=dict, init=False)

    def of(self, branch: Hashable) -> DeepFeatures | None:
        """Those of a branch; None where every call is whole, so that nothing is kept."""
        if self.interval == 1:
            return None
        return self.branches.setdefault(branch, DeepFeatures(self.interval, self.level))
