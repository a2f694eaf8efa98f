"""The sampling loop: what it hands out, what it takes back, and what it refuses."""

import pytest
import torch

from asva_unet import Guidance, denoise, draw_noise, make_scheduler

NONE = Guidance(1.0, 1.0, 1.0)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def run(predict, kind="sample", name="ddim", steps=3, latents=None, **options):
    latents = randn(2, 3, 2, 4, 4) if latents is None else latents
    options = {"guidance": NONE, "prediction_type": kind} | options
    return denoise(predict, latents, make_scheduler(name, prediction_type=kind), steps, **options)


@pytest.mark.parametrize("name", ["ddim", "unipc", "dpm++"])
def test_a_residual_is_added_to_the_condition_latents(name):
    condition = randn(2, 3, 5, 4, 4, seed=1)

    def residual(x, t, names):
        return 0.1 * x[:, :, :2]

    def sample(x, t, names):
        return condition[:, :, :2] + 0.1 * x[:, :, :2]

    found = run(residual, "residual", name, condition_latents=condition)
    torch.testing.assert_close(found, run(sample, "sample", name, condition_latents=condition), rtol=0, atol=0)


def test_the_network_is_given_latents_condition_and_timestep():
    condition, seen = randn(2, 3, 3, 4, 4, seed=1), []

    def predict(x, t, names):
        seen.append((x.shape, t.tolist(), names))
        assert torch.equal(x[:, :, 2:], condition)
        return x[:, :, :2]

    run(predict, condition_latents=condition)
    assert seen == [((2, 3, 5, 4, 4), [t, t], ("full",)) for t in (999, 666, 332)]


@pytest.mark.parametrize(("shares", "guided"), [((0.0, 1.0), 10), ((0.2, 0.7), 5), ((0.0, 0.0), 0), ((0.5, 1.0), 5)])
@pytest.mark.parametrize("batched", [False, True])
def test_guidance_costs_calls_only_where_it_acts(shares, guided, batched):
    calls = []

    def predict(x, t, names):
        calls.extend(names)
        return torch.cat([0.5 * part + (name == "full") for part, name in zip(x.chunk(len(names)), names, strict=True)])

    guidance = Guidance(3.0, 2.0, 4.0)
    found = run(predict, steps=10, guidance=guidance, guidance_range=shares, batched=batched)
    assert len(calls) == guided * len(guidance.branches) + 10 - guided and calls.count("full") == 10
    whole = run(predict, steps=10, guidance=guidance if guided == 10 else NONE)
    assert torch.equal(found, whole) == (guided in (0, 10))


@pytest.mark.parametrize("shares", [(-0.1, 1.0), (0.6, 0.4), (0.0, 1.1)])
def test_guidance_that_ends_before_it_begins_is_refused(shares):
    with pytest.raises(ValueError, match="`guidance_range` must be two rising shares"):
        run(lambda x, t, n: x, guidance_range=shares)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_generator_per_sample_makes_samples_independent(eta):
    def noise(seeds):
        return [torch.Generator().manual_seed(seed) for seed in seeds]

    latents = randn(2, 3, 2, 4, 4)
    both = run(lambda x, t, n: 0.5 * x, latents=latents, eta=eta, generator=noise([5, 6]))
    alone = run(lambda x, t, n: 0.5 * x, latents=latents[1:], eta=eta, generator=noise([6]))
    assert torch.equal(both[1:], alone)


def test_the_same_generator_gives_the_same_latents_and_none_another():
    results = [
        run(lambda x, t, n: 0.5 * x, eta=1.0, generator=None if seed is None else torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2, None)
    ]
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert not torch.equal(results[0], results[3])


def test_the_global_generator_is_left_alone():
    state = torch.get_rng_state()
    run(lambda x, t, n: 0.5 * x, eta=1.0)
    assert torch.equal(state, torch.get_rng_state())


