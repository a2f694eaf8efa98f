"""Numbers of small tensors on the meta device, which has none: indices, time steps, conditions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

_SMALL = 4096
_CPU = torch.device("cpu")


class Numbers:
    """Keeps, beside small meta tensors, what they would hold, as long as it follows from numbers alone.

    So code that looks at indices or time steps takes its usual way. What depends on weights or pixels has no
    numbers: it is zero on the CPU where it is small, and true as a condition.
    """

    def __init__(self) -> None:
        self._real = WeakTensorKeyDictionary()

    def answer(self, func: Any, args: Any, kwargs: Any) -> Any:
        """The answer of an operation that asks for numbers; NotImplemented of any other."""
        aten = torch.ops.aten
        if func is aten._local_scalar_dense.default and args[0].is_meta:
            kind = args[0].dtype
            nothing = True if kind == torch.bool else 1.0 if kind.is_floating_point else 1
            return self._real[args[0]].item() if args[0] in self._real else nothing
        if func is aten._to_copy.default and args[0].is_meta and _is_cpu(kwargs.get("device")):
            return self._copy(func, args, kwargs)
        if func is aten.copy_.default and args[1].is_meta and not args[0].is_meta:
            return args[0].copy_(self._real[args[1]]) if args[1] in self._real else args[0]
        return NotImplemented

    def _copy(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        """On the CPU where it is small; what is large stays without memory, and only pretends to be there."""
        kind = kwargs.get("dtype") or args[0].dtype
        if args[0] in self._real:
            return self._real[args[0]].to(kind, copy=True)
        if args[0].numel() > _SMALL:
            return func(*args, **kwargs | {"device": args[0].device})
        return torch.zeros(args[0].shape, dtype=kind)

    def follow(self, func: Any, args: Any, kwargs: Any, answer: Any) -> None:
        """Do with the numbers what was done with the shapes."""
        leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        made = [leaf for leaf in tree_leaves(answer) if isinstance(leaf, Tensor) and leaf.is_meta]
        known = all(not leaf.is_meta or leaf in self._real for leaf in leaves)
        if not made or not known or any(leaf.numel() > _SMALL for leaf in (*leaves, *made)):
            if func._schema.is_mutable:
                for leaf in made:
                    self._real.pop(leaf, None)
            return
        real_args, real_kwargs = tree_map(self._as_real, (args, kwargs))
        real = [leaf for leaf in tree_leaves(func(*real_args, **real_kwargs)) if isinstance(leaf, Tensor)]
        for shape, numbers in zip(made, real, strict=True):
            self._real[shape] = numbers

    def _as_real(self, value: Any) -> Any:
        if isinstance(value, Tensor) and value.is_meta:
            return self._real[value]
        return _CPU if isinstance(value, torch.device) else value


def _is_cpu(device: Any) -> bool:
    return device is not None and torch.device(device).type == "cpu"
