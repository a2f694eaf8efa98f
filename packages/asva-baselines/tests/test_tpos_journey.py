"""TPoS from files as they are released to videos, by the command line."""

import numpy as np
import pytest
import torch
from fixtures.inputs import write_wav
from fixtures.released import WIDTH, lively, text_encoder, vae, write_tokenizer
from fixtures.small_models import FLAT_UNET

from asva_baselines.tpos.contexts import between_moments
from asva_baselines.tpos.encoder import MAPPER_TABLE, TABLE, TPoSAudioEncoder, TPoSMapper
from asva_baselines.tpos.method import EARS, MAPPER, STABLE_DIFFUSION
from asva_baselines.tpos.spectrogram import even_segments, spectrogram
from asva_data import read_video
from asva_pipelines import convert_model, load_pipeline

LENGTH = 16  # words of a prompt


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The folder that `asva models info tpos` asks for; the ears as they were saved from several devices."""
    from diffusers import PNDMScheduler, UNet2DConditionModel

    home = tmp_path_factory.mktemp("TPoS")
    encoder, mapper = TPoSAudioEncoder(WIDTH, (8, 8, 16, 16)), TPoSMapper(WIDTH, LENGTH - 1)
    rest = {"T_A.weight": torch.zeros(2, 2), "conv2.bias": torch.zeros(77)}
    for name, network, table, more in ((EARS, encoder, TABLE, rest), (MAPPER, mapper, MAPPER_TABLE, {})):
        state = table.to_original(lively(network).state_dict()) | more
        torch.save({f"module.{key}": value for key, value in state.items()}, home / name)
    base = home / STABLE_DIFFUSION
    unet = lively(UNet2DConditionModel(**FLAT_UNET | {"cross_attention_dim": WIDTH}))
    for part, network in (("unet", unet), ("vae", vae()), ("text_encoder", text_encoder(LENGTH))):
        network.save_pretrained(base / part)
    write_tokenizer(base / "tokenizer")
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    PNDMScheduler(**schedule, skip_prk_steps=True).save_pretrained(base / "scheduler")
    return home


@pytest.fixture(scope="module")
def model(released, tmp_path_factory):
    """The same, converted."""
    folder = tmp_path_factory.mktemp("converted") / "tpos"
    convert_model(released, folder)
    return folder


def test_from_released_files_to_a_video_that_hears(asva, released, inputs, tmp_path):
    ran = asva("models", "convert", released, "model")
    assert ran.code == 0, ran.err
    hiss = write_wav(tmp_path / "hiss.wav", 0.3 * np.random.default_rng(0).standard_normal(32000))
    for name, sound in (("knocks", inputs / "knocks.wav"), ("hiss", hiss)):
        words = ("--prompt", "a nail", "--steps", 4, "--size", "16x16", "--output", f"{name}.mp4")
        ran = asva("sample", "--model", "model", "-a", sound, *words, "--set", "audio_gain=100", "--set", "threshold=0")
        assert ran.code == 0, ran.err
    made = read_video("knocks.mp4")
    assert made.frames.shape == (12, 16, 16, 3) and made.fps == 6
    assert (made.frames != made.frames[:1]).any(), "moments sound different"
    assert (read_video("hiss.mp4").frames != made.frames).any()


def test_what_it_can_be_told(model, inputs):
    pipeline = load_pipeline(model, device="cpu")
    settings = {"height": 16, "width": 16, "num_inference_steps": 3, "output_type": "latent", "fps": 2}

    def latents(**more):
        given = {"audio": inputs / "knocks.wav", "prompt": "a nail", "generator": torch.Generator().manual_seed(0)}
        return pipeline(**given | settings | more).frames

    heard = latents()
    assert torch.equal(latents(), heard) and len(heard) == 4
    torch.testing.assert_close(latents(batched_guidance=True), heard, atol=1e-3, rtol=1e-3)
    deaf = latents(no_audio=True)
    torch.testing.assert_close(deaf, deaf[:1].expand_as(deaf), atol=1e-3, rtol=1e-3)
    changes = ({"segments": "even"}, {"concept": "a hammer"}, {"threshold": 0.0}, {"edit_below": 300})
    picture = {"image": inputs / "ball.png"}
    for more in (*changes, {"audio_gain": 50.0}, picture):
        assert not torch.equal(latents(**more), heard), more
    assert not torch.equal(latents(**picture), latents(**picture, no_audio=True))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"sampler": "ddim"}, "`sampler` must be own"),
        ({"segments": "odd"}, "`segments` must be official or even, got odd"),
        ({"threshold": 2.0}, "`threshold` must be between 0 and 1, got 2"),
        ({"strength": 1.0}, "`strength` must lie between 0 and 1, got 1"),
        ({"num_inference_steps": 501}, "`num_inference_steps` must be at most 500, got 501"),
        ({"latents": torch.zeros(1, 2, 4, 256, 256)}, "`latents` must have shape"),
    ],
)
def test_what_cannot_be_is_refused(model, inputs, setting, said):
    with pytest.raises(ValueError, match=said):
        load_pipeline(model, device="cpu")(audio=inputs / "knocks.wav", **setting)


def test_even_segments_hear_a_fifth_each():
    waveform = torch.zeros(2 * 44100)
    waveform[int(0.9 * 44100) : int(1.1 * 44100)] = torch.sin(torch.arange(8820) / 5)
    pieces = even_segments(spectrogram(waveform))
    assert pieces.shape == (5, 128, 153) and pieces.mean((1, 2)).argmax() == 2
    assert pieces[[0, 4]].std() < 1e-5 and pieces[2].std() > 0.05


def test_between_moments_lie_arcs():
    contexts = torch.eye(6).view(1, 3, 2, 6)
    found = between_moments(contexts, 5)
    torch.testing.assert_close(found[:, ::2], contexts)
    torch.testing.assert_close(found[0, 1], (contexts[0, 0] + contexts[0, 1]) / np.sqrt(2), check_dtype=False)
    torch.testing.assert_close(between_moments(contexts[:, :1].repeat(1, 2, 1, 1), 3)[:, 1], contexts[:, 0])


@pytest.mark.slow
def test_to_a_row_of_the_bench(released, bench_row, tmp_path):
    convert_model(released, tmp_path / "model")
    assert bench_row("tpos", 16)["inputs"]["image"]
