"""The pipeline on a model of random weights: flow, options, batches, saving, and bad input."""

import inspect

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPVisionConfig, CLIPVisionModel

from asva_audio import ImageBindAudioEncoder
from asva_keyframe import MotionLocalizer
from asva_pipelines import METHODS, KeyVIDPipeline, resolve_model
from asva_pipelines.base import VideoPipeline
from asva_pipelines.settings import call_arguments
from asva_unet import ImageResampler, KeyVIDUNet, make_scheduler

RATE, SIZE, FRAMES, KEYS = 16000, 16, 48, 12
UNET = {
    "block_out_channels": (32, 32),
    "layers_per_block": 1,
    "attention_levels": (False, True),
    "attention_head_dim": 16,
    "init_attention_heads": 2,
    "cross_attention_dim": 16,
    "audio_embed_dim": 16,
    "norm_num_groups": 8,
    "out_channels": 4,
    "dropout": 0.1,
}
AUDIO = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def wake(module, seed):
    """Random weights everywhere, so that layers that start at zero count."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            scale = 0.3 / max(parameter[0].numel(), 1) ** 0.5 if parameter.ndim > 1 else 0.1
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
    return module


def small_tokenizer():
    tokenizer = CLIPTokenizer().train_new_from_iterator(["a ball bounces", "a bell rings"], 600, show_progress=False)
    tokenizer.model_max_length = 8
    return tokenizer


def build(**config):
    """A whole pipeline with the small models' settings."""
    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(16, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=8,
        scaling_factor=0.5,
    )
    tokenizer = small_tokenizer()
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=8,
    )
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
    )
    projector = ImageResampler(FRAMES, 2, dim=16, embedding_dim=16, output_dim=16, depth=1, heads=2, dim_head=8)
    settings = {
        "height": SIZE,
        "width": SIZE,
        "interp_fill": "linear",
        "interp_mask_channel": True,
        "interp_noise": "none",
        "interp_injection": False,
        "num_inference_steps": 2,
        "interp_num_inference_steps": 1,
        "eta": 0.0,
        "selection": "even",
    }
    for prefix in ("", "interp_"):
        settings |= {f"{prefix}{name}_guidance_scale": 1.0 for name in ("text", "image")}
        settings |= {f"{prefix}audio_guidance_scale": 2.0, f"{prefix}guidance_rescale": 0.0}
    return KeyVIDPipeline(
        vae=wake(vae, 1),
        tokenizer=tokenizer,
        text_encoder=CLIPTextModel(text),
        image_encoder=CLIPVisionModel(vision),
        image_projector=wake(projector, 2),
        audio_encoder=wake(ImageBindAudioEncoder(**AUDIO), 3),
        keyframe_unet=wake(KeyVIDUNet(in_channels=8, prediction_type="residual", **UNET), 4),
        interp_unet=wake(KeyVIDUNet(in_channels=9, prediction_type="residual", **UNET), 5),
        localizer=wake(MotionLocalizer(AUDIO, num_frames=FRAMES, head="columns"), 6),
        scheduler=make_scheduler("ddim", prediction_type="residual"),
        **settings | config,
    )


@pytest.fixture(scope="module")
def pipe():
    return build()


