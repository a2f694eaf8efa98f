"""Released files of DynamiCrafter, AVSyncD, ImageBind and BEATs, small and random: told apart and converted."""

import json
import os
from pathlib import Path

import pytest
import torch
from fixtures.released import (
    beats_content,
    dynamicrafter_state,
    imagebind_state,
    text_encoder,
    vae,
    write_avsyncd,
    write_tokenizer,
    write_unet,
)
from safetensors.torch import load_file

from asva_pipelines import cache_folder, convert_model, load_pipeline, resolve_model
from asva_pipelines.loading import hub
from asva_pipelines.loading.families import find_family
from asva_weights import ModelError

CHECKPOINT, UNET_BIN = "model.ckpt", "modules/unet/diffusion_pytorch_model.bin"


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    """No test looks at, or writes to, the caches of the user."""
    monkeypatch.setenv("ASVA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "cached_file", lambda file: None)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A folder for each family, with files under their released names."""
    home = tmp_path_factory.mktemp("released")
    write_tokenizer(home / "dynamicrafter")
    torch.save({"state_dict": dynamicrafter_state(), "epoch": 3}, home / "dynamicrafter" / CHECKPOINT)
    write_avsyncd(home / "avsyncd")
    for name in ("imagebind", "beats"):
        (home / name).mkdir()
    torch.save(imagebind_state(), home / "imagebind" / "imagebind_huge.pth")
    torch.save(beats_content(), home / "beats" / "BEATs_iter3.pt")
    return home


FILES = {
    "dynamicrafter": CHECKPOINT,
    "avsyncd": UNET_BIN,
    "imagebind": "imagebind_huge.pth",
    "beats": "BEATs_iter3.pt",
}


@pytest.mark.parametrize("name", FILES)
def test_a_folder_is_told_apart(sources, name):
    family, files = find_family(sources / name)
    assert family.name == name and FILES[name] in files


@pytest.mark.parametrize("name", ["dynamicrafter", "imagebind", "beats"])
def test_a_file_of_another_name_is_told_apart(sources, tmp_path, name):
    write_tokenizer(tmp_path)
    other = tmp_path / f"other{Path(FILES[name]).suffix}"
    other.symlink_to(sources / name / FILES[name])
    assert find_family(other)[0].name == name


@pytest.mark.parametrize("name", FILES)
def test_a_folder_says_where_it_comes_from_and_converts_the_same_again(sources, tmp_path, name):
    said = []
    family = convert_model(sources / name, tmp_path / "ours", on_progress=said.append)
    assert family.licence in said[0]
    record = json.loads((tmp_path / "ours" / "source.json").read_text(encoding="utf-8"))
    assert record["family"] == name and record["files"][FILES[name]]["licence"]
    convert_model(sources / name, tmp_path / "again")
    weights = sorted((tmp_path / "ours").rglob("*.safetensors"))
    assert weights and not (tmp_path / "ours" / "original").exists()
    for path in weights:
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(tmp_path / "ours")).read_bytes()
    if name == "avsyncd":
        licences = {file: entry["licence"] for file, entry in record["files"].items()}
        assert licences["imagebind_huge.pth"].startswith("CC BY-NC-SA")
        assert licences["stable-diffusion-v1-5/tokenizer/vocab.json"] == "CreativeML OpenRAIL-M"


def test_half_precision_stays_half(sources, tmp_path):
    state = {name: x.half() for name, x in imagebind_state().items()}
    torch.save(state, tmp_path / "imagebind_huge.pth")
    convert_model(tmp_path / "imagebind_huge.pth", tmp_path / "ours")
    converted = load_file(tmp_path / "ours" / "diffusion_pytorch_model.safetensors")
    assert all(value.dtype == torch.float16 for value in converted.values())
    norm = state["modality_trunks.audio.blocks.0.norm_1.weight"]
    assert torch.equal(converted["blocks.0.norm1.weight"], norm)


