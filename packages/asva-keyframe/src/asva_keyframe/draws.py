"""Sources of randomness for keyframe selection."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch


class Draws(Protocol):
    """The two kinds of draw that keyframe selection makes."""

    def choose(self, values: np.ndarray, size: int) -> np.ndarray:
        """Pick ``size`` different entries of ``values``, in drawing order."""

    def choose_one(self, values: np.ndarray) -> int:
        """Pick one entry of ``values``."""

    def uniform(self) -> float:
        """Draw one float in [0, 1)."""


class OfficialDraws:
    """The two legacy generators of the original code, in its order of draws.

    The original draws choices from numpy's legacy generator and probabilities from Python's ``random``. Use this class
    to get its indices for known seeds; for anything else give a ``numpy.random.Generator``.

    Args:
        choices: Legacy numpy state that takes the place of the global one.
        probabilities: Python generator that takes the place of the global one.

    Example:
        >>> draws = OfficialDraws.from_seed(5000)
        >>> 0.0 <= draws.uniform() < 1.0
        True
    """

    def __init__(self, choices: np.random.RandomState, probabilities: random.Random) -> None:
        self.choices = choices
        self.probabilities = probabilities

    @classmethod
    def from_seed(cls, seed: int) -> OfficialDraws:
        """Seed both generators with the same number, as the original's callers do."""
        return cls(np.random.RandomState(seed), random.Random(seed))

    def choose(self, values: np.ndarray, size: int) -> np.ndarray:
        return self.choices.choice(values, size, replace=False)

    def choose_one(self, values: np.ndarray) -> int:
        # With replacement: the legacy generator takes another path through its stream than without.
        return int(self.choices.choice(values, 1)[0])

    def uniform(self) -> float:
        return self.probabilities.random()


class GeneratorDraws:
    """Draws from one ``numpy.random.Generator``."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def choose(self, values: np.ndarray, size: int) -> np.ndarray:
        return self.generator.choice(values, size, replace=False)

    def choose_one(self, values: np.ndarray) -> int:
        return int(self.generator.choice(values))

    def uniform(self) -> float:
        return float(self.generator.random())


def as_draws(
    generator: np.random.Generator | torch.Generator | OfficialDraws | int | None,
) -> Draws:
    """Wrap whatever the caller gave as `generator`; ``None`` means seed 0, so that a call repeats itself.

    Raises:
        ValueError: If `generator` is of another kind.
    """
    if isinstance(generator, OfficialDraws | GeneratorDraws):
        return generator
    if generator is None:
        return GeneratorDraws(np.random.default_rng(0))
    if isinstance(generator, int | np.integer):
        return GeneratorDraws(np.random.default_rng(int(generator)))
    if isinstance(generator, np.random.Generator):
        return GeneratorDraws(generator)
    if type(generator).__module__.startswith("torch"):
        return GeneratorDraws(np.random.default_rng(_seed_from_torch(generator)))
    raise ValueError(
        "`generator` must be a numpy.random.Generator, a torch.Generator, OfficialDraws, a seed or None, "
        f"got {type(generator).__name__}."
    )


def _seed_from_torch(generator: torch.Generator) -> int:
    import torch

    return int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
