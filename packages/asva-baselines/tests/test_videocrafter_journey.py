"""VideoCrafter from its released layout, small and random, to a video at the command line."""

import json

import pytest
import torch
from fixtures.released import dynamicrafter_state, write_tokenizer

from asva_data import read_video
from asva_pipelines import convert_model, load_pipeline

COMMON = {"in_channels": 4, "zero_terminal_snr": False, "num_frames": 1}
WORDS = {"image": False, "image_cross_attention": False}
OLD = WORDS | {"temporal_conv": False, "temporal_reach": 16}
MODELS = {
    "Image2Video-512": {},
    "Text2Video-512": OLD | {"frame_rate_embedding": False, "scale": None},
    "Text2Video-1024": OLD | {"scale": 0.3},
    "VideoCrafter2": WORDS,
}
SMALL = {"height": 32, "width": 32, "num_inference_steps": 2, "output_type": "latent"}


@pytest.fixture
def released(tmp_path):
    """A folder as the hub has it."""

    def write(name):
        folder = tmp_path / name
        write_tokenizer(folder)
        torch.save({"state_dict": dynamicrafter_state(**COMMON, **MODELS[name])}, folder / "model.ckpt")
        return folder

    return write


def test_from_released_files_to_a_video(asva, inputs, released):
    ran = asva("models", "convert", released("Image2Video-512"), "converted")
    assert ran.code == 0 and "taken for Image2Video-512" in ran.err, ran.err
    picture, sound = inputs / "ball.png", inputs / "knocks.wav"
    ran = asva("sample", "--model", "converted", "-i", picture, "-a", sound, "--size", "32x32", "--steps", 2)
    assert ran.code == 0, ran.err
    assert read_video("out.mp4").frames.shape == (16, 32, 32, 3)
    assert json.loads(open("out.json", encoding="utf-8").read())["method"] == "videocrafter"


@pytest.mark.parametrize("name", MODELS)
def test_what_each_model_sees_and_that_none_hears(released, tmp_path, knocks, name):
    family = convert_model(released(name), tmp_path / "converted")
    source = json.loads((tmp_path / "converted" / "source.json").read_text(encoding="utf-8"))
    assert (family.name, source["model"]) == ("videocrafter", name)
    pipeline = load_pipeline(tmp_path / "converted", device="cpu")
    scale = MODELS[name].get("scale", 0.7)
    config = pipeline.scheduler.config
    assert config.dynamic_rescale == (scale is not None)
    assert scale is None or config.base_scale == pytest.approx(scale)

    def made(shade=0.0, sound=1.0, prompt="a nail", **more):
        generator = torch.Generator().manual_seed(0)
        waveform = sound * torch.from_numpy(knocks).float()
        picture = torch.full((3, 32, 32), shade)
        return pipeline(picture, waveform, prompt, sample_rate=16000, generator=generator, **SMALL, **more).frames

    plain = made()
    assert torch.equal(plain, made(sound=-0.3))
    assert (plain - made(prompt="hammer")).abs().max() > 1e-3
    assert torch.equal(plain, made(shade=1.0)) == (name != "Image2Video-512")
    assert torch.equal(plain, made(told_fps=20)) == (name == "Text2Video-512")
    if name == "Image2Video-512":
        with pytest.raises(ValueError, match="`image` must be given to this model"):
            pipeline(prompt="a nail", **SMALL)


@pytest.mark.slow
def test_to_a_row_of_the_bench(released, bench_row, tmp_path):
    convert_model(released("Image2Video-512"), tmp_path / "model")
    assert bench_row("videocrafter", 32)["inputs"]["image"]
