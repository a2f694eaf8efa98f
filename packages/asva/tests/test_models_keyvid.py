"""Released KeyVID files, small and random but in the original's layout: found, checked, converted once, sampled."""

import json
import os

import numpy as np
import pytest
import torch
from fixtures.released import WIDTH

from asva_audio import invert_imagebind_audio
from asva_audio.released import IMAGEBIND
from asva_data import read_video
from asva_keyframe import load_bundled_localizer
from asva_pipelines import cache_folder, convert_model, load_pipeline, resolve_model
from asva_pipelines.keyvid.method import INTERP_CKPT, KEYFRAME_CKPT
from asva_pipelines.loading import hub
from asva_pipelines.loading.families import find_family
from asva_weights import ModelError


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    """Caches of this test's own."""
    monkeypatch.setenv("ASVA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "cached_file", lambda file: None)


def test_a_folder_with_the_released_files_makes_a_video(asva, released, inputs, monkeypatch):
    words = (
        "sample", "--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--model", released, "--size",
        "32x32", "--steps", 2, "--interp-steps", 1, "--overwrite", "--prompt", "a hammer on a nail",
    )  # fmt: skip
    ran = asva(*words)
    assert ran.code == 0, ran.err
    assert "this is done once" in ran.err and "localizer was not released" in ran.err
    frames = read_video("out.mp4").frames
    assert frames.shape == (48, 32, 32, 3)
    record = json.loads(open("out.json", encoding="utf-8").read())
    assert record["model"]["localizer"].startswith("onsets")
    assert record["settings"]["alignment"] == "official" and record["settings"]["eta"] == 1.0

    monkeypatch.setattr("asva_pipelines.loading.convert.convert_files", lambda *a, **k: pytest.fail("converted twice"))
    again = asva(*words)
    assert again.code == 0 and "done once" not in again.err
    assert (read_video("out.mp4").frames == frames).all()
    assert len(list(cache_folder().iterdir())) == 1


def test_every_weight_arrives(made, released):
    folder = resolve_model(released)
    pipeline = load_pipeline(folder, device="cpu")
    pairs = {
        "keyframe_unet": "keyframe", "interp_unet": "interp", "image_projector": "image_projector",
        "interp_image_projector": "interp_projector", "vae": "vae", "text_encoder": "text_encoder",
        "image_encoder": "image_encoder", "audio_encoder": "audio_encoder",
    }  # fmt: skip
    for ours, theirs in pairs.items():
        torch.testing.assert_close(
            dict(getattr(pipeline, ours).state_dict()), dict(made[theirs].state_dict()), rtol=0, atol=0
        )
    assert pipeline.tokenizer.pad_token_id == 0 and pipeline.config.dynamic_rescale
    assert pipeline.config.num_frames == 48 and pipeline.scheduler.config.dynamic_rescale
    assert json.loads((folder / "source.json").read_text(encoding="utf-8"))["files"][KEYFRAME_CKPT]["licence"]


def test_files_in_the_hub_cache_are_found(released, monkeypatch):
    monkeypatch.setattr(hub, "cached_file", lambda file: released / file.path)
    assert resolve_model("keyvid").parent == cache_folder()


def test_imagebind_of_its_own_file(made, released, tmp_path):
    """A first checkpoint without ImageBind takes the tower of `imagebind_huge.pth`, positions resized."""
    from asva_audio import ImageBindAudioEncoder, invert_imagebind_audio

    folder = copy(released, tmp_path / "KeyVID")
    change(folder / KEYFRAME_CKPT, lambda state: [state.pop(k) for k in list(state) if "imagebind" in k])
    with pytest.raises(ModelError, match=f"put '{IMAGEBIND}'"):
        resolve_model(folder)
    huge = ImageBindAudioEncoder(hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=1, stride=(10, 10))
    torch.save(invert_imagebind_audio(huge.state_dict()), folder / IMAGEBIND)
    encoder = load_pipeline(resolve_model(folder), device="cpu").audio_encoder
    assert encoder.grid == (12, 48)
    torch.testing.assert_close(encoder.positions[:, 0], huge.positions[:, 0])


def copy(released, folder):
    """Links to the released files, to be replaced one by one."""
    for path in released.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(released)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    return folder


def change(path, edit):
    """Replace a linked checkpoint by an edited copy."""
    content = torch.load(path, weights_only=True)
    edit(content["state_dict"])
    path.unlink()
    torch.save(content, path)


UNET = "model.diffusion_model."
NORM = "input_blocks.1.0.in_layers.0.weight"
EDITS = {
    "lacks": (NORM, lambda s: s.pop(UNET + NORM)),
    "extra": ("surprise", lambda s: s.update({UNET + "surprise": torch.ones(1)})),
    "shape": ("post_quant_conv.bias", lambda s: s.update({"first_stage_model.post_quant_conv.bias": torch.ones(9)})),
    "schedule": ("noise schedule", lambda s: s.update({"alphas_cumprod": torch.ones(1000)})),
    "other": ("lacks", lambda s: s.pop(UNET + "input_blocks.0.0.weight")),
}  # fmt: skip


@pytest.mark.parametrize("case", EDITS)
def test_a_wrong_checkpoint_is_named(asva, released, inputs, tmp_path, case):
    words, edit = EDITS[case]
    folder = copy(released, tmp_path / "KeyVID")
    change(folder / KEYFRAME_CKPT, edit)
    refused(asva, inputs, folder, words)


def test_a_checkpoint_that_would_run_code(asva, released, inputs, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'pwned'}",)

    folder = copy(released, tmp_path / "KeyVID")
    (folder / INTERP_CKPT).unlink()
    torch.save({"state_dict": {"a": torch.ones(1)}, "x": Evil()}, folder / INTERP_CKPT)
    refused(asva, inputs, folder, "would run code")
    assert not (tmp_path / "pwned").exists()


def test_a_checkpoint_that_was_cut_short(asva, released, inputs, tmp_path):
    folder = copy(released, tmp_path / "KeyVID")
    whole = (folder / INTERP_CKPT).read_bytes()
    (folder / INTERP_CKPT).unlink()
    (folder / INTERP_CKPT).write_bytes(whole[: len(whole) // 2])
    refused(asva, inputs, folder, "damaged")


def refused(asva, inputs, folder, words):
    """One line that names file and fault; no video, and nothing half-converted in the cache."""
    ran = asva("sample", "--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--model", folder)
    assert ran.code == 1
    assert words in ran.complaint and str(folder) in ran.complaint, ran.err
    assert "Traceback" not in ran.err and "Unexpected" not in ran.err
    assert not cache_folder().exists() or list(cache_folder().iterdir()) == []
    assert not os.path.exists("out.mp4")


@pytest.mark.parametrize("accident", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_accident_during_conversion_leaves_nothing(asva, released, inputs, monkeypatch, accident):
    def fail(*args, **kwargs):
        raise accident

    monkeypatch.setattr("asva_pipelines.loading.convert._write_source", fail)
    ran = asva("sample", "--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--model", released)
    assert ran.code == (130 if accident is KeyboardInterrupt else 1)
    assert list(cache_folder().iterdir()) == []


def test_a_disk_too_small_is_said_before(released, monkeypatch):
    from shutil import disk_usage

    small = disk_usage("/")._replace(free=10)
    monkeypatch.setattr("asva_weights.storage.shutil.disk_usage", lambda path: small)
    with pytest.raises(ModelError, match="set ASVA_CACHE"):
        resolve_model(released)


def test_the_localizer_is_the_bundled_one_and_no_copy(released):
    folder = resolve_model(released)
    assert not (folder / "localizer").exists()
    pipeline, bundled = load_pipeline(folder, device="cpu"), load_bundled_localizer().state_dict()
    assert all(torch.equal(value, bundled[name]) for name, value in pipeline.localizer.state_dict().items())


def test_parts_that_differ_are_said_and_the_second_file_may_hold_the_sound(made, released, tmp_path):
    """Frozen parts that differ in the second file, and a first file without ImageBind."""
    folder = copy(released, tmp_path / "theirs")
    name = "first_stage_model.post_quant_conv.bias"
    change(folder / INTERP_CKPT, lambda state: state.update({name: torch.ones(4)}))
    change(folder / KEYFRAME_CKPT, lambda state: [state.pop(k) for k in list(state) if "imagebind" in k])
    torch.save(invert_imagebind_audio(made["audio_encoder"].state_dict()), folder / IMAGEBIND)
    said = []
    convert_model(folder, tmp_path / "ours", on_progress=said.append)
    assert any("different weights of the vae" in line for line in said)
    pipeline = load_pipeline(tmp_path / "ours", device="cpu")
    assert torch.equal(pipeline.vae.post_quant_conv.bias, made["vae"].post_quant_conv.bias)
    files = json.loads((tmp_path / "ours" / "source.json").read_text(encoding="utf-8"))["files"]
    assert files[IMAGEBIND]["licence"] == "CC BY-NC-SA 4.0 (no commercial use)"
    assert files["vocab.json"]["licence"] == "MIT (OpenCLIP)" and "Apache-2.0" in files[INTERP_CKPT]["licence"]


def test_one_stage_alone_is_no_source(released):
    with pytest.raises(ModelError, match="one of KeyVID's two stages: pass the folder"):
        find_family(released / INTERP_CKPT)


def test_convert_command(asva, released, tmp_path):
    ran = asva("models", "convert", released, "converted")
    assert ran.code == 0 and "asva sample --model converted" in ran.out
    assert (tmp_path / "converted" / "model_index.json").is_file()
    assert asva("models", "info", "converted").code == 0
    ran = asva("models", "convert", released, "converted")
    assert ran.code == 2 and "'converted' exists" in ran.complaint
    ran = asva("models", "convert", tmp_path, "other")
    assert ran.code == 1 and "holds no model" in ran.complaint


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("task", ["keyframe", "interp"])
def test_training_goes_on_from_the_released_weights(asva, released, tmp_path, monkeypatch, task):
    """As documented, ``--set base=keyvid``: fetched when agreed to, and each stage has the projector of its own."""
    from asva_data import write_world
    from asva_train.trained import trained_sources

    fetched = set()
    monkeypatch.setattr(hub, "cached_file", lambda file: released / file.path if file.path in fetched else None)
    monkeypatch.setattr(
        "huggingface_hub.hf_hub_download", lambda repo, path, revision: fetched.add(path) or released / path
    )
    (clip,) = write_world(tmp_path / "clips", 1, 0, size=32)
    np.save(clip.with_suffix(".npy"), np.linspace(0, 1, 47))
    small = ("data.height=16", "data.width=16", "data.workers=0", "loop.batch_size=1",
             "loop.gradient_accumulation_steps=1", "loop.mixed_precision=no", "base=keyvid")  # fmt: skip
    words = ("train", task, "--recipe", f"keyvid-{task}", "--folder", tmp_path / "runs", "--data", tmp_path / "clips",
             "--steps", 1, "--device", "cpu", *(word for field in small for word in ("--set", field)))  # fmt: skip
    refused = asva(*words)
    assert refused.code == 1 and "not agreed to" in refused.complaint and "`--yes`" in refused.complaint
    ran = asva(*words, "--yes")
    assert ran.code == 0, ran.err
    assert INTERP_CKPT in fetched
    projector = "image_projector" if task == "keyframe" else "interp_image_projector"
    base = resolve_model("keyvid")
    start, learned = (
        torch.cat([p.float().flatten() for p in _weights(place / projector)]) for place in (base, tmp_path / "runs")
    )
    assert 0 < (start - learned).abs().max() < 1e-3
    assert trained_sources(tmp_path / "runs", "keyvid") == (["keyvid"], {})


def _weights(folder):
    from safetensors.torch import load_file

    return [value for path in sorted(folder.glob("*.safetensors")) for _, value in sorted(load_file(path).items())]


def test_half_precision_is_stored_on_request(asva, made, released, tmp_path):
    ran = asva("models", "convert", released, tmp_path / "half", "--dtype", "bfloat16")
    assert ran.code == 0, ran.err
    assert json.loads((tmp_path / "half" / "source.json").read_text(encoding="utf-8"))["stored"] == "bfloat16"
    sizes = [
        sum(file.stat().st_size for file in (home / "keyframe_unet").glob("*.safetensors"))
        for home in (resolve_model(released), tmp_path / "half")
    ]
    assert 1.9 < sizes[0] / sizes[1] < 2.1
    pipeline = load_pipeline(tmp_path / "half", device="cpu", dtype="bfloat16")
    for name, weight in made["keyframe"].state_dict().items():
        assert torch.equal(pipeline.keyframe_unet.state_dict()[name], weight.bfloat16())
