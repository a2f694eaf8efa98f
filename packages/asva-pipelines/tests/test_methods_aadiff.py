"""AADiff and the static baseline: what is stressed, what stays, and the way back to the first frame."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, PNDMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from asva_pipelines import AADiffPipeline, StaticPipeline
from asva_pipelines.aadiff.amplitude import frame_amplitude, word_places
from asva_unet.stress import StressedNetwork, invert, stressed

WIDTH = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
PICTURE = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
QUIET = {"sample_rate": 16000, "num_inference_steps": 3, "output_type": "latent"}


def small_tokenizer():
    tokenizer = CLIPTokenizer().train_new_from_iterator(["a red ball bounces"] * 9, 600, show_progress=False)
    tokenizer.model_max_length = 12
    return tokenizer


@pytest.fixture(scope="module")
def pipeline():
    tokenizer = small_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = AADiffPipeline(
            vae=AutoencoderKL(
                block_out_channels=(16, 16),
                down_block_types=("DownEncoderBlock2D",) * 2,
                up_block_types=("UpDecoderBlock2D",) * 2,
                norm_num_groups=8,
            ),
            tokenizer=tokenizer,
            text_encoder=CLIPTextModel(CLIPTextConfig(vocab_size=len(tokenizer), max_position_embeddings=12, **WIDTH)),
            unet=UNet2DConditionModel(
                sample_size=8,
                block_out_channels=(16, 16),
                layers_per_block=1,
                down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                cross_attention_dim=16,
                attention_head_dim=2,
                norm_num_groups=8,
            ),
            scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1),
            height=16,
            width=16,
            num_frames=4,
            fps=2,
            smoothing=1,
        )
    made.set_progress_bar_config(disable=True)
    return made


def beats(*loudness):
    """Two seconds in which each equal piece has a loudness of its own."""
    tone = torch.sin(torch.arange(32000) / 5)
    return torch.tensor(loudness).repeat_interleave(32000 // len(loudness)) * tone


def run(pipeline, sound, image=PICTURE, prompt="a red ball bounces", seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return pipeline(image, sound, prompt, generator=generator, **QUIET | options).frames


def test_amplitude_is_relative_to_the_loudest():
    loud = frame_amplitude(beats(0.1, 0.4, 0.2, 0.0), 4, smoothing=1)
    torch.testing.assert_close(loud, torch.tensor([0.25, 1.0, 0.5, 0.0]), atol=1e-3, rtol=0)
    assert torch.equal(frame_amplitude(torch.zeros(100), 4), torch.zeros(4))


def test_smoothing_takes_the_mean_of_neighbours():
    sharp = frame_amplitude(beats(0.0, 0.9, 0.0, 0.0), 4, smoothing=1)
    smooth = frame_amplitude(beats(0.0, 0.9, 0.0, 0.0), 4, smoothing=3)
    expected = torch.stack([sharp[:2].mean(), sharp[:3].mean(), sharp[1:].mean(), sharp[2:].mean()])
    torch.testing.assert_close(smooth, expected / expected.max())


@pytest.mark.parametrize("smoothing", [0, 2, 1.5])
def test_smoothing_must_be_odd(smoothing):
    with pytest.raises(ValueError, match="`smoothing` must be an odd number"):
        frame_amplitude(torch.zeros(100), 4, smoothing=smoothing)


def test_words_are_found_among_the_tokens():
    tokenizer = small_tokenizer()
    whole = word_places(tokenizer, "a red ball", None, 12)
    assert whole.sum() == len(tokenizer("a red ball", add_special_tokens=False).input_ids)
    assert not whole[0] and not whole[whole.sum() + 1 :].any()
    ball = word_places(tokenizer, "a red ball", ["ball"], 12)
    assert 0 < ball.sum() < whole.sum() and not (ball & ~whole).any()
    assert torch.equal(word_places(tokenizer, "a red ball", ["a", "red", "ball"], 12), whole)


def test_words_that_do_not_stand_in_the_prompt_are_named():
    with pytest.raises(ValueError, match="`words` must stand in the prompt 'a ball', got 'drum'"):
        word_places(small_tokenizer(), "a ball", ["drum"], 12)
    with pytest.raises(ValueError, match="`prompt` must hold words"):
        word_places(small_tokenizer(), "", None, 12)


def test_stress_multiplies_attention_probabilities(pipeline):
    """Against attention computed one probability at a time, in float64."""
    attention = next(m for name, m in pipeline.unet.named_modules() if name.endswith(".attn2"))
    generator = torch.Generator().manual_seed(0)
    pixels, words = (torch.randn(2, count, 16, generator=generator) for count in (5, 7))
    stress = 1 + torch.rand(2, 7, generator=generator)
    with torch.no_grad(), stressed(pipeline.unet, stress):
        got = attention(pixels, words)
    with torch.no_grad():
        q, k, v = (
            attention.head_to_batch_dim(layer(x)).double()
            for layer, x in ((attention.to_q, pixels), (attention.to_k, words), (attention.to_v, words))
        )
        shares = (q @ k.transpose(1, 2) * attention.scale).softmax(-1)
        shares = shares * stress.double().repeat_interleave(attention.heads, dim=0)[:, None]
        expected = attention.to_out[0](attention.batch_to_head_dim(shares @ v).float())
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
        assert not torch.equal(attention(pixels, words), got)


def test_the_first_frame_is_the_picture_and_silence_keeps_it(pipeline):
    pixels = torch.from_numpy(PICTURE).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        first = pipeline.vae.encode(pixels).latent_dist.mean * pipeline.vae.config.scaling_factor
    loud = run(pipeline, beats(0.2, 0.9, 0.0, 0.4))
    torch.testing.assert_close(loud[:1], first, atol=1e-5, rtol=0)
    silent = run(pipeline, torch.zeros(32000))
    torch.testing.assert_close(silent, first.expand(4, -1, -1, -1), atol=1e-4, rtol=0)


def test_what_is_loud_differs_from_the_picture(pipeline):
    frames = run(pipeline, beats(0.5, 0.9, 0.0, 0.45), audio_guidance_scale=6.0)
    change = (frames - frames[0]).abs().mean((1, 2, 3))
    assert change[1] > change[3] > change[2]
    torch.testing.assert_close(frames[2], frames[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("options", [{"audio_guidance_scale": 1.0}, {"no_audio": True}])
def test_without_stress_nothing_moves(pipeline, options):
    frames = run(pipeline, beats(0.2, 0.9, 0.0, 0.4), **options)
    torch.testing.assert_close(frames, frames[:1].expand_as(frames), atol=1e-4, rtol=0)


def test_other_words_other_frames(pipeline):
    sound = beats(0.0, 0.9, 0.0, 0.4)
    ball, red = (run(pipeline, sound, words=[word]) for word in ("ball", "red"))
    assert not torch.allclose(ball[1], red[1])


def test_without_a_picture_frames_share_their_noise(pipeline):
    frames = run(pipeline, beats(0.0, 0.9, 0.0, 0.4), image=None)
    torch.testing.assert_close(frames[0], frames[2], atol=1e-4, rtol=0)
    assert not torch.allclose(frames[0], frames[1])
    noise = torch.randn(1, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    again = run(pipeline, beats(0.0, 0.9, 0.0, 0.4), image=None, seed=1, latents=noise)
    torch.testing.assert_close(again, frames)


def test_branches_at_once_or_one_by_one(pipeline):
    one_by_one, at_once = (run(pipeline, beats(0.1, 0.9), batched_guidance=batched) for batched in (False, True))
    torch.testing.assert_close(one_by_one, at_once, rtol=1e-4, atol=1e-4)


def test_a_batch_is_its_samples(pipeline):
    sounds = [beats(0.1, 0.9), beats(0.9, 0.0, 0.5, 0.1)]
    both = run(pipeline, sounds, prompt=["a ball", "a red ball"], text_guidance_scale=2.0)
    alone = run(pipeline, sounds[1], prompt="a red ball", text_guidance_scale=2.0)
    torch.testing.assert_close(both[1], alone, rtol=1e-4, atol=1e-4)


def test_frame_rate_and_stages(pipeline):
    stages = []
    out = pipeline(
        PICTURE, beats(0.1, 0.9), "a ball", sample_rate=16000, num_inference_steps=2, fps=4,
        callback_on_step_end=lambda stage, step, total, latents: stages.append((stage, total)),
    )  # fmt: skip
    assert out.frames.shape == (8, 16, 16, 3) and out.fps == 4 and out.waveform.shape == (1, 32000)
    assert set(stages) == {("inversion", 2), ("frames", 2), ("decode", 1)}


def test_hooks_are_gone_even_after_an_accident(pipeline):
    def accident(stage, step, total, latents):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        run(pipeline, beats(0.1, 0.9), callback_on_step_end=accident)
    assert not any(module._forward_hooks for module in pipeline.unet.modules())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"prompt": ""}, "`prompt`"),
        ({"words": ["drum"]}, "`words`"),
        ({"fps": 0.3}, "`fps`"),
        ({"audio_guidance_scale": float("nan")}, "`audio_guidance_scale`"),
        ({"smoothing": 2}, "`smoothing`"),
        ({"latents": torch.zeros(1, 1, 4, 8, 8)}, "`latents`"),
        ({"height": 15}, "`height`"),
        ({"image": [PICTURE, None], "prompt": ["a ball", "a ball"]}, "`image`"),
    ],
)
def test_bad_arguments_are_named(pipeline, options, named):
    with pytest.raises(ValueError, match=named):
        run(pipeline, beats(0.1, 0.9), **options)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_inversion_inverts_ddim(kind):
    """A network that always answers the same noise is inverted exactly."""
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(1, 1, 4, 8, 8, generator=generator) for _ in range(2))
    scheduler = DDIMScheduler(
        beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1, prediction_type=kind
    )

    def predict(sample, timestep, branches):
        alpha = scheduler.alphas_cumprod[timestep[0]]
        return noise if kind == "epsilon" else (noise - (1 - alpha).sqrt() * sample) / alpha.sqrt()

    trail = invert(predict, clean, scheduler, 5)
    assert len(trail) == 6
    here = trail[-1]
    for step, timestep in enumerate(scheduler.timesteps):
        here = scheduler.step(predict(here, timestep[None], ()), int(timestep), here).prev_sample
        torch.testing.assert_close(here, trail[-2 - step], atol=1e-4, rtol=1e-4)


def test_inversion_refuses_other_networks():
    with pytest.raises(ValueError, match="epsilon or v_prediction, got sample"):
        invert(lambda *_: None, torch.zeros(1), DDIMScheduler(prediction_type="sample"), 2)


def test_left_out_text_is_not_stressed(pipeline):
    text = {given: torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(3)) for given in (True, False)}
    calm = StressedNetwork(pipeline.unet, text, torch.ones(1, 2, 5))
    loud = StressedNetwork(pipeline.unet, text, torch.full((1, 2, 5), 3.0))
    sample, timestep = torch.zeros(1, 2, 4, 8, 8), torch.tensor([5])
    with torch.no_grad():
        assert torch.equal(calm(sample, timestep, ("audio",)), loud(sample, timestep, ("audio",)))
        assert not torch.equal(calm(sample, timestep, ("full",)), loud(sample, timestep, ("full",)))


def test_static_repeats_the_picture():
    out = StaticPipeline()(PICTURE, beats(0.1, 0.9), sample_rate=16000, height=16, width=16, fps=12)
    assert out.frames.shape == (24, 16, 16, 3) and out.fps == 12 and out.waveform.shape == (1, 32000)
    assert (out.frames == PICTURE).all()


def test_static_saved_and_read_is_the_same(tmp_path):
    StaticPipeline(num_frames=3, fps=1.5, height=8, width=8).save_pretrained(tmp_path)
    out = StaticPipeline.from_pretrained(tmp_path)([PICTURE, PICTURE], output_type="pt")
    assert out.frames.shape == (2, 3, 3, 8, 8) and out.frames.max() <= 1


@pytest.mark.parametrize(
    ("options", "named"),
    [({"height": 15}, "`height`"), ({"fps": 0.7}, "`fps`"), ({"output_type": "latent"}, "`output_type`")],
)
def test_static_names_bad_arguments(options, named):
    with pytest.raises(ValueError, match=named):
        StaticPipeline()(PICTURE, **options)
