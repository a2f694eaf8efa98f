"""Memory that CPU kernels take beside their results, as measured on single layers (benchmarks/memory.py).

- oneDNN lays the input or output of a convolution out anew: as many bytes as the larger, unless channels come last.
- Convolutions that oneDNN is not asked for write every patch down: as many times the input as the kernel has places.
- Linear layers, norms, activations and fused attention take none to speak of.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

# Blocks from here on go back to the system at once; smaller ones stay in the heap of glibc, for the next of their kind.
GIVEN_BACK = 32 * 2**20
# What the heap takes for each byte that was in it at most: fitted on small models of four methods.
HOLES = 1.25


def workspace(func: Any, args: Any, kwargs: Any, answer: Any) -> int:
    """Bytes that an operation on the CPU holds while it runs."""
    if func is not torch.ops.aten.convolution.default:
        return 0
    del kwargs
    given, weight, bias, stride, padding, dilation, transposed, _, groups = args
    patches = answer.numel() // answer.shape[1] * given.shape[1] * math.prod(weight.shape[2:]) * given.element_size()
    kind = _backend(given, weight, bias, stride, padding, dilation, transposed, groups)
    if "Slow" in kind:
        return 0 if math.prod(weight.shape[2:]) == 1 else patches
    # Only a copy in the order that its kernels read, of the whole batch.
    return max(_size(given), _size(answer)) if given.is_contiguous() else 0


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _backend(given: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> str:
    """Which of torch's convolutions the CPU would take: asked with tensors that nobody writes to, so that they cost
    no memory."""
    stride, padding, dilation, transposed, groups = rest
    real = [None if one is None else torch.empty(one.shape, dtype=one.dtype) for one in (given, weight, bias)]
    still = [0] * len(stride)
    return str(torch._C._select_conv_backend(*real, stride, padding, dilation, transposed, still, groups))


def fused_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> bool:
    """Whether the CPU would compute attention without writing all scores down; the rule does not look at lengths."""
    small = [torch.empty(1, 1, 2, one.shape[-1], dtype=one.dtype) for one in (query, key, value)]
    mask = None if mask is None else torch.empty(2, 2, dtype=mask.dtype)
    return torch._fused_sdp_choice(*small, mask) != 0  # 0 is the kernel that writes them
