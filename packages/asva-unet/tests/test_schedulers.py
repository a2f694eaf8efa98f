"""Schedulers: grids for every step count, the mended NaN, and agreement with solutions that are known."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from asva_unet import Guidance, denoise, dynamic_rescale, make_scheduler
from asva_unet.noise_schedule import noise_schedule, timestep_grid
from asva_unet.schedulers import SCHEDULERS

NONE = Guidance(1.0, 1.0, 1.0)
NAMES = sorted(SCHEDULERS)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def run(scheduler, predict, latents, steps, **options):
    kind = scheduler.config.prediction_type
    options = {"generator": torch.Generator().manual_seed(0), "prediction_type": kind} | options
    return denoise(lambda x, t, names: predict(x, int(t[0])), latents, scheduler, steps, guidance=NONE, **options)


def answer(kind, noisy, clean, alpha):
    """What a network that knows the clean latents would say."""
    noise = (noisy - alpha**0.5 * clean) / (1 - alpha) ** 0.5
    return {
        "sample": clean,
        "epsilon": noise,
        "v_prediction": alpha**0.5 * noise - (1 - alpha) ** 0.5 * clean,
    }[kind]


@pytest.mark.parametrize("spacing", ["trailing", "leading"])
def test_every_step_count_has_a_grid(spacing):
    for steps in range(1, 1001):
        grid = timestep_grid(steps, spacing, offset=1)
        assert len(grid) == steps
        assert (grid[:-1] > grid[1:]).all()
        assert 0 <= grid[-1] and grid[0] <= 999


def test_trailing_grid_by_hand():
    assert timestep_grid(4, "trailing").tolist() == [999, 749, 499, 249]
    assert timestep_grid(4, "leading", offset=1).tolist() == [751, 501, 251, 1]


def test_quad_is_dense_where_there_is_little_noise():
    assert timestep_grid(5, "quad").tolist() == [801, 451, 201, 51, 1]
    for steps in range(2, 29):
        grid = timestep_grid(steps, "quad")
        assert len(grid) == steps and grid[0] == 801 and (grid[:-1] > grid[1:]).all()
        assert (np.diff(-grid[::-1]) <= 0).all() and grid[-1] == 1
    for steps in (1, 30):
        with pytest.raises(ValueError, match=f"`num_inference_steps` must keep the steps of quad apart, got {steps}"):
            timestep_grid(steps, "quad")


def test_noise_schedule_ends_without_signal():
    assert noise_schedule()[-1] == 0
    assert noise_schedule()[0] == pytest.approx(1 - 0.00085, abs=1e-12)
    assert noise_schedule(zero_terminal_snr=False)[-1] > 0


def test_dynamic_rescale_falls_then_stays():
    scale = dynamic_rescale()
    assert scale[0] == 1
    assert scale[199] == pytest.approx(1 - 0.3 * 199 / 399)
    assert (scale[399:] == 0.7).all()


@pytest.mark.parametrize("steps", [7, 11, 14, 15, 20, 25, 33, 61, 64])
def test_full_noise_stays_finite_where_the_original_fails(steps):
    scheduler = make_scheduler("ddim", dynamic_rescale=True)
    assert run(scheduler, lambda x, t: 0.5 * x, randn(1, 2, 1, 4, 4), steps, eta=1.0).isfinite().all()


@pytest.mark.parametrize("steps", [1, 4, 10, 50])
@pytest.mark.parametrize("kind", ["v_prediction", "sample"])
def test_ddim_is_diffusers_where_its_grid_is_right(steps, kind):
    ours = make_scheduler("ddim", prediction_type=kind)
    theirs = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        prediction_type=kind,
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    )
    theirs.set_timesteps(steps)
    expected = latents = randn(1, 3, 2, 4, 4)
    for timestep in theirs.timesteps:
        expected = theirs.step(torch.sin(expected), timestep, expected).prev_sample
    found = run(ours, lambda x, t: torch.sin(x), latents, steps)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("kind", ["v_prediction", "sample", "epsilon"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 2, 5, 13])
def test_a_network_that_knows_the_answer_is_believed(name, kind, rescale, steps):
    """Every solver must end at z when the network always says z (DDIM: at the first level of noise)."""
    zero_snr = kind != "epsilon"
    scheduler = make_scheduler(name, prediction_type=kind, dynamic_rescale=rescale, zero_terminal_snr=zero_snr)
    alphas = noise_schedule(zero_terminal_snr=zero_snr)
    scales = dynamic_rescale() if rescale else torch.ones(1000)
    clean = randn(1, 2, 1, 3, 3, seed=1)

    def predict(noisy, timestep):
        alpha = max(float(alphas[timestep]), 2.0**-24)
        return answer(kind, noisy, float(scales[timestep]) * clean, alpha)

    found = run(scheduler, predict, randn(1, 2, 1, 3, 3), steps)
    if name == "ddim":
        last = int(scheduler.timesteps[-1])
        residue = found - noise_schedule()[0].sqrt() * float(scales[last]) * clean
        assert residue.abs().max() < (1 - noise_schedule()[0]).sqrt() * 5
    else:
        torch.testing.assert_close(found, clean, rtol=0, atol=1e-4)


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_gaussian_data_keep_their_deviation(name, rescale):
    """Data N(0, d^2) have a linear ideal denoiser, and the sampling path is known: x / sqrt(a s^2 d^2 + 1 - a)."""
    deviation = 0.4
    scheduler = make_scheduler(name, prediction_type="v_prediction", dynamic_rescale=rescale)
    alphas, scales = noise_schedule(), dynamic_rescale() if rescale else torch.ones(1000, dtype=torch.float64)

    def predict(noisy, timestep):
        alpha, scale = float(alphas[timestep]), float(scales[timestep])
        variance = alpha * (scale * deviation) ** 2 + 1 - alpha
        clean = alpha**0.5 * (scale * deviation) ** 2 / variance * noisy
        noise = (1 - alpha) ** 0.5 / variance * noisy
        return alpha**0.5 * noise - (1 - alpha) ** 0.5 * clean

    start = randn(1, 2, 1, 4, 4)
    ratio = run(scheduler, predict, start, 300) / start
    assert ratio.std() < 1e-3
    assert float(ratio.mean()) == pytest.approx(deviation, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 2, 3, 61, 103])
def test_odd_step_counts_run(name, steps):
    scheduler = make_scheduler(name, prediction_type="sample")
    assert run(scheduler, lambda x, t: 0.9 * x, randn(1, 1, 1, 2, 2), steps).isfinite().all()
    assert len(scheduler.timesteps) == steps


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_read_again_it_is_the_same(name, tmp_path):
    scheduler = make_scheduler(name, prediction_type="residual", dynamic_rescale=True, timestep_spacing="leading")
    scheduler.save_pretrained(tmp_path)
    again = type(scheduler).from_pretrained(tmp_path)
    scheduler.set_timesteps(7)
    again.set_timesteps(7)
    assert again.config.prediction_type == "sample"
    assert again.config.dynamic_rescale
    assert torch.equal(scheduler.timesteps, again.timesteps)
    assert torch.equal(scheduler.alphas_cumprod, again.alphas_cumprod)


def test_one_scheduler_becomes_another_by_its_config():
    ddim = make_scheduler("ddim", dynamic_rescale=True, timestep_spacing="leading", steps_offset=1)
    unipc = SCHEDULERS["unipc"].from_config(ddim.config)
    assert unipc.config.dynamic_rescale
    assert unipc.config.timestep_spacing == "leading"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "euler"}, "`name` must be one of ddim"),
        ({"prediction_type": "epsilon"}, "`zero_terminal_snr` must be False"),
        ({"prediction_type": "flow"}, "`prediction_type` must be one of"),
        ({"timestep_spacing": "linspace"}, "`timestep_spacing` must be one of"),
    ],
)
def test_unknown_names_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_scheduler(**arguments)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [0, 1001])
def test_impossible_step_counts_are_refused(name, steps):
    with pytest.raises(ValueError, match="must be between 1 and 1000"):
        make_scheduler(name).set_timesteps(steps)


def test_steps_off_the_grid_and_without_noise_are_refused():
    scheduler, x = make_scheduler("ddim"), torch.zeros(1)
    with pytest.raises(ValueError, match="`set_timesteps` must be called"):
        scheduler.step(x, 999, x)
    scheduler.set_timesteps(4)
    with pytest.raises(ValueError, match="must be on the grid"):
        scheduler.step(x, 998, x)
    with pytest.raises(ValueError, match="`generator` or `variance_noise`"):
        scheduler.step(x, 999, x, eta=1.0)
