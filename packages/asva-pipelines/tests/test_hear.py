"""Diffusers' own image-to-video pipelines, unchanged, that hear by a control; small, with random weights."""

import sys

import diffusers
import numpy as np
import pytest
import torch
from peft import LoraConfig
from PIL import Image

from asva_audio import LogMelFrames
from asva_dit.backbones import BACKBONES
from asva_dit.controls import make_control
from asva_dit.hear import hear
from asva_dit.with_control import control_arguments, with_control
from asva_pipelines.hear.features import features_of
from asva_pipelines.hear.pipeline import LORA_FILE, HearPipeline
from asva_weights import ModelError


@pytest.fixture
def stock(request, make_stock):
    """A pipeline of diffusers by the name of its backbone."""
    return make_stock(request.param)


def folder_of(transformer, folder, kind="AudioWindows", **changes):
    """A control with random weights and its ear."""
    sources = {"mel": 8} if kind == "AudioWindows" else {"speech": 8, "effects": 8, "music": 8}
    arguments = {"audio_dim": 16, "num_heads": 2, "head_dim": 4, "sources": sources, **changes}
    control = make_control(kind, control_arguments(transformer) | arguments, torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in control.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    control.save_pretrained(folder)
    LogMelFrames(fps=8, num_hidden_layers=2, hidden_size=8).save_pretrained(folder / "ears" / "mel")
    return control


def sound(seconds=2.0, seed=3):
    wave = np.random.default_rng(seed).standard_normal(round(16000 * seconds)).astype(np.float32) * 0.01
    wave[:: 4000 + 100 * seed] = 0.9
    return wave


PICTURE = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)


def call(pipeline, control, **arguments):
    given = {"image": PICTURE, "audio": sound(), "sample_rate": 16000, "prompt": "drum", "height": 16, "width": 16}
    given |= {"num_inference_steps": 2, "control": control and str(control), "text_guidance_scale": 2.0}
    return pipeline(**given | {"generator": torch.Generator().manual_seed(4)} | arguments).frames.astype(float)


def hearing(stock, num_frames):
    """The method's pipeline for short clips at 8 frames per second."""
    return HearPipeline.of(stock, num_frames=num_frames, fps=8)


every_stock = pytest.mark.parametrize(
    ("stock", "side"),
    [("cogvideox", 16), ("wan", 16), ("ltx2", 64)],
    indirect=["stock"],
    ids=["cogvideox", "wan", "ltx2"],
)


@every_stock
def test_the_sound_given_makes_the_video(stock, side, tmp_path):
    pipeline = hearing(stock, 7)  # whole latent frames have 5 or 9
    folder_of(stock.transformer, tmp_path)
    size = {"height": side, "width": side}
    off, on = call(pipeline, None, **size), call(pipeline, tmp_path, **size)
    assert on.shape == (7, side, side, 3)
    assert np.array_equal(on, call(pipeline, tmp_path, **size))
    assert np.array_equal(off, call(pipeline, tmp_path, no_audio=True, **size))
    others = [
        off,
        call(pipeline, tmp_path, audio=sound(seed=5), **size),
        call(pipeline, tmp_path, audio_guidance_scale=4.0, **size),
        call(pipeline, tmp_path, audio_guidance_scale=4.0, against="shifted", **size),
    ]
    assert all(np.abs(other - on).max() > 0 for other in others)


@pytest.mark.parametrize("stock", ["wan"], indirect=True)
def test_tracks_are_taken_from_a_mix(stock, tmp_path):
    pipeline = hearing(stock, 5)
    folder_of(stock.transformer, tmp_path, "MultiStream", interaction_layers=1, interaction_heads=2, num_tokens=2)
    on, other = (call(pipeline, tmp_path, audio=sound(seed=seed)) for seed in (3, 5))
    assert np.abs(on - other).max() > 0


