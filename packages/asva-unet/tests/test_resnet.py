"""Convolutional layers: the temporal convolution against Conv3d, and layers that start as nothing."""

import torch
from torch.nn import functional as F

from asva_unet.embeddings import ScalarEmbedding, sinusoid
from asva_unet.resnet import ResnetBlock, TemporalConv, frame_images, frame_plane
from asva_unet.transformer import TemporalTransformer


def channels_last(x):
    return x.contiguous(memory_format=torch.channels_last)


def test_plane_of_frames_is_a_view_and_returns(generator):
    x = channels_last(torch.randn(6, 4, 2, 5, generator=generator))
    plane = frame_plane(x, 3)
    assert plane.shape == (2, 4, 3, 10) and plane.data_ptr() == x.data_ptr()
    assert torch.equal(plane[1, :, 2].unflatten(1, (2, 5)), x[5])
    assert torch.equal(frame_images(plane, x.shape), x)


@torch.no_grad()
def test_temporal_convolution_equals_conv3d(generator, randomised):
    layer = randomised(TemporalConv(8, 4, 0.0))
    x = torch.randn(6, 8, 4, 4, generator=generator)
    y = video = x.unflatten(0, (2, 3)).transpose(1, 2)
    for norm, conv in zip(layer.norms, layer.convs, strict=True):
        y = F.silu(F.group_norm(y, 4, norm.weight, norm.bias, norm.eps))
        y = F.conv3d(y, conv.weight[..., None], conv.bias, padding=(1, 0, 0))
    expected = (video + y).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(layer(channels_last(x), 3), expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_layers_start_as_the_identity(generator):
    x = channels_last(torch.randn(6, 8, 4, 4, generator=generator))
    assert torch.equal(TemporalConv(8, 4, 0.0)(x, 3), x)
    assert torch.equal(ResnetBlock(8, 8, 16, 4, 0.0)(x, torch.randn(6, 16, generator=generator)), x)
    assert torch.equal(TemporalTransformer(8, 2, 4)(x, 3), x)


@torch.no_grad()
def test_temporal_transformer_keeps_pixels_apart(generator, randomised):
    layer = randomised(TemporalTransformer(8, 2, 4))
    x = channels_last(torch.randn(3, 8, 4, 4, generator=generator))
    tokens = layer.norm(frame_plane(x, 3))[0, :, :, 5].T[None]  # the frames of one pixel
    expected = layer.proj_out(layer.block(layer.proj_in(tokens)))[0].T
    torch.testing.assert_close((layer(x, 3) - x)[:, :, 1, 1].T, expected, rtol=0, atol=1e-5)


def test_sinusoid_by_hand():
    row = sinusoid(torch.tensor([2]), 4)[0]
    angles = torch.tensor([2.0, 2.0 / 100.0])
    torch.testing.assert_close(row, torch.cat([angles.cos(), angles.sin()]), rtol=0, atol=1e-6)


def test_added_embeddings_start_at_zero():
    assert ScalarEmbedding(8, 16, zero_init=True)(torch.tensor([3, 7])).abs().max() == 0
    assert ScalarEmbedding(8, 16)(torch.tensor([3, 7])).abs().max() > 0
