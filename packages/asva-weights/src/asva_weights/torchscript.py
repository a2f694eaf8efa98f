"""Tensors of a TorchScript archive, read as data: the code beside them is neither loaded nor run."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


def is_torchscript(path: str | os.PathLike[str]) -> bool:
    """Whether a zip file is the archive of a scripted module."""
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The parameters and buffers of a scripted module by name.

    Raises:
        pickle.UnpicklingError: If its objects are anything but modules, tensors and plain values.
        RuntimeError: If the file is damaged.
    """
    archive = torch._C.PyTorchFileReader(os.fspath(path))
    return dict(_tensors(_Objects(archive).load()))


class _Module:
    """A scripted module as its attributes, whatever its class is."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.attributes = state


class _Objects(pickle.Unpickler):
    """Rebuilds modules and tensors, and refuses every other class."""

    def __init__(self, archive: Any) -> None:
        super().__init__(io.BytesIO(archive.get_record("data.pkl")))
        self.archive = archive

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _Module
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return torch._utils._rebuild_tensor_v2
        if module == "torch" and name.endswith("Storage"):
            return torch.storage._get_dtype_from_pickle_storage_type(name)
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch.jit._pickle":  # marks of types around plain values
            return lambda value, *marks: value
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which could run code")

    def persistent_load(self, pid: tuple[Any, ...]) -> Any:
        _, dtype, key, _, count = pid
        size = count * dtype.itemsize
        storage = self.archive.get_storage_from_record(f"data/{key}", size, torch.UntypedStorage)._typed_storage()
        return torch.storage.TypedStorage(wrap_storage=storage._untyped_storage, dtype=dtype, _internal=True)


def _tensors(module: _Module, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in module.attributes.items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, _Module):
            yield from _tensors(value, f"{prefix}{name}.")
