"""Keyframe injection in the sampling loop."""

import pytest
import torch

from asva_interp import KeyframeInjection, inject_keyframes
from asva_unet import Guidance, denoise, make_scheduler


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_other_frames_stay_and_keyframes_become_noisy_keyframes():
    latents, keyframes, noise = randn(2, 6, 1, 2, 2), randn(2, 2, 1, 2, 2, seed=1), randn(2, 6, 1, 2, 2, seed=2)
    indices = torch.tensor([[0, 4], [1, 5]])
    result = inject_keyframes(latents, keyframes, indices, noise, 0.36)
    for sample in range(2):
        for place, index in enumerate(indices[sample].tolist()):
            expected = 0.6 * keyframes[sample, place] + 0.8 * noise[sample, index]
            torch.testing.assert_close(result[sample, index], expected, rtol=0, atol=1e-6)
        rest = [frame for frame in range(6) if frame not in indices[sample].tolist()]
        assert torch.equal(result[sample, rest], latents[sample, rest])


def test_only_the_first_step_is_touched_and_no_noise_is_drawn_later():
    injection = KeyframeInjection(torch.ones(1, 1, 1, 1, 1), torch.tensor([[2]]))
    latents = torch.zeros(1, 4, 1, 1, 1)
    assert injection(0, latents, lambda: torch.zeros(1, 4, 1, 1, 1), 1.0)[0, 2] == 1
    assert injection(1, latents, lambda: pytest.fail("noise was drawn"), 1.0) is latents


@pytest.mark.parametrize("name", ["ddim", "unipc", "dpm++"])
def test_runs_in_every_sampler(name):
    scheduler = make_scheduler(name, prediction_type="sample")
    injection = KeyframeInjection(randn(1, 2, 1, 2, 2, seed=1), torch.tensor([[0, 3]]))
    result = denoise(
        lambda sample, timestep, branches: sample,
        randn(1, 4, 1, 2, 2),
        scheduler,
        4,
        guidance=Guidance(1.0, 1.0, 1.0),
        prediction_type="sample",
        generator=torch.Generator().manual_seed(0),
        after_step=injection,
    )
    assert result.isfinite().all()
