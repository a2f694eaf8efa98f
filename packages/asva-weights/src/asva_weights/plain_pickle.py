"""Pickles read as data: a table says what each name in one becomes, and nothing is imported."""

from __future__ import annotations

import io
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from asva_weights.errors import ConversionError

_CORES = ("numpy.core.multiarray", "numpy._core.multiarray")


class PlainUnpickler(pickle._Unpickler):
    """Python's own reader, whose memo grows with the file; C's takes gigabytes where 20 bytes ask for a high place."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name.

        Raises:
            pickle.UnpicklingError: If nothing does.
        """
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which could run code")


def leaves(tree: Any, branch: Callable[[Any], dict[str, Any] | None], between: str = "/") -> Iterator[tuple[str, Any]]:
    """What hangs below a tree by its path; `branch` answers what is inside of a value, or None.

    Raises:
        ValueError: If a branch hangs at two places, by which a small file could name more than fits into memory.
    """
    waiting, seen = [("", tree)], set()
    while waiting:
        name, value = waiting.pop()
        inside = branch(value)
        if inside is None:
            yield name, value
            continue
        if id(inside) in seen:
            raise ValueError(f"{name!r} hangs at another place too")
        seen.add(id(inside))
        waiting += [(f"{name}{between}{key}" if name else str(key), below) for key, below in [*inside.items()][::-1]]


def read_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The arrays of a pickle of nested dictionaries by path: ``{"a": {"b": x}}`` -> ``{"a/b": x}``.

    Each is made of bytes, a shape and the plain name of its type, and numpy is not asked to restore anything.

    Raises:
        ConversionError: If the file is missing or damaged, or holds anything else.
    """
    source = Path(path)
    if not source.is_file():
        raise ConversionError(f"`path` must name a checkpoint file, got {source}, which does not exist.")
    try:
        tree = _Arrays(_pickle_in(source)).load()
        return {name: leaf.values for name, leaf in leaves(tree, lambda value: value if type(value) is dict else None)}
    except Exception as error:  # what a reader stumbles over in a damaged file may be of any kind
        raise ConversionError(f"`path` must hold NumPy arrays by name only, got {source}: {error}.") from error


def _pickle_in(source: Path) -> bytes:
    """The pickle itself, or that of an archive of `torch.save`, which holds NumPy's arrays whole."""
    if not zipfile.is_zipfile(source):
        return source.read_bytes()
    with zipfile.ZipFile(source) as archive:
        (entry,) = (one for one in archive.infolist() if one.filename.endswith("/data.pkl"))
        if entry.compress_type:
            raise ValueError("its pickle is compressed, as torch never leaves it: it may grow without end")
        return archive.read(entry)


class _Arrays(PlainUnpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "dtype"):
            return _Type
        if (module, name) == ("numpy", "ndarray"):
            return "ndarray"
        if module in _CORES and name in ("_reconstruct", "scalar"):
            return _Array
        if (module, name) == ("_codecs", "encode"):
            return _stored_bytes
        return super().find_class(module, name)


def _stored_bytes(text: str, encoding: str) -> bytes:
    """Bytes as the second form of pickles, torch's, holds them: a letter of Latin-1 each."""
    if type(text) is not str or encoding != "latin1":
        raise ValueError(f"it holds bytes as {encoding!r}, not as latin1")
    return text.encode("latin1")


class _Type:
    """The name of a type, and nothing of what else a file says about it but the order of bytes."""

    def __init__(self, name: str, *marks: Any) -> None:
        if not re.fullmatch(r"[fiu][1248]|b1", name):
            raise ValueError(f"the type {name!r} is none of plain numbers")
        self.plain = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] == ">":
            self.plain = self.plain.newbyteorder(">")


class _Array:
    """A scalar's type and bytes, or an array whose shape, type and bytes come as its state."""

    def __init__(self, kind: Any, data: Any, *rest: Any) -> None:
        if isinstance(kind, _Type):
            self.values = np.frombuffer(data, kind.plain).reshape(())

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_column, data = state
        self.values = np.frombuffer(data, kind.plain).reshape(shape, order="F" if by_column else "C")
