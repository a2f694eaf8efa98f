"""Renaming of state dicts by a table, strict both ways."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from asva_weights.errors import ConversionError

Rows = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class KeyTable:
    """How the parameters of one network are called in the original checkpoint.

    Attributes:
        rows: (pattern, name) pairs, applied in order by ``re.sub`` to our parameter name; the outcome is the original
            name. A name that ends in ``#k`` is part k of three that the original keeps stacked in one tensor.
        ndim: (pattern, number of axes) for original tensors that have more trailing axes of size 1 than ours.
    """

    rows: Rows
    ndim: Sequence[tuple[str, int]] = ()

    def original_name(self, name: str) -> str:
        """The original name of our parameter."""
        for pattern, replacement in self.rows:
            name = re.sub(pattern, replacement, name)
        return name

    def to_ours(self, original: Mapping[str, Tensor], like: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
        """Rename an original state dict; tensors are views, nothing is copied.

        Args:
            original: The original state dict, without prefix.
            like: Our network's state dict, for names and shapes; may live on the meta device.
            what: What is being loaded, for the error message.

        Raises:
            ConversionError: If a key is missing or unknown, or a shape differs.
        """
        names = {name: self.original_name(name) for name in like}
        wanted = {name.partition("#")[0] for name in names.values()}
        _check_keys(what, wanted - set(original), set(original) - wanted)
        converted = {name: _part(original, source) for name, source in names.items()}
        wrong = {
            f"{names[name]} {tuple(tensor.shape)} instead of {self._shape(names[name], like[name])}"
            for name, tensor in converted.items()
            if tuple(tensor.shape) != self._shape(names[name], like[name])
        }
        if wrong:
            raise ConversionError(f"{what} must have the shapes of the network, got {first_names(wrong)}.")
        return {name: tensor.reshape(like[name].shape) for name, tensor in converted.items()}

    def to_original(self, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The inverse of ``to_ours``."""
        original: dict[str, Tensor] = {}
        parts: dict[str, dict[int, Tensor]] = {}
        for name, tensor in ours.items():
            target, _, part = self.original_name(name).partition("#")
            if part:
                parts.setdefault(target, {})[int(part)] = tensor
            else:
                original[target] = tensor.reshape(self._shape(target, tensor))
        for target, pieces in parts.items():
            original[target] = torch.cat([pieces[index] for index in sorted(pieces)])
        return original

    def _ndim(self, original_name: str) -> int | None:
        return next((axes for pattern, axes in self.ndim if re.fullmatch(pattern, original_name)), None)

    def _shape(self, original_name: str, ours: Tensor) -> tuple[int, ...]:
        """The shape that the original (or its part) should have."""
        axes = self._ndim(original_name.partition("#")[0]) or ours.ndim
        return (*ours.shape, *[1] * (axes - ours.ndim))


def _part(original: Mapping[str, Tensor], name: str) -> Tensor:
    name, _, part = name.partition("#")
    return original[name].tensor_split(3)[int(part)] if part else original[name]


def _check_keys(what: str, missing: set[str], unknown: set[str]) -> None:
    if missing:
        raise ConversionError(
            f"{what} must hold every weight of the network, {len(missing)} missing: {first_names(missing)}."
        )
    if unknown:
        raise ConversionError(f"{what} must hold known weights only, {len(unknown)} unknown: {first_names(unknown)}.")


def first_names(names: Sequence[str] | set[str], count: int = 3) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:count]) + (", ..." if len(ordered) > count else "")