@torch.no_grad()
@pytest.mark.parametrize("stock", ["ltx2"], indirect=True)
def test_ltx2_hears_beside_its_own_sound(stock, tmp_path):
    control = folder_of(stock.transformer, tmp_path)
    with_control(stock.transformer, control)
    ear = {"mel": LogMelFrames(fps=8, num_hidden_layers=2, hidden_size=8)}
    text = torch.randn(1, 8, 48, generator=torch.Generator().manual_seed(6))

    def make():
        return stock(
            image=Image.fromarray(PICTURE),
            **{"height": 64, "width": 64, "num_frames": 17, "frame_rate": 8.0, "num_inference_steps": 2},
            **{"prompt_embeds": text, "negative_prompt_embeds": -text, "output_type": "latent"},
            **{"prompt_attention_mask": torch.ones(1, 8), "negative_prompt_attention_mask": torch.ones(1, 8)},
            **{"stg_scale": 0.0, "audio_stg_scale": 0.0, "generator": torch.Generator().manual_seed(4)},
        ).frames

    made, off = [], make()
    for seed in (3, 5, 3):
        heard = features_of(ear, {"mel": 8}, torch.as_tensor(sound(seed=seed))[None], 17 / 8)
        with hear(stock, heard, fps=8.0):
            made.append(make())
    assert torch.equal(made[0], made[2])
    assert torch.equal(off, make())
    assert (made[0] - off).abs().max() > 1e-3
    assert (made[0] - made[1]).abs().max() > 1e-4


@every_stock
def test_lora_beside_the_control(stock, side, tmp_path):
    """That of the control's folder, which goes with it, and one that a user has loaded."""
    plain, tuned = tmp_path / "plain", tmp_path / "tuned"
    for folder in (plain, tuned):
        folder_of(stock.transformer, folder)
    stock.transformer.add_adapter(LoraConfig(r=2, target_modules=["to_v", "to_out.0"]), adapter_name="own")
    with torch.no_grad():
        for name, parameter in stock.transformer.named_parameters():
            if "lora_B" in name:
                parameter += 2
    stock.transformer.save_lora_adapter(tuned / "lora", adapter_name="own")
    stock.transformer.delete_adapters("own")
    pipeline, size = hearing(stock, 5), {"height": side, "width": side}
    one, other = call(pipeline, plain, **size), call(pipeline, tuned, **size)
    assert np.abs(one - other).max() > 0
    assert np.array_equal(one, call(pipeline, plain, **size))
    stock.transformer.load_lora_adapter(tuned / "lora", prefix=None, adapter_name="users", weight_name=LORA_FILE)
    assert np.array_equal(other, call(pipeline, plain, **size))


@pytest.mark.parametrize("stock", ["wan"], indirect=True)
def test_frames_and_rate_are_those_that_the_control_has_learned_at(stock, tmp_path):
    pipeline = hearing(stock, 5)
    folder_of(stock.transformer, tmp_path, fps=12.0, num_frames=9)
    assert call(pipeline, tmp_path).shape == (9, 16, 16, 3)
    assert pipeline.config.fps == 12
    assert call(pipeline, None).shape == (5, 16, 16, 3)


