"""CoDi from its released layout, small and random, to a video at the command line."""

import json

import numpy as np
import pytest
import torch
from fixtures.released import randomised, vae, write_tokenizer
from transformers import ClapAudioConfig, ClapAudioModelWithProjection, CLIPConfig

from asva_baselines.codi.clip import CLIP_TABLE, CoDiCLIP
from asva_baselines.codi.contexts import CLAP_TABLE
from asva_baselines.codi.convert import unet_table
from asva_baselines.codi.method import DIFFUSER, ENCODERS
from asva_baselines.codi.unet import CoDiUNet
from asva_data import read_video
from asva_pipelines import convert_model, load_pipeline
from asva_unet import restore_component
from asva_weights import ConversionError

DIM = 24
TOWER = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1}


def encoders():
    """The file of encoders, with parts that are left."""
    words = {"vocab_size": 300, "max_position_embeddings": 9, "bos_token_id": 298, "eos_token_id": 299}
    seen = {"image_size": 16, "patch_size": 8}
    text, vision = ({**TOWER, "hidden_act": "quick_gelu", **more} for more in (words, seen))
    clip = randomised(CoDiCLIP(CLIPConfig(text_config=text, vision_config=vision, projection_dim=DIM)))
    config = {"patch_embeds_hidden_size": 16, "hidden_size": 128, "depths": [1, 1, 1, 1], "projection_dim": DIM}
    clap = ClapAudioModelWithProjection(ClapAudioConfig(**config, num_attention_heads=[1, 1, 1, 1]))
    clap = randomised(clap).state_dict()
    clap = CLAP_TABLE.to_original({key: value for key, value in clap.items() if not key.endswith("position_index")})
    parts = {
        "autokl.": restore_component("vae", vae()),
        "clip.model.": CLIP_TABLE.to_original(clip.state_dict()),
        "clap.": clap,
        "audioldm.": {"encoder.conv_in.weight": torch.ones(2)},
    }
    return {prefix + key: value for prefix, part in parts.items() for key, value in part.items()}


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("codi") / "CoDi"
    write_tokenizer(folder)
    torch.save(encoders(), folder / ENCODERS)
    sizes = {"block_out_channels": (64, 64), "layers_per_block": 1, "attention_levels": (True, False)}
    unet = randomised(CoDiUNet(**sizes, cross_attention_dim=DIM, connector_channels=(64, 64), connector_dim=16))
    for name, weight in unet.named_parameters():
        if "attn2.to_v" in name:
            weight.data *= 40  # so that the conditions count
    state = unet_table(unet).to_original(unet.state_dict())
    torch.save({f"model.diffusion_model.unet_image.{key}": value for key, value in state.items()}, folder / DIFFUSER)
    return folder


SMALL = {"height": 16, "width": 16, "num_inference_steps": 2, "output_type": "latent"}


@pytest.fixture(scope="module")
def pipeline(released, tmp_path_factory):
    home = tmp_path_factory.mktemp("converted") / "model"
    convert_model(released, home)
    return load_pipeline(home, device="cpu")


def test_from_released_files_to_a_video(asva, inputs, released):
    ran = asva("models", "convert", released, "converted")
    assert ran.code == 0, ran.err
    assert json.loads(open("converted/source.json", encoding="utf-8").read())["family"] == "codi"
    words = ("--model", "converted", "--size", "16x16", "--steps", 2)
    words += ("-a", inputs / "knocks.wav", "-p", "a nail")
    ran = asva("sample", *words, "--set", "video=nowhere.mp4")
    assert ran.code == 1 and "must be an existing file, got nowhere.mp4." in ran.complaint
    ran = asva("sample", *words, "-i", inputs / "ball.png")
    assert ran.code == 0, ran.err
    frames = read_video("out.mp4").frames
    assert len(frames) == 8 and frames.std() > 0
    ran = asva("sample", *words, "--set", "video=out.mp4", "--output", "like.mp4")
    assert ran.code == 0, ran.err
    assert (read_video("like.mp4").frames != frames).any()


def test_sound_picture_video_and_words_each_change_the_video(pipeline, knocks, write_ball, tmp_path):
    rustle = np.random.default_rng(0).normal(size=knocks.shape) * 0.1

    def made(image=None, sound=None, prompt="", **more):
        more |= {"generator": torch.Generator().manual_seed(0), "sample_rate": 16000}
        sound = None if sound is None else torch.from_numpy(sound).float()
        return pipeline(image, sound, prompt, **SMALL, **more).frames

    one, other = made(sound=knocks), made(sound=rustle)
    assert one.shape == (8, 4, 8, 8) and one.isfinite().all()
    assert (one - other).abs().max() > 1e-4
    assert torch.equal(one, made(sound=knocks))
    assert torch.equal(other, made(sound=rustle, audio_weight=7.0)), "alone, a weight is the whole"
    shade = torch.full((3, 16, 16), 0.5)
    seen = made(shade, knocks)
    assert (seen - one).abs().max() > 1e-4 and (made(sound=knocks, prompt="a nail") - one).abs().max() > 1e-4
    assert torch.equal(made(shade, knocks, image_weight=0.0), one)
    video = write_ball(tmp_path / "ball.mp4", 0.25, 0.5)
    assert (made(sound=knocks, video=video) - one).abs().max() > 1e-4
    assert torch.equal(made(sound=knocks, video=video, video_weight=0.0), one)
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 0)]
    both = pipeline(prompt=["", ""], video=video, generator=generators, **SMALL).frames
    torch.testing.assert_close(both[0], both[1])
    with pytest.raises(ValueError, match="must be given, with a weight above 0"):
        made()


def test_a_weight_that_is_missing_is_told(released, tmp_path):
    broken = tmp_path / "CoDi"
    broken.mkdir()
    for path in released.iterdir():
        (broken / path.name).symlink_to(path)
    state = torch.load(released / ENCODERS, weights_only=True)
    state.pop("clap.model.audio_projection.0.bias")
    (broken / ENCODERS).unlink()
    torch.save(state, broken / ENCODERS)
    with pytest.raises(ConversionError, match=r"clap must hold every weight .* model.audio_projection.0.bias"):
        convert_model(broken, tmp_path / "converted")


def test_networks_run_when_they_are_called_alone(pipeline, inputs, knocks, write_ball, tmp_path):
    """An offload brings a network to the GPU when it is called: nothing inside may run without that."""
    running, ran, hooks = set(), set(), []
    for name in ("clip", "clap", "unet"):
        whole = getattr(pipeline, name)
        hooks.append(whole.register_forward_pre_hook(lambda *_, name=name: running.add(name)))
        hooks.append(whole.register_forward_hook(lambda *_, name=name: running.remove(name)))
        for part in list(whole.modules())[1:]:
            hooks.append(part.register_forward_pre_hook(lambda *_, name=name: ran.add((name, name in running))))
    sound = torch.from_numpy(knocks).float()
    video = write_ball(tmp_path / "ball.mp4", 0.25, 0.5)
    pipeline(inputs / "ball.png", sound, "a nail", sample_rate=16000, video=video, **SMALL)
    for hook in hooks:
        hook.remove()
    assert ran == {("clip", True), ("clap", True), ("unet", True)}


@pytest.mark.slow
def test_to_a_row_of_the_bench(released, bench_row, tmp_path):
    convert_model(released, tmp_path / "model")
    assert bench_row("codi", 16)["inputs"]["image"]
