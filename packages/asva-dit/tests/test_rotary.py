"""The rotary embedding against diffusers' pipeline."""

import pytest
import torch
from diffusers.pipelines.cogvideo.pipeline_cogvideox import get_resize_crop_region_for_grid

from asva_dit import rotary_embedding
from asva_dit.rotary import crop_region


@pytest.mark.parametrize("grid", [(30, 45), (30, 30), (24, 60), (17, 9), (60, 90)])
def test_the_region_is_that_of_diffusers(grid):
    assert crop_region(grid, (30, 45)) == get_resize_crop_region_for_grid(grid, 45, 30)


def test_a_base_without_has_none(make_base):
    assert rotary_embedding(make_base(use_rotary_positional_embeddings=False), 3, 6, 8) is None
    cosines, sines = rotary_embedding(make_base(), 3, 6, 8)
    assert cosines.shape == sines.shape == (36, 16)
    torch.testing.assert_close(cosines**2 + sines**2, torch.ones(36, 16))
