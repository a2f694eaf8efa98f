"""TempoTokens from files as they are released to videos, by the command line."""

import json
import subprocess
import sys

import pytest
import torch
from fixtures.inputs import write_wav
from fixtures.released import WIDTH, beats_content, randomised, text_encoder, vae, write_tokenizer

from asva_baselines.tempotokens.mapper import TempoTokensMapper, invert_mapper
from asva_baselines.tempotokens.method import EARS, MAPPER, ZEROSCOPE
from asva_data import read_video
from asva_pipelines import convert_model, load_pipeline


def small_unet():
    from diffusers import UNet3DConditionModel

    return randomised(
        UNet3DConditionModel(
            block_out_channels=(32, 32),
            down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
            up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
            layers_per_block=1,
            cross_attention_dim=WIDTH,
            attention_head_dim=8,
        )
    )


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The folder that `asva models info tempotokens` asks for, zeroscope's weights half precise and in pickles."""
    from diffusers import DDIMScheduler

    home = tmp_path_factory.mktemp("TempoTokens")
    content, base = beats_content(), home / ZEROSCOPE
    torch.save(content, home / EARS)
    hears = content["cfg"]["encoder_layers"] * content["cfg"]["encoder_embed_dim"]
    torch.save(invert_mapper(randomised(TempoTokensMapper(hears, 32, WIDTH, num_frames=24))), home / MAPPER)
    for part, network in (("unet", small_unet()), ("vae", vae()), ("text_encoder", text_encoder(16))):
        network.half().save_pretrained(base / part, safe_serialization=part != "unet")
    write_tokenizer(base / "tokenizer")
    settings = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    DDIMScheduler(**settings, clip_sample=False, set_alpha_to_one=False).save_pretrained(base / "scheduler")
    return home


@pytest.fixture
def sample(asva, released, inputs):
    def run(*more, audio=inputs / "knocks.wav", output="out.mp4"):
        words = ("sample", "--model", "model", "-a", audio, "--steps", 1, "--size", "16x16", "--output", output)
        return asva(*words, *more)

    ran = asva("models", "convert", released, "model")
    assert ran.code == 0, ran.err
    return run


def test_from_released_files_to_a_video_that_hears(sample, tmp_path, knocks):
    assert sample().code == 0
    made = read_video("out.mp4")
    assert made.frames.shape == (24, 16, 16, 3) and made.fps == 12
    record = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert record["method"] == "tempotokens" and record["inputs"]["audio"]["name"] == "knocks.wav"
    late = write_wav(tmp_path / "late.wav", knocks[::-1])
    assert sample(audio=late, output="late.mp4").code == 0
    assert (read_video("late.mp4").frames != made.frames).any()


def test_what_it_can_be_told(released, inputs, tmp_path):
    convert_model(released, tmp_path / "model")
    pipeline = load_pipeline(tmp_path / "model", device="cpu")
    settings = {"height": 16, "width": 16, "num_inference_steps": 1, "output_type": "latent"}

    def latents(**more):
        given = {"audio": inputs / "knocks.wav", "generator": torch.Generator().manual_seed(0)}
        return pipeline(**given | settings | more).frames

    heard = latents()
    assert torch.equal(latents(), heard)
    for more in ({"no_audio": True}, {"reference_dropout": True}, {"audio_guidance_scale": 1.0}):
        assert not torch.equal(latents(**more), heard), more
    with pytest.raises(ValueError, match="`image` must be left out"):
        latents(image=inputs / "ball.png")


@pytest.mark.slow
def test_to_a_row_of_the_bench(sample, bench_row):
    """Of the true video it is given the sound alone."""
    assert bench_row("tempotokens", 16)["prompt"] == ""


def test_what_it_has_no_use_for_is_refused(sample, inputs):
    ran = sample("-i", inputs / "ball.png")
    assert ran.code == 2 and "`--image` must be left out with the method tempotokens" in ran.complaint
    ran = sample("--prompt", "a ball")
    assert ran.code == 2 and "`--prompt` must be left out with the method tempotokens" in ran.complaint


def test_files_are_told_apart(asva, released, tmp_path):
    ran = asva("models", "convert", released / MAPPER, "model")
    assert ran.code == 1 and "is TempoTokens' mapper: pass its folder" in ran.complaint
    (tmp_path / MAPPER).write_bytes((released / MAPPER).read_bytes())
    ran = asva("models", "convert", tmp_path, "model")
    assert ran.code == 1 and "TempoTokens needs BEATs" in ran.complaint
    ran = asva("models", "info", "tempotokens")
    assert ran.code == 0 and "to fetch by hand: Google Drive folder" in ran.out and "CC BY-NC 4.0" in ran.out


@pytest.mark.slow
def test_the_mapper_alone_is_trained(asva, released, tmp_path):
    base = tmp_path / "base"
    convert_model(released, base)
    words = ("train", "tempotokens", "--folder", "out", "--steps", 2, "--device", "cpu", "--set", f"base={base}")
    world = "data={{kind: synthetic, height: 32, width: 32, num_frames: {}, fps: 24, workers: 0}}"
    ran = asva(*words, "--set", world.format(24), "--set", "loop.learning_rate=0.001", "--set", "start=base", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["losses"].keys() >= {"loss", "error", "size"}
    before, after = (load_pipeline(folder, device="cpu") for folder in (base, "out"))
    for name in ("mapper", "unet", "text_encoder", "audio_encoder"):
        weights = (getattr(pipeline, name).state_dict() for pipeline in (before, after))
        same = [torch.equal(old, new) for old, new in zip(*(one.values() for one in weights), strict=True)]
        assert not any(same) if name == "mapper" else all(same), name
    ran = asva(*words, "--set", world.format(12))
    assert ran.code == 1 and "`data.num_frames` must be 24, as the mapper's, got 12" in ran.complaint


def test_its_training_is_known_where_its_module_is_imported_first():
    module = "asva_baselines.tempotokens.training"
    program = f"import {module}, asva_train.trainings as known; known.TRAININGS['tempotokens']"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0 and not ran.stderr, ran.stderr
