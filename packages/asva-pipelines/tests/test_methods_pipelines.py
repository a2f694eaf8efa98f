"""AVSyncD, I2VD, the audio-window model and DynamiCrafter from picture and sound to frames, on small random models."""

import numpy as np
import pytest
import torch

PICTURE = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
KINDS = ["avsyncd", "i2vd", "audio-window", "dynamicrafter"]


@pytest.fixture(scope="module", params=KINDS)
def pipeline(request, make_pipeline):
    return make_pipeline(request.param)


def _sound(seed):
    return 0.3 * torch.randn(32000, generator=torch.Generator().manual_seed(seed))


def _latents(pipeline, sound, **options):
    generator = torch.Generator().manual_seed(0)
    audio = None if sound is None else _sound(sound)
    out = pipeline(PICTURE, audio, "a ball", sample_rate=16000, generator=generator, output_type="latent", **options)
    return out.frames


def _hears(pipeline):
    return pipeline.unet.config.get("audio") or pipeline.unet.config.get("audio_window_attention", False)


def test_a_video_comes_out(pipeline):
    steps = []
    out = pipeline(
        PICTURE,
        _sound(0),
        sample_rate=16000,
        generator=torch.Generator().manual_seed(0),
        callback_on_step_end=lambda stage, step, total, latents: steps.append((stage, step, total)),
    )
    assert out.frames.shape == (12, 16, 16, 3) and out.frames.dtype == np.uint8
    assert out.waveform.shape == (1, 32000) and out.fps == 6
    assert {stage for stage, _, _ in steps} == {"frames", "decode"}


def test_the_seed_decides(pipeline):
    assert torch.equal(_latents(pipeline, 0), _latents(pipeline, 0))


def test_only_who_hears_depends_on_the_sound(pipeline):
    same = torch.equal(_latents(pipeline, 0), _latents(pipeline, 1))
    assert same != bool(_hears(pipeline))
    assert torch.equal(_latents(pipeline, 0, no_audio=True), _latents(pipeline, 1, no_audio=True))
    assert torch.equal(_latents(pipeline, 0, no_audio=True), _latents(pipeline, None))


def _turned(pipeline, waveform, scale, against="shifted"):
    generator = torch.Generator().manual_seed(0)
    given = {"generator": generator, "output_type": "latent", "audio_guidance_scale": scale, "against": against}
    return pipeline(PICTURE, waveform, "a ball", sample_rate=16000, **given).frames


def test_guidance_leads_away_from_the_sound_at_another_time(pipeline):
    """A sound that is the same when it is turned around by half of the clip leads nowhere; another one does."""
    again = 0.3 * torch.randn(16000, generator=torch.Generator().manual_seed(0)).repeat(2)
    torch.testing.assert_close(_turned(pipeline, again, 6.0), _turned(pipeline, again, 1.0), atol=1e-3, rtol=1e-3)
    once = again * (torch.arange(32000) < 16000)
    led = _turned(pipeline, once, 6.0)
    for other in (_turned(pipeline, once, 1.0), _turned(pipeline, once, 6.0, "off")):
        assert torch.allclose(led, other, atol=1e-3) != bool(_hears(pipeline))
    with pytest.raises(ValueError, match="`against` must be"):
        _turned(pipeline, once, 6.0, "noise")


def test_guidance_by_the_sound_counts(pipeline):
    weak, strong = (_latents(pipeline, 0, audio_guidance_scale=scale) for scale in (1.0, 6.0))
    assert torch.equal(weak, strong) != bool(_hears(pipeline))


def test_branches_at_once_or_one_by_one(pipeline):
    options = {"text_guidance_scale": 2.0, "audio_guidance_scale": 3.0}
    one_by_one, at_once = (_latents(pipeline, 0, **options, batched_guidance=batched) for batched in (False, True))
    torch.testing.assert_close(one_by_one, at_once, rtol=1e-4, atol=1e-4)


def test_a_batch_is_its_samples(pipeline):
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    both = pipeline(
        PICTURE, [_sound(0), _sound(1)], sample_rate=16000, generator=generators, output_type="latent"
    ).frames
    alone = pipeline(
        PICTURE, _sound(1), sample_rate=16000, generator=torch.Generator().manual_seed(1), output_type="latent"
    ).frames
    torch.testing.assert_close(both[1], alone, rtol=1e-4, atol=1e-4)


def test_saved_and_read_it_gives_the_same(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path)
    again = type(pipeline).from_pretrained(tmp_path)
    again.set_progress_bar_config(disable=True)
    assert torch.equal(_latents(pipeline, 0), _latents(again, 0))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"height": 15}, "`height`"),
        ({"num_inference_steps": 0}, "`num_inference_steps`"),
        ({"output_type": "x"}, "`output_type`"),
    ],
)
def test_bad_arguments_are_named(pipeline, options, named):
    with pytest.raises(ValueError, match=named):
        pipeline(PICTURE, _sound(0), sample_rate=16000, **options)


def test_the_first_frame_of_avsyncd_stays_clean(make_pipeline):
    made = make_pipeline("avsyncd", vae_sample="mode")
    pixels = torch.from_numpy(PICTURE).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        first = made.vae.encode(pixels).latent_dist.mean * made.vae.config.scaling_factor
    torch.testing.assert_close(_latents(made, 0)[0], first[0])


def test_a_radius_that_hears_nothing_is_named(make_pipeline):
    made = make_pipeline("audio-window")
    with pytest.raises(ValueError, match="`radius`"):
        made(PICTURE, _sound(0), sample_rate=16000, radius=0.01)


def test_networks_moved_to_the_device_one_by_one_give_the_same(pipeline):
    whole = _latents(pipeline, 0)
    pipeline.enable_model_cpu_offload(device="cpu")  # the hooks are those of a GPU
    try:
        assert torch.equal(_latents(pipeline, 0), whole)
    finally:
        pipeline.remove_all_hooks()