def test_encoders_load_with_their_class(sources, tmp_path):
    from asva_audio import BEATsEncoder, ImageBindAudioEncoder

    convert_model(sources / "imagebind", tmp_path / "imagebind")
    encoder = ImageBindAudioEncoder.from_pretrained(tmp_path / "imagebind")
    name = "modality_preprocessors.audio.cls_token"
    assert encoder.grid == (12, 19) and torch.equal(encoder.class_embedding, imagebind_state()[name])
    convert_model(sources / "beats", tmp_path / "beats")
    encoder = BEATsEncoder.from_pretrained(tmp_path / "beats")
    assert torch.equal(encoder.norm.weight, beats_content()["model"]["encoder.layer_norm.weight"])


def sampled(pipeline):
    import numpy as np

    picture = np.zeros((32, 32, 3), np.uint8)
    generator = torch.Generator().manual_seed(0)
    sound = 0.1 * torch.randn(32000, generator=generator)
    size = {"height": 32, "width": 32, "num_inference_steps": 1}
    return pipeline(picture, sound, "a hammer", sample_rate=16000, generator=generator, **size)


def test_avsyncd_is_a_pipeline_as_released(sources):
    from asva_pipelines import AVSyncDPipeline
    from asva_unet import AVSyncDPNDMScheduler

    folder = resolve_model(sources / "avsyncd")
    pipeline = load_pipeline(folder, device="cpu")
    assert type(pipeline) is AVSyncDPipeline and type(pipeline.scheduler) is AVSyncDPNDMScheduler
    config = pipeline.config
    assert (config.num_frames, config.fps, config.height, config.width) == (12, 6, 256, 256)
    assert (config.num_inference_steps, config.audio_guidance_scale, config.text_guidance_scale) == (50, 4.0, 1.0)
    assert pipeline.scheduler.config.skip_prk_steps and pipeline.scheduler.config.steps_offset == 1
    original = torch.load(sources / "avsyncd" / UNET_BIN, weights_only=True)
    assert all(torch.equal(x, original[name]) for name, x in pipeline.unet.state_dict().items())
    for ours, theirs in ((pipeline.vae, vae()), (pipeline.text_encoder, text_encoder())):
        assert all(torch.equal(x, theirs.state_dict()[name]) for name, x in ours.state_dict().items())
    tower = imagebind_state()["modality_trunks.audio.blocks.0.norm_1.weight"]
    assert pipeline.audio_encoder.grid == (12, 19)
    assert torch.equal(pipeline.audio_encoder.blocks[0].norm1.weight, tower)
    assert sampled(pipeline).frames.shape == (12, 32, 32, 3)
    assert resolve_model(sources / "avsyncd") == folder and not (folder / "original").exists()
    assert len(list(cache_folder().iterdir())) == 1


def test_dynamicrafter_is_a_pipeline_without_sound(sources):
    from asva_pipelines import AudioWindowPipeline

    pipeline = load_pipeline(resolve_model(sources / "dynamicrafter"), device="cpu")
    assert type(pipeline) is AudioWindowPipeline and pipeline.taps is None and pipeline.imagebind is None
    config = pipeline.config
    assert (config.num_frames, config.fps, config.height, config.width) == (16, 24, 320, 512)
    assert (config.num_inference_steps, config.eta, config.guidance_rescale) == (50, 1.0, 0.7)
    assert config.text_guidance_scale == config.image_guidance_scale == 7.5 and config.dynamic_rescale
    assert pipeline.tokenizer.pad_token_id == 0
    assert sampled(pipeline).frames.shape == (16, 32, 32, 3)