def test_without_eta_nothing_is_drawn():
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    run(lambda x, t, n: 0.5 * x, generator=generator)
    assert torch.equal(state, generator.get_state())


def test_given_noise_takes_the_place_of_drawn_noise():
    noise = [randn(2, 3, 2, 4, 4, seed=seed) for seed in range(3)]
    first = run(lambda x, t, n: 0.5 * x, eta=1.0, step_noise=noise)
    assert torch.equal(first, run(lambda x, t, n: 0.5 * x, eta=1.0, step_noise=torch.stack(noise)))


def test_noise_of_a_step_is_the_same_for_sampler_and_hook():
    seen = []

    def hook(step, latents, noise, alpha):
        seen.append(noise())
        assert torch.equal(noise(), seen[-1])
        return latents

    run(
        lambda x, t, n: x,
        eta=1.0,
        after_step=hook,
        step_noise=[torch.full((2, 3, 2, 4, 4), float(i)) for i in range(3)],
    )
    assert [float(noise.mean()) for noise in seen] == [0.0, 1.0, 2.0]


def test_hook_is_told_the_level_that_was_reached():
    levels = []

    def hook(step, latents, noise, alpha):
        levels.append(alpha)
        return latents

    run(lambda x, t, n: x, after_step=hook)
    alphas = make_scheduler("ddim").alphas_cumprod
    assert levels == [float(alphas[timestep]) for timestep in (666, 332, 0)]


def test_callback_sees_every_step_and_may_stop_the_loop():
    seen = []

    def callback(step, total, latents):
        seen.append((step, total, tuple(latents.shape)))
        if step == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(lambda x, t, n: x, callback_on_step_end=callback)
    assert seen == [(0, 3, (2, 3, 2, 4, 4)), (1, 3, (2, 3, 2, 4, 4))]


def test_half_precision_latents_stay_half():
    latents = randn(1, 2, 1, 4, 4).to(torch.bfloat16)
    result = run(lambda x, t, n: x, latents=latents)
    assert result.dtype == torch.bfloat16
    assert result.isfinite().all()


def test_drawn_noise_is_the_cpus_and_moves():
    expected = torch.randn(2, 3, generator=torch.Generator().manual_seed(4)).half()
    assert torch.equal(draw_noise((2, 3), torch.Generator().manual_seed(4), dtype=torch.float16), expected)
    separate = draw_noise((2, 3), [torch.Generator().manual_seed(seed) for seed in (4, 5)])
    assert torch.equal(separate[1:], draw_noise((1, 3), torch.Generator().manual_seed(5)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": 2.0}, "`eta` must be between 0 and 1"),
        ({"eta": 1.0, "name": "unipc"}, "only DDIM adds noise"),
        ({"kind": "residual"}, "`condition_latents` must hold"),
        ({"condition_latents": torch.zeros(2, 4, 2, 4, 4)}, "must have batch and frames"),
        ({"eta": 1.0, "step_noise": []}, "`step_noise` must hold 3 entries"),
        ({"eta": 1.0, "generator": [torch.Generator()]}, "as many as samples"),
        ({"steps": 0}, "must be between 1 and 1000"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        run(lambda x, t, n: x, **options)


def test_refuses_a_scheduler_of_another_prediction_type():
    with pytest.raises(ValueError, match="must take the network's prediction type v_prediction, got sample"):
        denoise(
            lambda x, t, n: x,
            randn(1, 1, 1, 2, 2),
            make_scheduler("ddim", prediction_type="sample"),
            2,
            guidance=NONE,
        )


def test_refuses_a_residual_on_scaled_latents():
    scheduler = make_scheduler("ddim", prediction_type="residual", dynamic_rescale=True)
    latents = randn(1, 1, 1, 2, 2)
    with pytest.raises(ValueError, match="must not rescale"):
        denoise(
            lambda x, t, n: x,
            latents,
            scheduler,
            2,
            guidance=NONE,
            condition_latents=latents,
            prediction_type="residual",
        )