def picture(seed=0, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def sound(seed=0, seconds=2.0, channels=1, rate=RATE):
    noise = np.random.default_rng(seed).normal(0, 0.02, (channels, round(seconds * rate)))
    noise[:, :: rate // 3] += 0.8
    return noise.clip(-1, 1).astype(np.float32)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def sample(pipe, *args, **options):
    return pipe(*args, **{"sample_rate": RATE, "generator": seeded()} | options)


def test_a_picture_and_a_sound_become_a_video(pipe):
    result = sample(pipe, picture(), sound(channels=2), "a ball bounces")
    assert result.frames.shape == (FRAMES, SIZE, SIZE, 3)
    assert result.frames.dtype == np.uint8
    assert result.keyframe_frames.shape == (KEYS, SIZE, SIZE, 3)
    assert result.keyframe_indices.shape == (KEYS,)
    assert result.keyframe_indices[0] == 0
    assert (np.diff(result.keyframe_indices) > 0).all()
    assert result.motion_curve.shape == (FRAMES,)
    assert result.waveform.shape == (2, 2 * RATE)
    assert (result.sample_rate, result.fps) == (RATE, 24)


def test_the_same_generator_gives_the_same_video(pipe):
    results = [sample(pipe, picture(), sound(), generator=seeded(seed)).frames for seed in (1, 1, 2)]
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_networks_moved_to_the_device_one_by_one_give_the_same():
    pipe = build()
    whole = sample(pipe, picture(), sound()).frames
    pipe.enable_model_cpu_offload(device="cpu")  # the hooks are those of a GPU
    assert np.array_equal(sample(pipe, picture(), sound()).frames, whole)


def test_every_condition_moves_the_result(pipe):
    def run(image=None, audio=None, prompt=""):
        return sample(pipe, picture() if image is None else image, sound() if audio is None else audio, prompt,
                      keyframe_indices=range(0, 48, 4)).frames  # fmt: skip

    base = run()
    assert not np.array_equal(base, run(image=picture(1)))
    assert not np.array_equal(base, run(audio=sound(1)))
    assert not np.array_equal(base, run(prompt="a bell rings"))


def test_guidance_leads_away_from_the_sound_at_another_time(pipe):
    """In both stages; a sound that is the same when it is turned around leads nowhere."""

    def run(waveform, scale, against):
        scales = {"audio_guidance_scale": scale, "interp_audio_guidance_scale": scale, "against": against}
        return sample(pipe, picture(), waveform, keyframe_indices=range(0, 48, 4), output_type="pt", **scales).frames

    again = 0.3 * torch.randn(RATE, generator=torch.Generator().manual_seed(0)).repeat(2)
    torch.testing.assert_close(run(again, 6.0, "shifted"), run(again, 1.0, "off"), atol=2e-3, rtol=0)
    once = again * (torch.arange(2 * RATE) < RATE)
    led = run(once, 6.0, "shifted")
    assert not any(torch.allclose(led, other, atol=2e-3) for other in (run(once, 1.0, "off"), run(once, 6.0, "off")))


def test_a_batch_is_its_samples(pipe):
    images, sounds, prompts = [picture(0), picture(1)], [sound(0), sound(1)], ["", "a bell rings"]
    options = {"output_type": "pt", "eta": 1.0}
    both = sample(pipe, images, sounds, prompts, generator=[seeded(0), seeded(1)], **options)
    assert both.frames.shape == (2, FRAMES, 3, SIZE, SIZE)
    for place in range(2):
        alone = sample(pipe, images[place], sounds[place], prompts[place], generator=[seeded(place)], **options)
        assert np.array_equal(both.keyframe_indices[place], alone.keyframe_indices)
        torch.testing.assert_close(both.frames[place], alone.frames, rtol=0, atol=1e-4)
        torch.testing.assert_close(both.keyframe_frames[place], alone.keyframe_frames, rtol=0, atol=1e-4)
        np.testing.assert_allclose(both.motion_curve[place], alone.motion_curve, atol=1e-5)
        np.testing.assert_array_equal(both.waveform[place], alone.waveform)


def test_one_picture_with_several_sounds(pipe):
    result = sample(pipe, picture(), [sound(0), sound(1)])
    assert result.frames.shape[0] == 2
    assert not np.array_equal(result.frames[0], result.frames[1])


def test_guidance_branches_together_or_one_by_one(pipe):
    scales = {"text_guidance_scale": 2.0, "image_guidance_scale": 1.5, "guidance_rescale": 0.7}
    inputs, options = ([picture(), picture(1)], sound(), "a ball bounces"), {"output_type": "latent"} | scales
    result = sample(pipe, *inputs, **options, batched_guidance=True)
    reference = sample(pipe, *inputs, **options)
    torch.testing.assert_close(result.frames, reference.frames, rtol=0, atol=1e-4)


def test_saved_and_read_again_the_pixels_are_the_same(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    again = KeyVIDPipeline.from_pretrained(tmp_path)
    assert {name for name in pipe.config if not name.startswith("_")} <= again.config.keys()
    for name, part in pipe.components.items():
        if isinstance(part, torch.nn.Module):
            state = getattr(again, name).state_dict()
            assert all(torch.equal(value, state[key]) for key, value in part.state_dict().items()), name
    first, second = (sample(one, picture(), sound(), "a bell rings") for one in (pipe, again))
    assert np.array_equal(first.frames, second.frames)
    assert np.array_equal(first.keyframe_indices, second.keyframe_indices)


def test_the_folder_says_everything(tmp_path):
    build(num_inference_steps=3, alignment="official").save_pretrained(tmp_path)
    config = KeyVIDPipeline.from_pretrained(tmp_path).config
    assert (config.num_inference_steps, config.alignment, config.interp_fill) == (3, "official", "linear")


def test_given_keyframes_are_taken(pipe):
    result = sample(pipe, picture(), sound(), keyframe_indices=[0, 5, 9, 30])
    assert result.keyframe_indices.tolist() == [0, 5, 9, 30]
    assert len(result.keyframe_frames) == 4
    result = sample(pipe, [picture(), picture(1)], sound(), keyframe_indices=[[0, 5], [0, 9]])
    assert result.keyframe_indices.tolist() == [[0, 5], [0, 9]]


def test_uniform_keyframes(pipe):
    assert sample(pipe, picture(), sound(), selection="uniform").keyframe_indices.tolist() == list(range(0, 48, 4))


def test_without_sound_nothing_of_it_is_used(pipe):
    silent = sample(pipe, picture())
    assert silent.keyframe_indices.tolist() == list(range(0, 48, 4))
    assert silent.motion_curve is None and silent.waveform is None and silent.sample_rate is None
    control = sample(pipe, picture(), sound(), no_audio=True)
    assert np.array_equal(control.frames, silent.frames)
    assert control.waveform is not None


def test_no_sound_costs_no_extra_branch(pipe):
    calls = []
    hook = pipe.keyframe_unet.register_forward_hook(lambda *_: calls.append(1))
    sample(pipe, picture())
    assert len(calls) == 2
    sample(pipe, picture(), sound())
    assert len(calls) == 2 + 4
    hook.remove()


def test_conditions_are_encoded_once(pipe, monkeypatch):
    encoded = []
    original = KeyVIDUNet.encode_conditions
    monkeypatch.setattr(KeyVIDUNet, "encode_conditions", lambda *args: encoded.append(1) or original(*args))
    sample(pipe, picture(), sound(), num_inference_steps=5, interp_num_inference_steps=3)
    assert len(encoded) == 2 + 2


def test_callback_is_told_every_step(pipe):
    seen = []
    sample(
        pipe,
        picture(),
        sound(),
        callback_on_step_end=lambda stage, step, total, latents: seen.append((stage, step, total, latents.ndim)),
        decode_chunk_size=24,
    )
    denoising = [("keyframe", 0, 2, 5), ("keyframe", 1, 2, 5), ("interp", 0, 1, 5)]
    assert seen == [*denoising, ("decode", 0, 2, 4), ("decode", 1, 2, 4)]


@pytest.mark.parametrize("stage", ["keyframe", "interp", "decode"])
def test_a_callback_may_stop_it_and_the_next_call_is_as_ever(stage):
    pipe = build()
    pipe.interp_unet.train()
    expected = sample(pipe, picture(), sound()).frames

    def stop(now, step, total, latents):
        if now == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(pipe, picture(), sound(), callback_on_step_end=stop)
    assert pipe.interp_unet.training
    assert np.array_equal(sample(pipe, picture(), sound()).frames, expected)


def test_the_global_generator_is_left_alone(pipe):
    state = torch.get_rng_state()
    sample(pipe, picture(), sound(), generator=None, eta=1.0)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("name", ["unipc", "dpm++"])
def test_other_schedulers(name):
    pipe = build(eta=1.0)
    pipe.scheduler = make_scheduler(name)
    assert sample(pipe, picture(), sound()).frames.std() > 0


def test_given_latents_and_noise_leave_nothing_to_chance(pipe):
    latent = (4, SIZE // 2, SIZE // 2)
    options = {
        "latents": torch.randn(1, KEYS, *latent, generator=seeded(1)),
        "interp_latents": torch.randn(1, FRAMES, *latent, generator=seeded(2)),
        "step_noise": torch.randn(2, 1, KEYS, *latent, generator=seeded(3)),
        "interp_step_noise": torch.randn(1, 1, FRAMES, *latent, generator=seeded(4)),
        "vae_sample": "mode",
        "eta": 1.0,
        "keyframe_indices": range(0, 48, 4),
    }
    results = [sample(pipe, picture(), sound(), generator=seeded(seed), **options).frames for seed in (1, 2)]
    assert np.array_equal(*results)


@pytest.mark.parametrize("noise", ["official", "linear", "none", "freenoise"])
@pytest.mark.parametrize("window", [0, 12])
def test_second_stage_variants(pipe, noise, window):
    result = sample(pipe, picture(), sound(), interp_noise=noise, interp_window_size=window, output_type="latent")
    assert result.frames.shape == (FRAMES, 4, SIZE // 2, SIZE // 2)
    assert result.frames.isfinite().all()


def test_windows_are_joined_in_every_attention_or_behind_the_network(pipe):
    frames = {
        (fusion, size): sample(pipe, picture(), sound(), interp_window_fusion=fusion, interp_window_size=size).frames
        for fusion, size in (("attention", 0), ("attention", FRAMES), ("attention", 12), ("network", 12))
    }
    whole = frames["attention", 0]
    assert np.abs(whole.astype(int) - frames["attention", FRAMES]).max() <= 1  # the same but for rounding
    assert not np.array_equal(whole, frames["attention", 12])
    assert not np.array_equal(frames["network", 12], frames["attention", 12])
    assert np.array_equal(whole, sample(pipe, picture(), sound()).frames)  # nothing is left behind in the network


def test_keyframes_may_be_handed_over_as_pixels(pipe):
    by_latents, by_pixels = (sample(pipe, picture(), sound(), handover=how) for how in ("latents", "pixels"))
    assert by_latents.frames.shape == by_pixels.frames.shape
    assert not np.array_equal(by_latents.frames, by_pixels.frames)


def test_chunks_do_not_change_the_pixels(pipe):
    whole, small = (sample(pipe, picture(), sound(), decode_chunk_size=size, output_type="pt") for size in (48, 7))
    torch.testing.assert_close(whole.frames, small.frames, rtol=0, atol=1e-5)


def test_output_types(pipe):
    assert isinstance(sample(pipe, picture(), sound(), output_type="pil").frames[0], Image.Image)
    tensor = sample(pipe, picture(), sound(), output_type="pt").frames
    assert tensor.shape == (FRAMES, 3, SIZE, SIZE) and 0 <= tensor.min() and tensor.max() <= 1
    pixels = sample(pipe, picture(), sound()).frames
    assert np.abs(pixels / 255 - tensor.permute(0, 2, 3, 1).numpy()).max() < 0.003


def test_any_size_that_fits(pipe):
    assert sample(pipe, picture(), sound(), height=8, width=24).frames.shape == (FRAMES, 8, 24, 3)


def test_pictures_of_any_kind(pipe):
    array = picture(size=40)
    tensor = torch.from_numpy(picture()).permute(2, 0, 1).float() / 127.5 - 1
    kinds = [array, torch.from_numpy(array), Image.fromarray(array)]
    results = [sample(pipe, kind, sound()).frames for kind in kinds]
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])
    assert np.array_equal(sample(pipe, tensor, sound()).frames, sample(pipe, picture(), sound()).frames)


@pytest.mark.parametrize("seconds", [0.02, 0.5, 5.0])
def test_sounds_of_any_length(pipe, seconds):
    result = sample(pipe, picture(), sound(seconds=seconds))
    assert result.waveform.shape == (1, 2 * RATE)


def test_sounds_of_any_rate(pipe):
    result = sample(pipe, picture(), sound(rate=44100), sample_rate=44100)
    assert result.waveform.shape == (1, 88200) and result.sample_rate == 44100


def test_half_precision_runs():
    pipe = build().to(torch.bfloat16)
    assert sample(pipe, picture(), sound()).frames.shape == (FRAMES, SIZE, SIZE, 3)


def test_offloaded_networks_give_the_same_video(pipe):
    from accelerate import cpu_offload

    expected = sample(pipe, picture(), sound()).frames
    other = build()
    for part in (other.keyframe_unet, other.interp_unet, other.vae):
        cpu_offload(part, torch.device("cpu"))
    assert np.array_equal(sample(other, picture(), sound()).frames, expected)


def test_second_stage_may_have_its_own_projector(pipe, tmp_path):
    other = build(interp_image_projector=wake(ImageResampler.from_config(pipe.image_projector.config), 9))
    shared, own = (sample(one, picture(), sound()) for one in (pipe, other))
    assert np.array_equal(shared.keyframe_frames, own.keyframe_frames)
    assert not np.array_equal(shared.frames, own.frames)
    other.save_pretrained(tmp_path)
    assert np.array_equal(sample(KeyVIDPipeline.from_pretrained(tmp_path), picture(), sound()).frames, own.frames)


def test_no_localizer_needs_keyframes():
    pipe = build()
    pipe.localizer = None
    assert sample(pipe, picture(), sound(), keyframe_indices=[0, 20]).motion_curve is None
    with pytest.raises(ValueError, match="has no localizer"):
        sample(pipe, picture(), sound())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height": 18}, "`height` must be a positive multiple of 4, got 18"),
        ({"output_type": "gif"}, "`output_type` must be one of np"),
        ({"vae_sample": "mean"}, "`vae_sample` must be one of"),
        ({"handover": "mp4"}, "`handover` must be one of"),
        ({"interp_noise": "pink"}, "`interp_noise` must be one of"),
        ({"num_inference_steps": 0}, "`num_inference_steps` must be a whole number between 1 and 1000"),
        ({"interp_num_inference_steps": 2.5}, "`interp_num_inference_steps` must be a whole number"),
        ({"decode_chunk_size": 0}, "`decode_chunk_size` must be"),
        ({"keyframe_indices": [0, 48]}, r"must rise and lie in \[0, 47\]"),
        ({"keyframe_indices": [9, 5]}, "must rise and lie"),
        ({"keyframe_indices": [0.2, 0.9]}, "must be whole numbers"),
        ({"keyframe_indices": []}, "must be whole numbers"),
        ({"keyframe_indices": [[0, 1], [0]]}, "must be whole numbers"),
        ({"selection": "best"}, "`selection` must be one of"),
        ({"latents": torch.zeros(2, 12, 4, 8, 8)}, "`latents` must have shape"),
        ({"interp_latents": torch.zeros(1, 12, 4, 8, 8)}, "`interp_latents` must have shape"),
        ({"audio_guidance_scale": float("nan")}, "`audio` must be a finite number"),
        ({"eta": -1.0}, "`eta` must be between"),
        ({"generator": [torch.Generator(), torch.Generator()]}, "as many as samples"),
        ({"image": []}, "`image` must hold at least one entry"),
        ({"image": "nowhere.png"}, "nowhere.png"),
        ({"image": np.zeros((4, 4), np.uint8)}, "`image` must be a path, a PIL image or uint8"),
        ({"image": torch.zeros(3, 4, 4)}, "`image` as a float tensor must have shape"),
        ({"audio": sound(), "sample_rate": None}, "`sample_rate` must be given"),
        ({"audio": np.full((1, 100), np.nan, np.float32)}, "must hold finite samples"),
        ({"audio": np.zeros((1, 0), np.float32)}, "must be float samples"),
        ({"audio": np.zeros((1, 10), np.int16)}, "must be float samples"),
        ({"audio": 3}, "must be a path, an Audio or samples"),
        ({"audio": [sound(), None]}, "for every sample or for none"),
        ({"image": [picture()] * 2, "audio": [sound()] * 3}, "as many as the longest list"),
    ],
)
def test_bad_input_is_refused_with_one_clear_line(pipe, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        sample(pipe, **{"image": picture(), "audio": sound()} | options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_every_argument_is_documented(method):
    made = method.pipeline_class
    text = "".join(inspect.getdoc(one) for one in (made, VideoPipeline, VideoPipeline.__call__, made.__call__))
    text += "".join(inspect.getdoc(one) for one in made.arguments.__mro__ if one is not object)
    named = {*inspect.signature(made.__init__).parameters, *call_arguments(made)} - {"self"}
    assert not {name for name in named if f"{name}:" not in text and f"{name}," not in text}


def test_an_unknown_argument_is_refused(pipe):
    with pytest.raises(TypeError, match="magic"):
        pipe(picture(), magic=1)


def test_the_bundled_localizer_comes_in_the_wanted_type_without_a_word(monkeypatch):
    said = []
    monkeypatch.setattr("diffusers.models.modeling_utils.logger.warning", lambda text, *more: said.append(text))
    pipeline = KeyVIDPipeline.from_pretrained(resolve_model("tiny"), dtype=torch.bfloat16)
    assert pipeline.localizer.dtype == torch.bfloat16 and said == []