def test_the_name_of_the_folder_tells_the_interpolator_and_the_flat_pictures(sources, tmp_path):
    said = []
    (tmp_path / "DynamiCrafter_512_Interp").symlink_to(sources / "dynamicrafter")
    convert_model(tmp_path / "DynamiCrafter_512_Interp", tmp_path / "a", on_progress=said.append)
    assert (
        json.loads((tmp_path / "a" / "source.json").read_text(encoding="utf-8"))["model"] == "DynamiCrafter_512_Interp"
    )
    assert json.loads((tmp_path / "a" / "model_index.json").read_text(encoding="utf-8"))["fps"] == 5
    assert any("DynamiCrafter_512_Interp, by the name" in line for line in said)
    (tmp_path / "thegreatesthits_audio-cond_cfg").symlink_to(sources / "avsyncd")
    convert_model(tmp_path / "thegreatesthits_audio-cond_cfg", tmp_path / "b")
    assert json.loads((tmp_path / "b" / "model_index.json").read_text(encoding="utf-8"))["height"] == 128


def test_i2vd_needs_no_ears(sources, tmp_path):
    write_unet(tmp_path / "i2vd" / "unet", audio=False)
    given = {"stable-diffusion-v1-5": sources / "avsyncd" / "stable-diffusion-v1-5"}
    convert_model(tmp_path / "i2vd", tmp_path / "ours", given=given)
    assert load_pipeline(tmp_path / "ours", device="cpu").audio_encoder is None
    assert json.loads((tmp_path / "ours" / "source.json").read_text(encoding="utf-8"))["model"] == "I2VD"


def test_the_checkpoint_below_its_training_folder(sources, tmp_path):
    home = tmp_path / "avsync15_audio-cond_cfg"
    (home / "ckpts").mkdir(parents=True)
    (home / "ckpts" / "checkpoint-37000").symlink_to(sources / "avsyncd")
    for name in ("imagebind_huge.pth", "stable-diffusion-v1-5"):
        (home / name).symlink_to(sources / "avsyncd" / name)
    assert find_family(home)[0].name == "avsyncd"
    (home / "ckpts" / "checkpoint-24000").symlink_to(sources / "avsyncd")
    with pytest.raises(ModelError, match=r"holds 2 checkpoints of AVSyncD \(checkpoint-24000, checkpoint-37000\)"):
        find_family(home)


def test_ears_of_the_checkpoint_or_none(tmp_path):
    write_avsyncd(tmp_path / "theirs", own_encoder=True)
    convert_model(tmp_path / "theirs", tmp_path / "huge")
    (tmp_path / "theirs" / "imagebind_huge.pth").unlink()
    said = []
    convert_model(tmp_path / "theirs", tmp_path / "own", on_progress=said.append)
    assert any("it was frozen in training" in line for line in said)
    weights = "audio_encoder/diffusion_pytorch_model.safetensors"
    assert (tmp_path / "huge" / weights).read_bytes() == (tmp_path / "own" / weights).read_bytes()
    for path in (tmp_path / "theirs" / "modules" / "audio_encoder").iterdir():
        path.unlink()
    with pytest.raises(ModelError, match=r"put 'imagebind_huge\.pth' .*no commercial use.*--imagebind"):
        convert_model(tmp_path / "theirs", tmp_path / "none")


def linked(source, folder):
    """Links to the released files, to be replaced one by one."""
    for path in source.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    return folder


def change(path, edit):
    """Replace a linked file by an edited copy."""
    content = torch.load(path, weights_only=True)
    edit(content.get("state_dict", content.get("model", content)))
    path.unlink()
    torch.save(content, path)


KEYS = {
    "dynamicrafter": ("model.diffusion_model.", "out.0.weight"),
    "avsyncd": ("", "conv_in.conv_temp.weight"),
    "imagebind": ("modality_trunks.audio.", "blocks.0.norm_1.weight"),
    "beats": ("encoder.", "layers.1.fc1.weight"),
}


