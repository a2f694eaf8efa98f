"""Group normalisation, if wanted with SiLU, that is quick on channels-last tensors on the CPU."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CHUNK = 2**20  # numbers worked on at once: what stays in a core's cache


class GroupNorm(nn.GroupNorm):
    """Group normalisation of ``(b, c, h, w)``, optionally followed by SiLU, that keeps the memory format of its input.

    PyTorch's own CPU kernel for channels-last input is ten times slower in bfloat16 than the one for contiguous input,
    and its backward pass has been seen to end the process where the input needs no gradient. On the CPU the sums are
    therefore written out here, in float32 whatever the type of the input; only the input is kept for the way back.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, *, silu: bool = False) -> None:
        super().__init__(num_groups, num_channels, eps)
        self.silu = silu

    def forward(self, input: Tensor) -> Tensor:
        x = input  # torch's name for it
        if x.device.type == "cpu":
            rows = x.permute(0, 2, 3, 1)
            y = _RowsGroupNorm.apply(rows.flatten(1, 2), self.weight, self.bias, self.num_groups, self.eps, self.silu)
            return y.view(rows.shape).permute(0, 3, 1, 2)
        y = F.group_norm(x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)
        return F.silu(y) if self.silu else y


class _RowsGroupNorm(torch.autograd.Function):
    """Group normalisation of rows (b, n, c) over ``n`` and the channels of a group.

    Large temporaries cost more than the arithmetic: rows are taken a few at a time and buffers are used again.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Tensor:
        gain, offset = weight.float(), bias.float()
        y = torch.empty_like(x, memory_format=torch.contiguous_format)
        mean, rstd = (x.new_empty(x.shape[0], 1, x.shape[2], dtype=torch.float32) for _ in range(2))
        for part in _parts(x):
            mean[part] = _over_group(x[part].mean(1, True, dtype=torch.float32), groups)
            centred = _centred(x[part], mean[part])
            buffer = centred * centred
            rstd[part] = torch.rsqrt(_over_group(buffer.mean(1, True), groups) + eps)
            torch.addcmul(offset, centred, rstd[part] * gain, out=buffer)
            y[part] = F.silu(buffer, inplace=True) if silu else buffer
        ctx.save_for_backward(x, weight, bias, mean, rstd)
        ctx.groups, ctx.silu = groups, silu
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor) -> tuple:
        x, weight, bias, mean, rstd = ctx.saved_tensors
        gain, offset, n = weight.float(), bias.float(), x.shape[1]
        grad_x = torch.empty_like(x, memory_format=torch.contiguous_format) if ctx.needs_input_grad[0] else None
        sums, products = torch.empty_like(mean), torch.empty_like(mean)
        for part in _parts(x):
            centred, grad_y = _centred(x[part], mean[part]), grad[part].to(torch.float32, copy=True)
            scale = rstd[part] * gain
            buffer = torch.addcmul(offset, centred, scale)
            if ctx.silu:
                torch.ops.aten.silu_backward.grad_input(grad_y, buffer, grad_input=grad_y)
            sums[part] = grad_y.sum(1, True)
            products[part] = torch.mul(grad_y, centred, out=buffer).sum(1, True)
            if grad_x is not None:
                level = _over_group(sums[part] * gain, ctx.groups) * rstd[part] / -n
                slope = _over_group(products[part] * gain, ctx.groups) * rstd[part] ** 3 / -n
                grad_x[part] = torch.addcmul(level, centred, slope, out=buffer).addcmul_(grad_y, scale)
        return grad_x, (products * rstd).sum((0, 1)), sums.sum((0, 1)), None, None, None


def _parts(x: Tensor) -> Iterator[slice]:
    rows = max(1, CHUNK // max(1, x[0].numel())) if len(x) else 1
    return (slice(start, start + rows) for start in range(0, len(x), rows))


def _centred(x: Tensor, mean: Tensor) -> Tensor:
    """``x`` less its mean, a new tensor in float32."""
    return x - mean if x.dtype == torch.float32 else x.float().sub_(mean)


def _over_group(values: Tensor, groups: int) -> Tensor:
    """Mean over the channels of each group, (b, 1, c) -> (b, 1, c)."""
    b, _, c = values.shape
    return values.view(b, groups, -1).mean(2, keepdim=True).expand(b, groups, c // groups).reshape(b, 1, c)
