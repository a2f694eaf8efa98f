"""Condition channels of the interpolator."""

import numpy as np
import pytest
import torch

from asva_interp import masked_condition


def example():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 4, 2, 2, generator=generator), torch.tensor([[0, 3, 9], [2, 4, 5]])


def test_zeros_between_the_keyframes():
    latents, indices = example()
    condition = masked_condition(latents, indices, 12)
    assert condition.shape == (2, 12, 4, 2, 2)
    for sample in range(2):
        for place, index in enumerate(indices[sample].tolist()):
            assert torch.equal(condition[sample, index], latents[sample, place])
        rest = [frame for frame in range(12) if frame not in indices[sample].tolist()]
        assert not condition[sample, rest].any()


def test_linear_is_numpys_interpolation():
    latents, indices = example()
    condition = masked_condition(latents, indices, 12, fill="linear")
    for sample in range(2):
        for place in np.ndindex(4, 2, 2):
            values = latents[(sample, slice(None), *place)].double().numpy()
            expected = np.interp(np.arange(12), indices[sample].numpy(), values)
            found = condition[(sample, slice(None), *place)].double().numpy()
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_keyframes_are_exact_under_linear_filling():
    latents, indices = example()
    condition = masked_condition(latents, indices, 12, fill="linear")
    assert torch.equal(condition[0, indices[0]], latents[0])


def test_mask_channel_marks_the_keyframes():
    latents, indices = example()
    mask = masked_condition(latents, indices, 12, mask_channel=True)[:, :, -1]
    assert mask.sum((1, 2, 3)).tolist() == [12.0, 12.0]
    assert mask[1, :, 0, 0].nonzero().flatten().tolist() == [2, 4, 5]


def test_gradient_reaches_the_keyframes():
    latents, indices = example()
    latents.requires_grad_()
    masked_condition(latents, indices, 12, fill="linear", mask_channel=True).sum().backward()
    assert latents.grad.abs().min() > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fill": "cubic"}, "`fill` must be one of"),
        ({"num_frames": 9}, r"must lie in \[0, 8\]"),
        ({"keyframe_indices": torch.tensor([[0, 3], [2, 4]])}, r"must have shape \(2, 3\)"),
        ({"keyframe_latents": torch.zeros(2, 3, 4)}, "must have shape"),
    ],
)
def test_refuses(change, message):
    latents, indices = example()
    arguments = {"keyframe_latents": latents, "keyframe_indices": indices, "num_frames": 12} | change
    with pytest.raises(ValueError, match=message):
        masked_condition(**arguments)