@pytest.mark.parametrize("fault", ["missing", "extra", "shape"])
@pytest.mark.parametrize("name", FILES)
def test_a_wrong_key_is_named(sources, tmp_path, name, fault):
    prefix, key = KEYS[name]
    edits = {
        "missing": lambda state: state.pop(prefix + key),
        "extra": lambda state: state.update({prefix + "surprise": torch.ones(1)}),
        "shape": lambda state: state.update({prefix + key: torch.ones(5, 7)}),
    }
    folder = linked(sources / name, tmp_path / "theirs")
    change(folder / FILES[name], edits[fault])
    with pytest.raises(ModelError) as caught:
        convert_model(folder, tmp_path / "ours")
    text = str(caught.value)
    assert str(folder / FILES[name]) in text and "\n" not in text
    named = {"missing": key, "extra": "surprise", "shape": r"(5, 7)"}[fault]
    assert named in text, text
    assert {path.name for path in tmp_path.iterdir()} == {"theirs"}


@pytest.mark.parametrize("part", ["vae", "text_encoder"])
def test_a_wrong_key_of_stable_diffusion_is_named(sources, tmp_path, part):
    folder = linked(sources / "avsyncd", tmp_path / "theirs")
    path = next((folder / "stable-diffusion-v1-5" / part).glob("*.bin"))
    change(path, lambda state: state.update({"surprise": torch.ones(1)}))
    with pytest.raises(ModelError, match=f"'{path}' is not a whole {part} of stable-diffusion-v1-5: .*surprise"):
        convert_model(folder, tmp_path / "ours")


@pytest.mark.parametrize("name", FILES)
def test_code_in_a_file_never_runs(asva, sources, tmp_path, name):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'pwned'}",)

    folder = linked(sources / name, tmp_path / "theirs")
    content = torch.load(folder / FILES[name], weights_only=True)
    (folder / FILES[name]).unlink()
    torch.save(content | {"hook": Evil()}, folder / FILES[name])
    for source in (folder, folder / FILES[name]):
        ran = asva("models", "convert", source, "ours")
        assert ran.code == 1 and "would run code" in ran.complaint and str(folder / FILES[name]) in ran.complaint
    assert {path.name for path in tmp_path.iterdir()} == {"theirs"}


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", "cut"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file(sources, tmp_path, name, content):
    folder = linked(sources / name, tmp_path / "theirs")
    path = folder / FILES[name]
    content = path.read_bytes()[:3000] if content == "cut" else content
    path.unlink()
    path.write_bytes(content)
    for source in (folder, path):
        with pytest.raises(ModelError, match=r"damaged|not loaded"):
            convert_model(source, tmp_path / "ours")


