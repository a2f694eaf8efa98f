"""The sampler against diffusers', against a written-out step, and on a distribution that is known."""

import math

import pytest
import torch
from diffusers import CogVideoXDPMScheduler
from diffusers.utils.torch_utils import randn_tensor

from asva_dit import make_scheduler
from asva_dit.scheduler import RELEASED


def trajectory(scheduler, steps, noise, official):
    """A run on the velocity of a fixed pattern; the base draws twice a step from the second on and keeps the last."""
    generator = torch.Generator().manual_seed(1)
    scheduler.set_timesteps(steps)
    x, old, back = noise, None, None
    for timestep in scheduler.timesteps:
        velocity = torch.sin(3 * x + timestep / 100)
        kept = generator.get_state()
        drawn = randn_tensor(x.shape, generator=generator)
        if official:
            generator.set_state(kept)
            if old is not None and timestep != scheduler.timesteps[-1]:
                # its first draw is thrown away: hand it the same numbers twice
                first = torch.Generator().manual_seed(2)
                x, old = both_draws(scheduler, velocity, old, timestep, back, x, drawn, first)
            else:
                x, old = scheduler.step(velocity, old, int(timestep), back, x, generator=generator)
            generator.set_state(kept)
            randn_tensor(x.shape, generator=generator)
        else:
            x, old = scheduler.step(velocity, old, timestep, back, x, variance_noise=drawn)
        back = int(timestep)
    return x


def both_draws(scheduler, velocity, old, timestep, back, x, drawn, _):
    import diffusers.schedulers.scheduling_dpm_cogvideox as module

    kept, module.randn_tensor = module.randn_tensor, lambda *_, **__: drawn
    try:
        return scheduler.step(velocity, old, int(timestep), back, x)
    finally:
        module.randn_tensor = kept


@pytest.mark.parametrize("steps", [20, 50])
def test_steps_are_those_of_diffusers_where_they_divide_1000(steps, generator):
    noise = torch.randn(1, 2, 3, 4, 4, generator=generator)
    ours = trajectory(make_scheduler(), steps, noise, official=False)
    theirs = trajectory(CogVideoXDPMScheduler(**RELEASED), steps, noise, official=True)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["mended", "official"])
@pytest.mark.parametrize("steps", [20, 30])
def test_a_known_distribution_comes_out(name, steps, generator):
    """Data of mean 1 and deviation 0.5, whose best velocity is known: mean and spread of the samples are the data's."""
    scheduler, mean, spread = make_scheduler(name=name), 1.0, 0.5
    scheduler.set_timesteps(steps)
    x, old, back = torch.randn(20000, generator=generator), None, None
    for index, timestep in enumerate(scheduler.timesteps):
        level = scheduler.levels[index].item()
        a, s = math.sqrt(level), math.sqrt(1 - level)
        clean = mean + a * spread**2 * (x - a * mean) / (level * spread**2 + 1 - level)
        x, old = scheduler.step(((a * x - clean) / s), old, timestep, back, x, generator=generator)
        back = timestep
    assert x.mean().item() == pytest.approx(mean, abs=0.02)
    assert x.std().item() == pytest.approx(spread, abs=0.05)


def test_the_base_leaves_noise_where_the_steps_do_not_divide_1000():
    """Why the step is mended: at 30 steps its last one ends at timestep -1 only by its own count, not by ours."""
    base, ours = CogVideoXDPMScheduler(**RELEASED), make_scheduler()
    for scheduler in (base, ours):
        scheduler.set_timesteps(30)
    gaps = (base.timesteps[:-1] - 1000 // 30 - base.timesteps[1:]).abs()
    assert gaps.max() > 0
    x, clean = torch.zeros(4), torch.ones(4)
    level = ours.levels[-1]
    velocity = (level.sqrt() * x - clean) / (1 - level).sqrt()
    assert torch.allclose(ours.step(velocity, None, ours.timesteps[-1], None, x)[0], clean, atol=1e-6)


def test_the_first_step_has_no_signal():
    scheduler = make_scheduler()
    scheduler.set_timesteps(20)
    assert scheduler.levels[0] == 0
    x, velocity = torch.randn(2, 4), torch.randn(2, 4)
    following, predicted = scheduler.step(velocity, None, 999, None, x, variance_noise=torch.zeros(2, 4))
    torch.testing.assert_close(predicted, -velocity)
    torch.testing.assert_close(following, scheduler.levels[1].sqrt().float() * predicted)
    named = scheduler.step(velocity, None, 999, None, x, variance_noise=torch.zeros(2, 4), return_dict=True)
    assert torch.equal(named.prev_sample, following)


def test_half_precision_keeps_its_type():
    scheduler = make_scheduler()
    scheduler.set_timesteps(2)
    x, predicted = scheduler.step(torch.ones(2).half(), None, 999, None, torch.ones(2).half())
    assert (x.dtype, predicted.dtype) == (torch.float16, torch.float32)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="`name` must be one of"):
        make_scheduler(name="best")
    with pytest.raises(ValueError, match="`snr_shift_scale` must be 1 for the official"):
        make_scheduler(name="official", snr_shift_scale=3.0)
    scheduler = make_scheduler(snr_shift_scale=3.0)
    with pytest.raises(ValueError, match="`timestep` must be one of those"):
        scheduler.step(torch.ones(1), None, 999, None, torch.ones(1))
    with pytest.raises(ValueError, match="`num_inference_steps` must be at least 1"):
        scheduler.set_timesteps(0)
    scheduler.set_timesteps(20)
    with pytest.raises(ValueError, match="got 998"):
        scheduler.step(torch.ones(1), None, 998, None, torch.ones(1))
