"""The image projector: shapes, sharing among frames, errors. Parity stands in test_components.py."""

import pytest
import torch

from asva_unet import ImageResampler

SMALL = {"dim": 16, "embedding_dim": 12, "output_dim": 8, "depth": 2, "heads": 2, "dim_head": 8}


@torch.no_grad()
def test_tokens_come_frame_by_frame(generator, tmp_path):
    model = ImageResampler(num_frames=3, num_queries=4, **SMALL)
    tokens = torch.randn(2, 5, 12, generator=generator)
    assert model(tokens).shape == (2, 3 * 4, 8)
    model.save_pretrained(tmp_path)
    torch.testing.assert_close(ImageResampler.from_pretrained(tmp_path)(tokens), model(tokens), rtol=0, atol=0)


@torch.no_grad()
def test_queries_are_blended_along_the_frames(generator):
    model = ImageResampler(num_frames=4, num_queries=3, **SMALL)
    tokens = torch.randn(2, 5, 12, generator=generator)
    torch.testing.assert_close(model.with_num_frames(4)(tokens), model(tokens), rtol=0, atol=0)
    longer = model.with_num_frames(8)
    assert longer(tokens).shape == (2, 8 * 3, 8) and longer.config["num_frames"] == 8
    assert longer.proj_in.weight is model.proj_in.weight or longer.proj_in.weight.data_ptr() == (
        model.proj_in.weight.data_ptr()
    )
    before, after = model.latents.unflatten(1, (4, 3))[0], longer.latents.unflatten(1, (8, 3))[0]
    torch.testing.assert_close(after[0], before[0])  # source position -0.25, held at the first frame
    torch.testing.assert_close(after[1], 0.75 * before[0] + 0.25 * before[1])
    torch.testing.assert_close(after[4], 0.25 * before[1] + 0.75 * before[2])
    with pytest.raises(ValueError, match="`num_frames` must be at least 1, got 0"):
        model.with_num_frames(0)


def test_wrong_width_is_named():
    with pytest.raises(ValueError, match=r"`tokens` must have shape \(b, n, 12\), got \(2, 5, 7\)"):
        ImageResampler(num_frames=1, **SMALL)(torch.zeros(2, 5, 7))
