"""Pictures for OpenCLIP's image tower."""

import pytest
import torch

from asva_unet import clip_image_pixels
from asva_unet.openclip import CLIP_MEAN, CLIP_STD


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (64, 64), (224, 224), (320, 512)])
@pytest.mark.parametrize("size", [224, (32, 48)])
def test_a_grey_picture_stays_grey_at_any_size(shape, size):
    pixels = clip_image_pixels(torch.zeros(1, 3, *shape), size)
    assert pixels.shape[2:] == ((224, 224) if size == 224 else size)
    expected = (0.5 - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)
    torch.testing.assert_close(pixels, expected[:, None, None].expand_as(pixels[0])[None], rtol=0, atol=1e-5)


def test_a_picture_of_the_right_size_is_only_normalised(generator):
    frames = torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1
    mean, std = (torch.tensor(values)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    torch.testing.assert_close(clip_image_pixels(frames, 32), ((frames + 1) / 2 - mean) / std, rtol=0, atol=1e-5)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"`frames` must have shape \(b, 3, h, w\), got \(3, 8, 8\)"):
        clip_image_pixels(torch.zeros(3, 8, 8))
