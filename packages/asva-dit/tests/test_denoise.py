"""The sampling loop with a small network."""

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler

from asva_dit import MTVGuidance, denoise, make_scheduler
from asva_dit.scheduler import RELEASED


@pytest.fixture
def model(make_model):
    return make_model()


@pytest.fixture
def predict(model, make_inputs):
    inputs = make_inputs(model)
    audio = model.encode_audio(**{name: inputs[name] for name in ("speech_embeds", "effects_embeds", "music_embeds")})
    text = {"none": torch.zeros(1, 5, 12), "text": inputs["encoder_hidden_states"]}
    text["full"] = text["text"]
    mask = torch.tensor([[True, False, False]])

    @torch.no_grad()
    def answer(sample, timestep, names, silence="off"):
        loud = {"given": 1.0, "off": 0.0}
        scale = torch.tensor([loud[MTVGuidance(silence=silence).hears(name)] for name in names])
        scales = {"speech_scale": scale, "effects_scale": scale, "music_scale": scale}
        words = torch.cat([text[name] for name in names])
        rotary = inputs["image_rotary_emb"]
        given = {"clean_frame_mask": mask.expand(len(names), 3), "audio": audio, "image_rotary_emb": rotary}
        return model(sample, words, timestep, **given, **scales).sample

    return answer


def run(predict, **options):
    noise = torch.randn(1, 3, 16, 6, 8, generator=torch.Generator().manual_seed(1))
    options = {"num_inference_steps": 4, "generator": torch.Generator().manual_seed(2)} | options
    return denoise(predict, noise, make_scheduler(), **options)


def test_branches_in_one_call_or_several_are_the_same(predict):
    guidance = MTVGuidance(5.0, 4.0)
    one, several = (run(predict, guidance=guidance, batched=batched) for batched in (True, False))
    torch.testing.assert_close(one, several, rtol=0, atol=1e-3)
    assert one.isfinite().all()


def test_guidance_costs_calls_only_where_it_acts(predict):
    calls = []

    def counted(sample, timestep, names):
        calls.extend(names)
        return predict(sample, timestep, names)

    guidance = MTVGuidance(5.0, 4.0)
    found = run(counted, guidance=guidance, guidance_range=(0.25, 0.75))
    assert calls.count("full") == 4 and len(calls) == 4 + 2 * (len(guidance.branches) - 1)
    assert not torch.equal(found, run(predict, guidance=guidance))


def test_given_frames_come_out_as_they_went_in(predict, generator):
    clean, seen = torch.randn(1, 3, 16, 6, 8, generator=generator), []
    mask = torch.tensor([[True, False, False]])

    def watch(sample, timestep, names):
        seen.append(sample[:, :1])
        return predict(sample, timestep, names)

    latents = run(watch, clean_latents=clean, clean_frame_mask=mask)
    assert all(torch.equal(sample, clean[:, :1]) for sample in [*seen, latents[:, :1]])
    assert not torch.equal(latents[:, 1:], clean[:, 1:])


def test_a_callback_follows_and_stops(predict):
    seen = []

    def follow(index, timestep, latents):
        seen.append((index, int(timestep), tuple(latents.shape)))
        return index == 1

    run(predict, callback_on_step_end=follow)
    assert [entry[0] for entry in seen] == [0, 1]
    assert seen[0][1] == 999


def test_the_same_generator_gives_the_same_clip(predict):
    assert torch.equal(run(predict), run(predict))
    assert not torch.equal(run(predict), run(predict, generator=torch.Generator().manual_seed(3)))


def test_given_frames_need_a_mask(predict):
    clean = torch.zeros(1, 3, 16, 6, 8)
    with pytest.raises(ValueError, match="must be given together"):
        run(predict, clean_latents=clean)
    with pytest.raises(ValueError, match="`clean_latents` must have shape"):
        run(predict, clean_latents=clean, clean_frame_mask=torch.ones(1, 4).bool())


LEVELS = {name: value for name, value in RELEASED.items() if name not in ("clip_sample", "snr_shift_scale")}
SAMPLERS = {
    "own": (make_scheduler(), 0.0),
    "ddim": (DDIMScheduler(**LEVELS, clip_sample=False), 0.0),
    "ddim with noise": (DDIMScheduler(**LEVELS, clip_sample=False), 1.0),
    "unipc": (UniPCMultistepScheduler(**LEVELS), 0.0),
    "dpm++": (DPMSolverMultistepScheduler(**LEVELS), 0.0),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_finds_what_the_network_is_sure_of(name, generator):
    clean, noise = torch.randn(2, 1, 3, 16, 6, 8, generator=generator).unbind()
    levels, (scheduler, eta) = make_scheduler().alphas_cumprod.float(), SAMPLERS[name]

    def sure(sample, timestep, names):
        level = levels[timestep].view(-1, 1, 1, 1, 1)
        return (level.sqrt() * sample - clean) / (1 - level).sqrt()

    drawn = [torch.Generator().manual_seed(2)]
    found = denoise(sure, noise, scheduler, num_inference_steps=5, eta=eta, generator=drawn)
    torch.testing.assert_close(found, clean, rtol=0, atol=1e-3)
