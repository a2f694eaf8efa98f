"""AADiff: what is stressed, what stays, and the way back to the first frame."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, PNDMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from asva_audio import resample
from asva_baselines import AADiffPipeline
from asva_baselines.aadiff.null_text import NullTextNetwork, learn_null_texts
from asva_baselines.aadiff.stress import StressedNetwork, invert, stressed
from asva_baselines.aadiff.words import heard_word, word_places

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
    torch.testing.assert_close(silent, first.expand(4, -1, -1, -1), atol=1e-3, rtol=0)


def test_what_is_loud_differs_from_the_picture(pipeline):
    frames = run(pipeline, beats(0.5, 0.9, 0.0, 0.45), audio_guidance_scale=6.0)
    change = (frames - frames[0]).abs().mean((1, 2, 3))
    assert change[1] > change[3] > change[2]
    torch.testing.assert_close(frames[2], frames[0], atol=1e-3, rtol=0)


@pytest.mark.parametrize("options", [{"audio_guidance_scale": 1.0}, {"no_audio": True}])
def test_without_stress_nothing_moves(pipeline, options):
    frames = run(pipeline, beats(0.2, 0.9, 0.0, 0.4), **options)
    torch.testing.assert_close(frames, frames[:1].expand_as(frames), atol=1e-3, rtol=0)


def test_other_words_other_frames(pipeline):
    sound = beats(0.0, 0.9, 0.0, 0.4)
    ball, red = (run(pipeline, sound, words=[word]) for word in ("ball", "red"))
    assert not torch.allclose(ball[1], red[1])


def test_without_a_picture_frames_share_their_noise(pipeline):
    frames = run(pipeline, beats(0.0, 0.9, 0.0, 0.4), image=None)
    torch.testing.assert_close(frames[0], frames[2], atol=1e-3, rtol=0)
    assert not torch.allclose(frames[0], frames[1])
    noise = torch.randn(1, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    again = run(pipeline, beats(0.0, 0.9, 0.0, 0.4), image=None, seed=1, latents=noise)
    torch.testing.assert_close(again, frames)


def test_branches_at_once_or_one_by_one(pipeline):
    one_by_one, at_once = (run(pipeline, beats(0.1, 0.9), batched_guidance=batched) for batched in (False, True))
    torch.testing.assert_close(one_by_one, at_once, rtol=1e-3, atol=1e-3)


def test_a_batch_is_its_samples(pipeline):
    sounds = [beats(0.1, 0.9), beats(0.9, 0.0, 0.5, 0.1)]
    both = run(pipeline, sounds, prompt=["a ball", "a red ball"], text_guidance_scale=2.0)
    alone = run(pipeline, sounds[1], prompt="a red ball", text_guidance_scale=2.0)
    torch.testing.assert_close(both[1], alone, rtol=1e-3, atol=1e-3)


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
        ({"region": 1.0}, "`region`"),
        ({"inversion": "magic"}, "`inversion`"),
        ({"words": ["ball"], "clap": "here"}, "`words`"),
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


def test_the_region_is_where_the_words_are_attended_to(pipeline):
    """Against the attention of the first step, computed by hand; what lies outside stays the calm picture's."""
    sound = beats(0.0, 0.9, 0.0, 0.4)
    seen = []
    attention = [m for name, m in pipeline.unet.named_modules() if name.endswith(".attn2")]

    def watch(module, inputs, named, _):
        query = module.head_to_batch_dim(module.to_q(inputs[0][:1]))
        key = module.head_to_batch_dim(module.to_k(named["encoder_hidden_states"][:1]))
        shares = (query @ key.transpose(1, 2) * module.scale).softmax(-1).mean(0)
        grid = round(shares.shape[0] ** 0.5)
        seen.append(shares[:, places].sum(-1).view(1, 1, grid, grid))

    places = word_places(pipeline.tokenizer, "a red ball bounces", ["ball"], 12)
    with torch.no_grad():
        hooks = [module.register_forward_hook(watch, with_kwargs=True) for module in attention]
        options = {"image": None, "num_inference_steps": 1, "text_guidance_scale": 1.0, "words": ["ball"]}
        inside = run(pipeline, sound, **options, region=0.9)
        for hook in hooks:
            hook.remove()
        whole = run(pipeline, sound, **options)
    found = sum(torch.nn.functional.interpolate(one, (8, 8), mode="bilinear") for one in seen)
    spread = torch.nn.functional.max_pool2d(found, 3, 1, 1)
    mask = (spread > 0.9 * spread.max())[0]
    assert 0 < mask.float().mean() < 1
    torch.testing.assert_close(inside[1], torch.where(mask, whole[1], whole[0]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(inside[0], whole[0], atol=1e-5, rtol=1e-4)


def test_null_texts_bring_the_picture_back_under_guidance(pipeline):
    pixels = torch.from_numpy(PICTURE).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        first = pipeline.vae.encode(pixels).latent_dist.mean * pipeline.vae.config.scaling_factor
        text = {given: pipeline._text_tokens(["a red ball"], True)[given] for given in (True, False)}
    calm = StressedNetwork(pipeline.unet, text, torch.ones(1, 1, text[True].shape[1]))
    scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, clip_sample=False)
    with torch.no_grad():
        trail = invert(calm, first[:, None], scheduler, 4)
    scale = 20.0  # far beyond what brings a picture back without

    def lost(network):
        here = trail[-1]
        with torch.no_grad():
            for timestep in scheduler.timesteps.tolist():
                batch = torch.tensor([timestep])
                full, empty = (network(here, batch, (branch,)) for branch in ("full", "audio"))
                here = scheduler.step(empty + scale * (full - empty), timestep, here, return_dict=False)[0]
        return (here - trail[0]).square().mean()

    plain = lost(calm)
    learned = NullTextNetwork(calm, learn_null_texts(calm, trail, scheduler, scale))
    assert lost(learned) < 0.8 * plain
    assert all(parameter.grad is None for parameter in pipeline.unet.parameters())


def test_null_text_in_the_pipeline(pipeline):
    loud = {"audio_guidance_scale": 6.0, "inversion": "null-text"}
    frames = run(pipeline, beats(0.0, 0.9, 0.0, 0.4), **loud)
    torch.testing.assert_close(frames[2], frames[0], atol=1e-3, rtol=0)
    assert not torch.allclose(frames[1], frames[0])
    assert not torch.equal(frames, run(pipeline, beats(0.0, 0.9, 0.0, 0.4), audio_guidance_scale=6.0))


@pytest.fixture(scope="module")
def clap(tmp_path_factory):
    """A small CLAP with random weights, as transformers saves it."""
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor, RobertaTokenizer

    folder = tmp_path_factory.mktemp("clap")
    tokenizer = RobertaTokenizer().train_new_from_iterator(["a red ball bounces"] * 9, 300, show_progress=False)
    text = {"vocab_size": 300, "max_position_embeddings": 40, "projection_dim": 8, **WIDTH}
    audio = {"hidden_size": 8, "patch_embeds_hidden_size": 4, "depths": [1, 1], "num_attention_heads": [1, 2]}
    audio |= {"projection_dim": 8, "num_hidden_layers": 2, "window_size": 8, "spec_size": 256, "enable_fusion": False}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=8)).save_pretrained(folder)
    ClapProcessor(ClapFeatureExtractor(truncation="rand_trunc"), tokenizer).save_pretrained(folder)
    return folder


