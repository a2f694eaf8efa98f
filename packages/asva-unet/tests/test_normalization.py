"""Group normalisation against PyTorch's in float64, forward and backward, and its use of memory formats."""

import pytest
import torch
from torch.nn import functional as F

from asva_unet import normalization
from asva_unet.normalization import GroupNorm


@pytest.mark.parametrize("silu", [False, True])
@pytest.mark.parametrize("chunk", [1, 2**19])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_values_and_gradients(generator, randomised, monkeypatch, silu, chunk, offset):
    monkeypatch.setattr(normalization, "CHUNK", chunk)
    layer = randomised(GroupNorm(4, 8, silu=silu))
    x = torch.randn(3, 8, 5, 4, generator=generator) + offset
    grad = torch.randn(3, 8, 5, 4, generator=generator)
    ours = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    theirs, weight, bias = (v.detach().double().requires_grad_() for v in (x, layer.weight, layer.bias))
    y = layer(ours)
    expected = F.group_norm(theirs, 4, weight, bias, layer.eps)
    expected = F.silu(expected) if silu else expected
    y.backward(grad)
    expected.backward(grad.double())
    assert y.is_contiguous(memory_format=torch.channels_last)
    atol = 2e-5 if offset else 2e-6
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=atol)
    torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=1e-5, atol=atol)
    torch.testing.assert_close(layer.weight.grad.double(), weight.grad, rtol=1e-5, atol=5 * atol)
    torch.testing.assert_close(layer.bias.grad.double(), bias.grad, rtol=1e-5, atol=5 * atol)


def test_input_without_gradient_is_no_trouble(generator):
    layer = GroupNorm(4, 8)
    x = torch.randn(2, 8, 4, 4, generator=generator).contiguous(memory_format=torch.channels_last)
    layer(x).square().sum().backward()
    assert layer.bias.grad.shape == (8,)


def test_bfloat16_is_rounded_once(generator, randomised):
    layer = randomised(GroupNorm(4, 8, silu=True))
    x = torch.randn(2, 8, 4, 4, generator=generator).bfloat16()
    expected = F.silu(F.group_norm(x.double(), 4, layer.weight.double(), layer.bias.double(), layer.eps))
    assert layer(x).dtype == torch.bfloat16
    torch.testing.assert_close(layer(x).double(), expected, rtol=2**-8, atol=1e-4)
