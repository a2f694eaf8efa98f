"""What tensors hold while networks run, counted without computing anything.

On the meta device every operation makes tensors of the right shape, without memory behind them. A dispatch mode sees
each of them come; a weak reference tells when the last user lets it go. So lifetimes are those of the real run, for
any network, size and precision, whatever the machine.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from asva_pipelines.memory.numbers import Numbers
from asva_pipelines.memory.workspace import GIVEN_BACK, HOLES, fused_attention, workspace


class Ledger(TorchDispatchMode):
    """Counts the bytes of tensors that are alive, and the most there were, while the block lasts.

    Args:
        device: Type of device that is stood in for. Of ``cpu`` the workspaces of kernels and what the heap
            keeps are counted too; of others, and of none, tensors alone.
        parts: Networks by name; the most is also told for each, of the time from its call to that of another.

    Attributes:
        live: Bytes now.
        peak: Bytes at most.
        peaks: Bytes at most, by part; under "" what was before any of them.
    """

    def __init__(self, device: str = "", parts: dict[str, nn.Module] | None = None) -> None:
        super().__init__()
        self.device, self.live, self.peak, self.part = device, 0, 0, ""
        self._heap = self._heap_most = 0  # of it, what lies in the heap, which does not shrink
        self.peaks: dict[str, int] = defaultdict(int)
        self._owners = {id(module): name for name, part in (parts or {}).items() for module in part.modules()}
        self._known = weakref.WeakSet()  # storages: those of weights first, whose views are not counted either
        for part in (parts or {}).values():
            self._known.update(value.untyped_storage() for value in (*part.parameters(), *part.buffers()))
        self._numbers = Numbers()

    def __enter__(self) -> Self:
        self._stand_in = _StandIn(self)
        self._stand_in.__enter__()
        self._hook = nn.modules.module.register_module_forward_pre_hook(self._enter_part)
        return super().__enter__()

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        super().__exit__(exc_type, exc_val, exc_tb)
        self._hook.remove()
        self._stand_in.__exit__(exc_type, exc_val, exc_tb)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = kwargs or {}
        answer = self._numbers.answer(func, args, kwargs)
        if answer is NotImplemented:
            answer = func(*args, **kwargs)
            self._numbers.follow(func, args, kwargs, answer)
        for tensor in tree_leaves(answer):
            if isinstance(tensor, Tensor):
                self.hold(tensor)
        self.touch(workspace(func, args, kwargs, answer) if self.device == "cpu" else 0)
        return answer

    def hold(self, tensor: Tensor) -> None:
        """Count a tensor's storage until it is let go."""
        storage = tensor.untyped_storage()
        if storage in self._known:
            return
        self._known.add(storage)
        size = storage.nbytes()
        self._change(size)
        weakref.finalize(storage, self._change, -size)

    def touch(self, more: int = 0) -> None:
        """Note the most, with something that is held only now."""
        self._change(more)
        total = self.live - self._heap + round(HOLES * self._heap_most) if self.device == "cpu" else self.live
        self.peak = max(self.peak, total)
        self.peaks[self.part] = max(self.peaks[self.part], total)
        self._change(-more)

    def _change(self, size: int) -> None:
        self.live += size
        if abs(size) < GIVEN_BACK:
            self._heap += size
            self._heap_most = max(self._heap_most, self._heap)

    def _enter_part(self, module: nn.Module, inputs: Any) -> None:
        del inputs
        self.part = self._owners.get(id(module), self.part)


_QKV = ("query", "key", "value")


class _StandIn(TorchFunctionMode):
    """What the meta device does otherwise: it writes all scores of attention down, and gives no arrays away."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = kwargs or {}
        if func is torch.Tensor.numpy and args[0].is_meta:
            return np.zeros(args[0].shape, dtype=torch.empty(0, dtype=args[0].dtype).numpy().dtype)
        if func is torch.nn.functional.scaled_dot_product_attention:
            query, key, value = [*args, *(kwargs[name] for name in _QKV[len(args) :])][:3]
            mask = kwargs.get("attn_mask") if len(args) < 4 else args[3]
            if (
                query.is_meta
                and query.ndim == 4
                and (self.ledger.device != "cpu" or fused_attention(query, key, value, mask))
            ):
                # Kernels lay their answer out as (b, n, m, d).
                b, m, n, _ = query.shape
                return query.new_empty((b, n, m, value.shape[-1])).transpose(1, 2)
        return func(*args, **kwargs)
