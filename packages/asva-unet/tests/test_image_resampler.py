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


def test_wrong_width_is_named():
    with pytest.raises(ValueError, match=r"`tokens` must have shape \(b, n, 12\), got \(2, 5, 7\)"):
        ImageResampler(num_frames=1, **SMALL)(torch.zeros(2, 5, 7))
