"""Facts about a network that the shapes of its weights tell."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from asva_weights.errors import ConversionError


def shape_of(state: Mapping[str, Tensor], name: str, what: str, ndim: int | None = None) -> tuple[int, ...]:
    """Shape of a weight that must be there.

    Raises:
        ConversionError: If it is not, or has not `ndim` axes.
    """
    if name not in state:
        raise ConversionError(f"The {what} lacks '{name}': the checkpoint is incomplete or of another model.")
    shape = tuple(state[name].shape)
    if ndim not in (None, len(shape)):
        raise ConversionError(f"The {what} must have {ndim} axes in '{name}', got {shape}.")
    return shape


def count_of(state: Mapping[str, Tensor], pattern: str) -> int:
    """One more than the greatest number that the pattern finds among the names."""
    found = (re.match(pattern, name) for name in state)
    return max((int(match[1]) for match in found if match), default=-1) + 1
