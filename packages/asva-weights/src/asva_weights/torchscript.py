"""Tensors of a TorchScript archive, read as data: the code beside them is neither loaded nor run."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor

from asva_weights.plain_pickle import PlainUnpickler, leaves


def read_torchscript(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The parameters and buffers of a scripted module by name.

    Raises:
        pickle.UnpicklingError: If its objects are anything but modules, tensors and plain values.
        Exception: Whatever else readers of damaged files raise.
    """
    archive = torch._C.PyTorchFileReader(os.fspath(path))
    found = leaves(_Objects(archive).load(), lambda value: value.attributes if type(value) is _Module else None, ".")
    return {name: value for name, value in found if isinstance(value, Tensor)}


class _Module:
    """A scripted module as its attributes, whatever its class is."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.attributes = state


class _Objects(PlainUnpickler):
    """Rebuilds modules and tensors, and refuses every other class."""

    def __init__(self, archive: Any) -> None:
        super().__init__(archive.get_record("data.pkl"))
        self.archive = archive

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _Module
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return lambda *given: torch._utils._rebuild_tensor_v2(*given)  # whose state a file may set
        if module == "torch" and name.endswith("Storage"):
            return torch.storage._get_dtype_from_pickle_storage_type(name)
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch.jit._pickle":  # marks of types around plain values
            return lambda value, *marks: value
        return super().find_class(module, name)

    def persistent_load(self, pid: tuple[Any, ...]) -> Any:
        _, dtype, key, _, count = pid
        size = count * dtype.itemsize
        storage = self.archive.get_storage_from_record(f"data/{key}", size, torch.UntypedStorage)._typed_storage()
        return torch.storage.TypedStorage(wrap_storage=storage._untyped_storage, dtype=dtype, _internal=True)
