"""MM-Diffusion from its released layout, small and random, to videos of a sound, and to both at once."""

import json

import numpy as np
import pytest
import torch
from fixtures.released import randomised

from asva_baselines.mmdiffusion.convert import unet_table
from asva_baselines.mmdiffusion.layers import WindowedCrossAttention
from asva_baselines.mmdiffusion.super_resolution import SuperResolutionUNet, upsampler_table
from asva_baselines.mmdiffusion.unet import MultimodalUNet
from asva_data import read_video
from asva_pipelines import convert_model, load_pipeline
from asva_weights import ModelError


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A folder with the file under its released name, and one with that of super resolution beside it."""
    folder = tmp_path_factory.mktemp("mmd")
    (folder / "both").mkdir()
    levels = {"video_attention_levels": (False, True, True), "audio_attention_levels": (False, False, False)}
    sizes = {"block_out_channels": (32, 64, 64), "layers_per_block": 1, "cross_attention_windows": (0, 1, 4)}
    unet = randomised(MultimodalUNet(**sizes, **levels))
    for layer in unet.modules():
        if isinstance(layer, WindowedCrossAttention):
            layer.video_out.weight.data *= 20  # so that what is heard counts
    large = randomised(SuperResolutionUNet((32, 64), 1, (False, True)))
    torch.save(unet_table(unet).to_original(unet.state_dict()), folder / "Landscape.pt")
    (folder / "both" / "Landscape.pt").symlink_to(folder / "Landscape.pt")
    torch.save(upsampler_table(large).to_original(large.state_dict()), folder / "both" / "Landscape_SR.pt")
    return folder


@pytest.fixture(scope="module")
def pipeline(released, tmp_path_factory):
    home = tmp_path_factory.mktemp("converted") / "model"
    convert_model(released / "Landscape.pt", home)
    return load_pipeline(home, device="cpu")


QUICK = (
    "dpm-solver",
    "dpm-solver-multistep",
    "ddpm",
    "ddim",
)  # the other takes hundreds of steps where weights are random
SMALL = {"height": 16, "width": 16, "num_inference_steps": 2}


def made(pipeline, sound=None, **more):
    generator = torch.Generator().manual_seed(0)
    arguments = SMALL | {"generator": generator, "output_type": "pt"} | more
    given = (
        {} if sound is None else {"audio": torch.from_numpy(np.ascontiguousarray(sound)).float(), "sample_rate": 16000}
    )
    return pipeline(**given, **arguments)


def test_from_released_files_to_a_video(asva, inputs, released):
    ran = asva("models", "convert", released / "both", "converted")
    assert ran.code == 0, ran.err
    source = json.loads(open("converted/source.json", encoding="utf-8").read())
    assert (source["family"], source["model"]) == ("mmdiffusion", "MM-Diffusion, Landscape")
    words = ("--model", "converted", "--size", "32x32", "--steps", 2, "--set", "upsampler_num_inference_steps=1")
    ran = asva("sample", *words, "-a", inputs / "knocks.wav")
    assert ran.code == 0, ran.err
    frames = read_video("out.mp4").frames
    assert frames.shape[1:] == (32, 32, 3) and frames.std() > 0


def test_another_sound_changes_the_video(pipeline, knocks):
    plain = made(pipeline, knocks).frames
    assert plain.shape == (16, 3, 16, 16)
    assert torch.equal(plain, made(pipeline, knocks).frames)
    for changed in (made(pipeline, knocks[::-1]), made(pipeline, knocks, audio_guidance_scale=0.0)):
        assert (plain - changed.frames).abs().max() > 1e-3
    replaced = [made(pipeline, sound, audio_guidance_scale=0.0).frames for sound in (knocks, knocks[::-1])]
    assert (replaced[0] - replaced[1]).abs().max() > 1e-3
    own = made(pipeline, knocks, redraw_shifts=False).frames
    assert not torch.equal(plain, own)


@pytest.mark.parametrize("sampler", [*QUICK, pytest.param("dpm-solver++", marks=pytest.mark.slow)])
def test_both_are_made_of_noise(pipeline, sampler):
    both = made(pipeline, joint_sampler=sampler, joint_num_inference_steps=3)
    assert both.made_waveform.shape == (1, 25600) and np.isfinite(both.made_waveform).all()
    assert both.frames.isfinite().all() and both.frames.std() > 0 and both.waveform is None


def test_what_cannot_be(pipeline, released, tmp_path, knocks):
    for words, match in (
        ({"joint_sampler": "magic"}, "`joint_sampler` must be one of"),
        ({"height": 18}, "`height` must be a positive multiple of 4"),
        ({"output_type": "latent"}, "the networks make pixels"),
        ({"image": torch.zeros(3, 16, 16)}, "`image` must be left out"),
    ):
        with pytest.raises(ValueError, match=match):
            made(pipeline, knocks, **words)
    from asva_pipelines.loading.families import find_family

    for name in ("Landscape.pt", "AIST++.pt"):
        (tmp_path / name).symlink_to(released / "Landscape.pt")
    with pytest.raises(ModelError, match="pass one of the files"):
        find_family(tmp_path)
    assert find_family(released / "Landscape.pt")[0].name == "mmdiffusion"


@pytest.mark.slow
def test_to_a_row_of_the_bench(released, bench_row, tmp_path):
    convert_model(released / "Landscape.pt", tmp_path / "model")
    assert bench_row("mmdiffusion", 16)["prompt"] == ""
