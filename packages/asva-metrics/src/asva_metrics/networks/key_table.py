"""Names of a foreign checkpoint <-> ours: one bijection, strict in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class KeyTable:
    """Names and shapes of one family of checkpoints.

    Attributes:
        family: What the errors call it.
        names: Ours -> theirs.
        shapes: Shape by our name.
        counters: Ours that old checkpoints lack (``num_batches_tracked``, of no use in evaluation); zeros then.
    """

    family: str
    names: Mapping[str, str]
    shapes: Mapping[str, torch.Size]
    counters: frozenset[str] = field(default=frozenset())

    @classmethod
    def of(cls, family: str, build: Callable[[], nn.Module], rename: Callable[[str], str]) -> KeyTable:
        """The table of a network, which is built without memory for that."""
        with torch.device("meta"):
            state = build().state_dict()
        counters = frozenset(key for key in state if key.endswith("num_batches_tracked"))
        shapes = {key: value.shape for key, value in state.items()}
        return cls(family, {key: rename(key) for key in state}, shapes, counters)

    def to_ours(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights under our names.

        Raises:
            ValueError: If a key is missing or unknown, or a shape is another.
        """
        counted = {self.names[key]: torch.tensor(0) for key in self.counters}
        if not any(key in state_dict for key in counted):
            state_dict = {**counted, **state_dict}
        self._compare(state_dict.keys(), set(self.names.values()))
        state = {ours: state_dict[theirs] for ours, theirs in self.names.items()}
        for key, value in state.items():
            if value.shape != self.shapes[key]:
                raise ValueError(
                    f"`state_dict` must hold {tuple(self.shapes[key])} for {self.names[key]} of {self.family}, "
                    f"got {tuple(value.shape)}."
                )
        return state

    def to_theirs(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights under the original's names.

        Raises:
            ValueError: If a key is missing or unknown.
        """
        self._compare(state_dict.keys(), set(self.names))
        return {self.names[key]: value for key, value in state_dict.items()}

    def _compare(self, given: object, expected: set[str]) -> None:
        missing, unknown = sorted(expected - set(given)), sorted(set(given) - expected)
        if missing or unknown:
            raise ValueError(
                f"`state_dict` must hold exactly the keys of {self.family}, got {len(missing)} missing "
                f"{missing[:3]} and {len(unknown)} unknown {unknown[:3]}."
            )
