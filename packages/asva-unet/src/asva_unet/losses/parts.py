"""Networks of which some learn and the others only answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn


class LearningParts(nn.Module):
    """Parts by name; those that learn are submodules, the frozen ones follow them and no checkpoint holds them.

    Args:
        parts: Every network by name.
        learning: Names of those that learn, the video network first.
    """

    def __init__(self, parts: Mapping[str, Any], learning: Sequence[str]):
        super().__init__()
        self.unet_name = learning[0]
        self.learning = nn.ModuleDict({name: parts[name] for name in learning})
        self.frozen = {
            name: part.eval().requires_grad_(False) for name, part in parts.items() if name not in self.learning
        }

    def _apply(self, fn: Callable, recurse: bool = True) -> nn.Module:
        """Frozen parts follow the others to their device."""
        for part in self.frozen.values():
            part._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def part(self, name: str) -> Any:
        """A network by name."""
        return self.learning[name] if name in self.learning else self.frozen[name]

    @property
    def unet(self) -> Any:
        """The video network."""
        return self.learning[self.unet_name]
