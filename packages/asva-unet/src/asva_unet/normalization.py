"""Group normalisation, if wanted with SiLU, that is quick on channels-last tensors on the CPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class GroupNorm(nn.GroupNorm):
    """Group normalisation of ``(b, c, h, w)``, optionally followed by SiLU, that keeps the memory format of its input.

    PyTorch's own CPU kernel for channels-last input is ten times slower in bfloat16 than the one for contiguous input,
    and its backward pass has been seen to end the process where the input needs no gradient. On the CPU the sums are
    therefore written out here, in float32 whatever the type of the input; only the input is kept for the way back.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, *, silu: bool = False) -> None:
        super().__init__(num_groups, num_channels, eps)
        self.silu = silu

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu":
            rows = x.permute(0, 2, 3, 1)
            y = _RowsGroupNorm.apply(rows.flatten(1, 2), self.weight, self.bias, self.num_groups, self.eps, self.silu)
            return y.view(rows.shape).permute(0, 3, 1, 2)
        y = F.group_norm(x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)
        return F.silu(y) if self.silu else y


class _RowsGroupNorm(torch.autograd.Function):
    """Group normalisation of rows (b, n, c) over ``n`` and the channels of a group.

    Large temporaries cost more than the arithmetic, so buffers are used again.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Tensor:
        mean = _over_group(x.mean(1, dtype=torch.float32), groups)
        centred = _centred(x, mean)
        buffer = centred * centred
        rstd = torch.rsqrt(_over_group(buffer.mean(1), groups) + eps)
        y = torch.addcmul(bias.float(), centred, (rstd * weight.float())[:, None], out=buffer)
        ctx.save_for_backward(x, weight, bias, mean, rstd)
        ctx.groups, ctx.silu = groups, silu
        return (F.silu(y, inplace=True) if silu else y).to(x.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor) -> tuple:
        x, weight, bias, mean, rstd = ctx.saved_tensors
        weight = weight.float()
        centred = _centred(x, mean)
        scale = (rstd * weight)[:, None]
        grad = grad.to(torch.float32, copy=True)
        buffer = torch.addcmul(bias.float(), centred, scale)
        if ctx.silu:
            torch.ops.aten.silu_backward.grad_input(grad, buffer, grad_input=grad)
        sums, products = grad.sum(1), torch.mul(grad, centred, out=buffer).sum(1)
        grad_x = None
        if ctx.needs_input_grad[0]:
            n = x.shape[1]
            offset = _over_group(sums * weight, ctx.groups) * rstd / -n
            slope = _over_group(products * weight, ctx.groups) * rstd**3 / -n
            grad_x = torch.addcmul(offset[:, None], centred, slope[:, None], out=buffer)
            grad_x = grad_x.addcmul_(grad, scale).to(x.dtype)
        return grad_x, (products * rstd).sum(0), sums.sum(0), None, None, None


def _centred(x: Tensor, mean: Tensor) -> Tensor:
    """``x`` (b, n, c) less its mean (b, c), a new tensor in float32."""
    return x - mean[:, None] if x.dtype == torch.float32 else x.float().sub_(mean[:, None])


def _over_group(values: Tensor, groups: int) -> Tensor:
    """Mean over the channels of each group, (b, c) -> (b, c)."""
    b, c = values.shape
    return values.view(b, groups, -1).mean(2, keepdim=True).expand(b, groups, c // groups).reshape(b, c)