def test_clap_finds_the_word(pipeline, clap):
    """The word whose own vector lies nearest is stressed; each is compared by itself here."""
    from transformers import ClapModel, ClapProcessor

    model, processor = ClapModel.from_pretrained(clap).eval(), ClapProcessor.from_pretrained(clap)
    sound, words = beats(0.0, 0.9, 0.0, 0.4), ["red", "ball", "bounces"]
    with torch.no_grad():
        mel = processor.feature_extractor(resample(sound[None], 16000, 48000)[0].numpy(), sampling_rate=48000)
        heard = model.get_audio_features(torch.as_tensor(np.array(mel["input_features"]))).pooler_output
        near = [
            torch.cosine_similarity(
                model.get_text_features(**processor.tokenizer(word, return_tensors="pt")).pooler_output, heard
            ).item()
            for word in words
        ]
    nearest = words[int(np.argmax(near))]
    assert heard_word(clap, "red ball, bounces.", sound, 16000) == nearest
    found = run(pipeline, sound, prompt="red ball bounces", clap=clap)
    assert torch.equal(found, run(pipeline, sound, prompt="red ball bounces", words=[nearest]))
    with pytest.raises(ValueError, match="`clap` must be a folder of transformers' ClapModel"):
        run(pipeline, sound, clap=clap / "nowhere")


@pytest.mark.slow
def test_to_a_row_of_the_bench(pipeline, bench_row, tmp_path):
    """From a folder that holds a size; the published one is of 512 pixels."""
    pipeline.save_pretrained(tmp_path / "model")
    assert bench_row("aadiff", 16)["inputs"]["image"]