def test_folders_that_cannot_be_converted(sources, tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        find_family(tmp_path / "nowhere")
    (tmp_path / "model_index.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match="model of this project's form already"):
        find_family(tmp_path)
    torch.save({"weight": torch.ones(2)}, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"'.*a\.pt' holds no model.*KeyVID: .*BEATs: "):
        find_family(tmp_path / "a.pt")
    with pytest.raises(ModelError, match="is AVSyncD's U-Net: pass its folder"):
        find_family(sources / "avsyncd" / UNET_BIN)


def test_a_folder_of_several_models(sources, tmp_path):
    for name in ("dynamicrafter", "avsyncd"):
        linked(sources / name, tmp_path / "both")
    with pytest.raises(ModelError, match="holds AVSyncD and DynamiCrafter 512: pass one of the files"):
        find_family(tmp_path / "both")
    torch.save({}, tmp_path / "BEATs_iter3.pt")
    torch.save({}, tmp_path / "BEATs_iter3_plus.pt")
    with pytest.raises(ModelError, match="holds 2 BEATs files"):
        find_family(tmp_path)


def test_dynamicrafter_of_256_pixels_is_another_model(sources, tmp_path):
    def edit(state):
        for name in [name for name in state if ".fps_embedding." in name]:
            state[name.replace("fps_embedding", "framestride_embed")] = state.pop(name)

    folder = linked(sources / "dynamicrafter", tmp_path / "theirs")
    change(folder / CHECKPOINT, edit)
    with pytest.raises(ModelError, match="got the 256 model"):
        convert_model(folder, tmp_path / "ours")


def test_avsyncd_without_stable_diffusion(sources, tmp_path):
    folder = linked(sources / "avsyncd", tmp_path / "theirs")
    (folder / "stable-diffusion-v1-5" / "vae" / "config.json").unlink()
    with pytest.raises(ModelError, match=r"lacks 'vae/config\.json'"):
        convert_model(folder, tmp_path / "ours")
    (folder / "stable-diffusion-v1-5").rename(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match=r"put the folder there .*OpenRAIL-M.*--stable-diffusion"):
        convert_model(folder, tmp_path / "ours")


def test_an_encoder_is_no_model(sources):
    with pytest.raises(ModelError, match="holds BEATs, which makes no video by itself"):
        resolve_model(sources / "beats")


def test_avsyncd_by_name_says_where_its_files_are(asva):
    with pytest.raises(ModelError) as caught:
        resolve_model("avsyncd")
    words = ("Google Drive", "no hub id", "lzhangbj/ASVA", "modules/unet", "stable-diffusion-v1-5/", "imagebind_huge")
    assert all(word in str(caught.value) for word in words)
    ran = asva("models", "info", "avsyncd")
    assert ran.code == 0 and all(licence in ran.out for licence in ("OpenRAIL-M", "CC BY-NC-SA 4.0", "MIT"))


@pytest.mark.parametrize("name", ["dynamicrafter", "dynamicrafter-interp", "Doubiiu/DynamiCrafter_512"])
def test_dynamicrafter_is_never_downloaded_unasked(name):
    with pytest.raises(ModelError, match=r"10\.4 GB that was not agreed to .*Apache-2\.0"):
        resolve_model(name)


def test_dynamicrafter_in_the_hub_cache(sources, monkeypatch):
    monkeypatch.setattr(hub, "cached_file", lambda file: sources / "dynamicrafter" / file.path)
    assert resolve_model("dynamicrafter").parent == cache_folder()


def test_the_command_converts(asva, sources, tmp_path):
    given = [
        option
        for name, file in (("imagebind", "imagebind_huge.pth"), ("stable-diffusion", "stable-diffusion-v1-5"))
        for option in (f"--{name}", sources / "avsyncd" / file)
    ]
    ran = asva("models", "convert", sources / "avsyncd" / "modules", "ours", *given)
    assert ran.code == 0 and "asva sample --model ours" in ran.out, ran.err
    assert "OpenRAIL-M" in ran.err and "CC BY-NC-SA 4.0" in ran.err
    ran = asva("models", "info", "ours")
    assert ran.code == 0 and "converted from the released avsyncd" in ran.out and "unet" in ran.out
    ran = asva("models", "convert", sources / "avsyncd" / "modules", "ours", *given)
    assert ran.code == 2 and "'ours' exists" in ran.complaint


def test_the_command_converts_an_encoder(asva, sources, tmp_path):
    ran = asva("models", "convert", sources / "beats" / "BEATs_iter3.pt", "ours")
    assert ran.code == 0 and "BEATs in ours" in ran.out
    ran = asva("models", "convert", sources / "beats" / "BEATs_iter3.pt", "again", "--json")
    assert json.loads(ran.out) == {"family": "beats", "title": "BEATs", "model": "again"}
    ran = asva("models", "info", "ours")
    assert ran.code == 0 and "released beats\nlicence: MIT" in ran.out
    ran = asva("models", "convert", "nowhere", "theirs")
    assert ran.code == 1 and "'nowhere' does not exist" in ran.complaint
    assert {path.name for path in tmp_path.iterdir()} == {"ours", "again"}


def test_a_disk_too_small_is_said_before(sources, tmp_path, monkeypatch):
    from shutil import disk_usage

    small = disk_usage("/")._replace(free=10)
    monkeypatch.setattr("asva_weights.storage.shutil.disk_usage", lambda path: small)
    with pytest.raises(ModelError, match=r"has 0\.0 GB free"):
        convert_model(sources / "imagebind", tmp_path / "b")
    assert list(tmp_path.iterdir()) == []
