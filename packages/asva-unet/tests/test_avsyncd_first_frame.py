"""First-frame convolution against loops, and group normalisation over the frames of a clip."""

import pytest
import torch
from torch.nn import functional as F

from asva_unet.avsyncd.first_frame import ClipGroupNorm, FirstFrameConv


def clip(generator, b=2, t=4, channels=3):
    return torch.randn(b * t, channels, 5, 4, generator=generator)


@torch.no_grad()
@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (3, 2), (1, 1)])
@pytest.mark.parametrize("t", [1, 2, 4])
@pytest.mark.parametrize("first_frame", [True, False])
def test_equals_the_formula(generator, randomised, kernel_size, stride, t, first_frame):
    layer = randomised(FirstFrameConv(3, 6, kernel_size, stride, first_frame=first_frame))
    x = clip(generator, t=t)
    frames = F.conv2d(x, layer.weight, layer.bias, stride, kernel_size // 2).double().unflatten(0, (2, t))
    weight, bias = layer.conv_temp.weight.double(), layer.conv_temp.bias.double()
    nothing, expected = torch.zeros_like(frames[:, 0]), []
    for index in range(t):
        before, after = frames[:, max(index - 1, 0)], frames[:, 0]
        seen = [after, before, frames[:, index]]  # frame 0, the frame before, this frame
        if not first_frame:
            before = frames[:, index - 1] if index else nothing
            seen = [before, frames[:, index], frames[:, index + 1] if index < t - 1 else nothing]
        share = torch.einsum("oc,bchw->bohw", weight, torch.cat(seen, dim=1))
        expected.append(frames[:, index] + share + bias[:, None, None])
    result = layer(x, t).double().unflatten(0, (2, t))
    torch.testing.assert_close(result, torch.stack(expected, dim=1), rtol=0, atol=2e-6)


@torch.no_grad()
def test_starts_as_the_spatial_convolution(generator):
    layer, x = FirstFrameConv(3, 6), clip(generator)
    torch.testing.assert_close(layer(x, 4), F.conv2d(x, layer.weight, layer.bias, padding=1), rtol=0, atol=1e-6)


@torch.no_grad()
def test_later_frames_do_not_change_earlier_ones(generator, randomised):
    layer, x = randomised(FirstFrameConv(3, 6)), clip(generator)
    changed = x.clone().unflatten(0, (2, 4))
    changed[:, 2] += 1
    difference = (layer(changed.flatten(0, 1), 4) - layer(x, 4)).unflatten(0, (2, 4)).abs().amax((0, 2, 3, 4))
    assert (difference > 0).tolist() == [False, False, True, True]


@torch.no_grad()
@pytest.mark.parametrize("over_frames", [True, False])
def test_statistics_run_over_the_frames(generator, randomised, over_frames):
    norm = randomised(ClipGroupNorm(2, 6, 1e-5, over_frames=over_frames))
    x = torch.randn(8, 6, 5, 4, generator=generator) * torch.arange(1, 9)[:, None, None, None]
    pooled = x.unflatten(0, (2, 4)).transpose(1, 2) if over_frames else x
    expected = F.silu(F.group_norm(pooled, 2, norm.weight, norm.bias, 1e-5))
    expected = expected.transpose(1, 2).flatten(0, 1) if over_frames else expected
    torch.testing.assert_close(norm(x, 4), expected, rtol=0, atol=1e-5)
