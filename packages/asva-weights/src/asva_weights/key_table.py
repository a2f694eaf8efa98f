"""Renaming of state dicts by a table, strict both ways."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from asva_weights.errors import ConversionError

Rows = Sequence[tuple[str, str | Callable[[re.Match[str]], str]]]

_PIECES = re.compile(r"(.*)#(\d+):([\d,]+)(.*)")


class Place(NamedTuple):
    """Where a parameter of ours lies in the original: all of a tensor, or some of its equal pieces."""

    name: str
    count: int = 1
    pieces: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class KeyTable:
    """How the parameters of one network are called in the original checkpoint.

    Counters of batch norms (``num_batches_tracked``), of no use in evaluation, are zero where the original has none.

    Attributes:
        rows: (pattern, name) pairs, applied in order by ``re.sub`` to our parameter name; the outcome is the original
            name. ``#n:i,j`` in it says that ours are the pieces i and j of the n equal ones that the original keeps
            stacked in one tensor.
        ndim: (pattern, number of axes) for original tensors that have more trailing axes of size 1 than ours.
        unused: Pattern of original names for which our network has no use, and which may be there.
    """

    rows: Rows = ()
    ndim: Sequence[tuple[str, int]] = ()
    unused: str = "(?!)"  # matches no name

    def place(self, name: str) -> Place:
        """The place of our parameter in the original.

        >>> KeyTable(((r"to_k", "qkv#3:1"),)).place("to_k.bias")
        Place(name='qkv.bias', count=3, pieces=(1,))
        """
        for pattern, replacement in self.rows:
            name = re.sub(pattern, replacement, name)
        if match := _PIECES.fullmatch(name):
            return Place(match[1] + match[4], int(match[2]), tuple(map(int, match[3].split(","))))
        return Place(name)

    def rest(self, original: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The original's weights that our network has no use for."""
        return {name: tensor for name, tensor in original.items() if re.fullmatch(self.unused, name)}

    def to_ours(self, original: Mapping[str, Tensor], like: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
        """Rename an original state dict; tensors are views, nothing is copied but what is put together from pieces.

        Args:
            original: The original state dict, without prefix.
            like: Our network's state dict, for names and shapes; may live on the meta device.
            what: What is being loaded, for the error message.

        Raises:
            ConversionError: If a key is missing or unknown, or a shape differs.
        """
        places = {name: self.place(name) for name in like}
        wanted = {place.name for place in places.values()}
        counters = {name for name in wanted if name.endswith("num_batches_tracked")}
        if not counters & original.keys():
            original = {**original, **{name: torch.tensor(0) for name in counters}}
        _check_keys(what, wanted - original.keys(), original.keys() - wanted - self.rest(original).keys())
        ours, wrong = {}, []
        for name, place in places.items():
            tensor, expected = _taken(original, place), self._shape(place.name, like[name])
            if tuple(tensor.shape) != expected:
                wrong.append(f"{place.name} {tuple(tensor.shape)} instead of {expected}")
            else:
                ours[name] = tensor.reshape(like[name].shape)
        if wrong:
            raise ConversionError(f"{what} must have the shapes of the network, got {first_names(wrong)}.")
        return ours

    def to_original(
        self, ours: Mapping[str, Tensor], like: Iterable[str] | None = None, what: str = "The network"
    ) -> dict[str, Tensor]:
        """The inverse of ``to_ours``.

        Args:
            ours: Our state dict.
            like: The names that it must have.
            what: What it should be the state dict of, for the error message.

        Raises:
            ConversionError: If a piece of a stacked tensor is missing, or names are not those of `like`.
        """
        if like is not None:
            _check_keys(what, set(like) - ours.keys(), ours.keys() - set(like))
        found: dict[tuple[str, int], dict[int, Tensor]] = {}
        for name, tensor in ours.items():
            place = self.place(name)
            tensor = tensor.reshape(self._shape(place.name, tensor))
            parts = (tensor,) if len(place.pieces) == 1 else tensor.tensor_split(len(place.pieces))
            found.setdefault((place.name, place.count), {}).update(zip(place.pieces, parts, strict=True))
        for (name, count), pieces in found.items():
            if len(pieces) < count:
                raise ConversionError(f"{what} must have every piece of {name}, {count - len(pieces)} missing.")
        return {
            name: pieces[0] if count == 1 else torch.cat([pieces[index] for index in range(count)])
            for (name, count), pieces in found.items()
        }

    def _shape(self, original_name: str, ours: Tensor) -> tuple[int, ...]:
        """The shape that the original (or its part) should have."""
        axes = next((axes for pattern, axes in self.ndim if re.fullmatch(pattern, original_name)), ours.ndim)
        return (*ours.shape, *[1] * (axes - ours.ndim))


def below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights whose names begin with a prefix, under the rest of their names."""
    return {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}


def _taken(original: Mapping[str, Tensor], place: Place) -> Tensor:
    if place.count == 1:
        return original[place.name]
    parts = original[place.name].tensor_split(place.count)
    return parts[place.pieces[0]] if len(place.pieces) == 1 else torch.cat([parts[index] for index in place.pieces])


def _check_keys(what: str, missing: set[str], unknown: set[str]) -> None:
    others = f"{len(unknown)} unknown: {first_names(unknown)}"
    if missing:
        raise ConversionError(
            f"{what} must hold every weight of the network, {len(missing)} missing: {first_names(missing)}"
            + (f"; {others}." if unknown else ".")
        )
    if unknown:
        raise ConversionError(f"{what} must hold known weights only, {others}.")


def first_names(names: Iterable[str], count: int = 3) -> str:
    """The first names in alphabetical order, for an error message."""
    ordered = sorted(names)
    return ", ".join(ordered[:count]) + (", ..." if len(ordered) > count else "")