@pytest.mark.parametrize("stock", ["wan"], indirect=True)
def test_both_experts_hear(stock, tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(7)
        second = diffusers.WanTransformer3DModel(**dict(stock.transformer.config)).eval()
    stock.register_modules(transformer_2=second)
    stock.register_to_config(boundary_ratio=0.9)
    folder_of(stock.transformer, tmp_path)
    pipeline = hearing(stock, 5)
    both = call(pipeline, tmp_path)
    folder_of(second, tmp_path / "transformer_2", audio_dim=8)
    again = hearing(stock, 5)
    assert np.abs(call(again, tmp_path) - both).max() > 0


@pytest.mark.parametrize("stock", ["wan"], indirect=True)
def test_what_does_not_fit_is_said_in_a_line(stock, tmp_path, monkeypatch):
    pipeline = hearing(stock, 5)
    folder_of(
        diffusers.WanTransformer3DModel(num_attention_heads=1, num_layers=1, ffn_dim=32, text_dim=16), tmp_path / "size"
    )
    with pytest.raises(ValueError, match=r"`control` must be made for .*num_blocks"):
        call(pipeline, tmp_path / "size")
    wide = diffusers.WanTransformer3DModel(num_attention_heads=1, num_layers=2, ffn_dim=32, text_dim=16)
    wide.add_adapter(LoraConfig(r=2, target_modules=["to_q"]))
    folder_of(stock.transformer, tmp_path / "lora")
    wide.save_lora_adapter(tmp_path / "lora" / "lora", weight_name=LORA_FILE)
    with pytest.raises(ValueError, match="`control` must hold a LoRA of the base's shapes"):
        call(pipeline, tmp_path / "lora")
    folder_of(stock.transformer, tmp_path / "against")
    with pytest.raises(ValueError, match="`against` must be one of off, shifted, got none"):
        call(pipeline, tmp_path / "against", against="none")
    with pytest.raises(ValueError, match="`control` must be the folder of a control"):
        call(pipeline, tmp_path / "nothing")
    folder_of(stock.transformer, tmp_path / "deaf")
    (tmp_path / "deaf" / "ears" / "mel" / "config.json").rename(tmp_path / "gone")
    with pytest.raises(ModelError, match="`mel` must be in"):
        call(pipeline, tmp_path / "deaf")
    assert call(pipeline, None).shape == (5, 16, 16, 3)  # nothing is left of what failed
    monkeypatch.delattr(sys.modules[type(stock).__module__], "ftfy")
    with pytest.raises(ModelError, match="`ftfy` must be installed"):
        HearPipeline.of(stock)


def test_features_have_the_seconds_of_their_encoders():
    """A click is heard at its time by every encoder, also beyond the two seconds that ImageBind hears at once."""
    from asva_audio import BEATsEncoder, ImageBindAudioEncoder

    with torch.random.fork_rng():
        torch.manual_seed(0)
        ears = {
            "mel": LogMelFrames(fps=8, num_hidden_layers=2, hidden_size=8),
            "imagebind": ImageBindAudioEncoder(hidden_size=16, num_attention_heads=2, num_hidden_layers=2).eval(),
            "beats": BEATsEncoder(hidden_size=16, num_attention_heads=2, num_hidden_layers=2).eval(),
        }
    wave = torch.zeros(1, 48000)
    sources = {"mel": 8, "imagebind.0": 16, "beats.0": 16}
    quiet = features_of(ears, sources, wave, 3.0)
    wave[:, 40000:40400] = 0.9  # at 2.5 s
    loud = features_of(ears, sources, wave, 3.0)
    for name in sources:
        assert loud[name].tokens.shape[:2] == (1, len(loud[name].times))
        assert 2.5 < float(loud[name].times.max()) <= 3.0
        changed = (loud[name].tokens - quiet[name].tokens).abs().sum(2)[0]
        assert abs(float(loud[name].times[changed.argmax()]) - 2.5) < 0.3


def test_whole_latent_frames_hold_every_length():
    for backbone in BACKBONES.values():
        for count in range(1, 60):
            whole = backbone.whole_frames(count)
            assert count <= whole < count + backbone.frames_per_latent
            assert (whole - 1) % backbone.frames_per_latent == 0


def _sequential(pipeline):
    """Weights lie on the meta device but while a layer works, as diffusers does it layer by layer."""
    from accelerate import cpu_offload

    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            cpu_offload(part, torch.device("cpu"), offload_buffers=len(part._parameters) > 0)


OFFLOADS = {
    "model": lambda pipeline: pipeline.enable_model_cpu_offload(device=torch.device("cpu")),
    "sequential": _sequential,
    "group": lambda pipeline: pipeline.enable_group_offload(
        torch.device("cpu"), torch.device("cpu"), offload_type="leaf_level"
    ),
}


@every_stock
def test_offloaded_bases_make_the_same(stock, side, make_stock, tmp_path, request):
    folder_of(stock.transformer, tmp_path)
    size = {"height": side, "width": side}
    on = call(hearing(stock, 5), tmp_path, **size)
    for name, offload in OFFLOADS.items():
        pipeline = hearing(make_stock(request.node.callspec.params["stock"]), 5)
        offload(pipeline)
        assert np.array_equal(call(pipeline, tmp_path, **size), on), name
