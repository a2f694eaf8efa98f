"""The released MTV becomes a folder that samples, strictly."""

import shutil
from dataclasses import replace

import pytest
import torch

from asva_audio import Audio
from asva_dit import restore_mtv
from asva_pipelines import convert_model, load_pipeline, resolve_model
from asva_pipelines.loading.families import find_family
from asva_pipelines.methods import find_model
from asva_pipelines.mtv.method import CHECKPOINT, COGVIDEOX, REPO, WAV2VEC
from asva_pipelines.mtv.parts import read_part
from asva_weights import ModelError

WINDOW = {"num_frames": 9, "height": 16, "width": 16, "num_inference_steps": 1}


@pytest.fixture(scope="module")
def released(make_pipeline, tmp_path_factory):
    """A small model under the names of the released one, with what it needs beside it."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    import asva_dit.release as release
    from asva_dit import MTVTransformer3DModel, save_mtv_checkpoint

    folder, small = tmp_path_factory.mktemp("mtv"), make_pipeline("mtv")
    config = {name: value for name, value in small.transformer.config.items() if not name.startswith("_")}
    config |= {"audio_temporal": "tied_conv", "audio_layers": 2, "audio_channels": 16, "zero_init": False}
    ear = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, conv_dim=(8,) * 7,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    save_mtv_checkpoint(MTVTransformer3DModel(**config), folder / CHECKPOINT)
    for part in ("vae", "text_encoder", "tokenizer"):
        getattr(small, part).save_pretrained(folder / COGVIDEOX / part)
    Wav2Vec2Model(ear).save_pretrained(folder / WAV2VEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release, "mtv_config", lambda num_speakers=1: config)
        patch.setattr("asva_pipelines.mtv.released.RELEASED_SETTINGS", WINDOW | {"fps": 8})
        yield folder


def test_a_released_file_becomes_a_model_that_samples(released, tmp_path):
    family = convert_model(released, tmp_path / "model")
    assert family.name == "mtv"
    pipeline = load_pipeline(tmp_path / "model", device="cpu")
    sound = Audio(0.1 * torch.randn(1, 32000, generator=torch.Generator().manual_seed(0)), 16000)
    assert pipeline("a drum", speech=sound, num_frames=12).frames.shape == (12, 16, 16, 3)
    prefix, state = "model.diffusion_model.", torch.load(released / CHECKPOINT, weights_only=True)["module"]
    again = {prefix + name: value for name, value in restore_mtv(pipeline.transformer.state_dict()).items()}
    assert again.keys() == state.keys() and all(torch.equal(again[name], state[name]) for name in state)


def test_a_weight_too_few_or_too_many_is_named(released, tmp_path):
    state = torch.load(released / CHECKPOINT, weights_only=True)["module"]
    given = {COGVIDEOX: released / COGVIDEOX, WAV2VEC: released / WAV2VEC}
    for change in ("missing", "unknown"):
        other = dict(state)
        if change == "missing":
            other.pop("model.diffusion_model.transformer.final_layernorm.weight")
        else:
            other["model.diffusion_model.more"] = torch.zeros(1)
        torch.save({"module": other}, tmp_path / CHECKPOINT)
        with pytest.raises(ModelError, match=f"not a whole MTV checkpoint: .*1 {change}"):
            convert_model(tmp_path, tmp_path / "out", given=given)
        assert not (tmp_path / "out").exists()


def test_what_stands_beside_must_be_there(released, tmp_path):
    (tmp_path / CHECKPOINT).symlink_to(released / CHECKPOINT)
    with pytest.raises(ModelError, match=r"MTV needs 'CogVideoX-5b'.*`--cogvideox`"):
        convert_model(tmp_path, tmp_path / "out")


def test_the_text_encoder_is_not_read_to_write_the_index(released, tmp_path, monkeypatch):
    """T5 XXL in float32 would take 19 GB."""
    read = []

    def note(name, folder):
        read.append(name)
        return read_part(name, folder)

    monkeypatch.setattr("asva_pipelines.mtv.parts.read_part", note)
    convert_model(released, tmp_path / "model")
    assert read == ["audio_encoder"]


@pytest.fixture
def documented(released, make_pipeline, tmp_path, monkeypatch):
    """MTVCraft's `pretrained_models` as its page has it: three checkpoints on one base."""
    import asva_dit.video_autoencoder as autoencoder
    from asva_dit import restore_cogvideox_vae

    home, small = tmp_path / "pretrained_models", make_pipeline("mtv-as-released")
    for name in ("single", "multi", "accm"):
        (home / "mtv" / name / "1").mkdir(parents=True)
        (home / "mtv" / name / "1" / CHECKPOINT).symlink_to(released / CHECKPOINT)
        (home / "mtv" / name / "latest").write_text("1", encoding="utf-8")
    for part in (small.text_encoder, small.tokenizer):
        part.save_pretrained(home / "t5-v1_1-xxl")
    state = restore_cogvideox_vae(small.vae.state_dict())
    (home / "vae").mkdir()
    torch.save({"state_dict": state | {"loss.logvar": torch.zeros(1)}}, home / "vae" / "3d-vae.pt")
    shutil.copytree(released / WAV2VEC, home / WAV2VEC)
    sizes = {name: small.vae.config[name] for name in ("block_out_channels", "latent_channels", "layers_per_block")}
    config = {**autoencoder.COGVIDEOX_VAE, **sizes, "norm_num_groups": small.vae.config.norm_num_groups}
    monkeypatch.setattr(autoencoder, "COGVIDEOX_VAE", config)
    return home, small


@pytest.mark.parametrize("chosen", ["mtv/single", f"mtv/accm/1/{CHECKPOINT}"])
def test_the_documented_layout_becomes_a_model_that_samples(documented, tmp_path, monkeypatch, chosen):
    home, small = documented
    monkeypatch.setattr("asva_pipelines.mtv.released.RELEASED_SETTINGS", WINDOW | {"fps": 8, "height": 32, "width": 32})
    convert_model(home / chosen, tmp_path / "model")
    pipeline = load_pipeline(tmp_path / "model", device="cpu")
    assert pipeline.vae.config.scaling_factor == 0.7
    for part in ("vae", "text_encoder"):
        ours, theirs = getattr(pipeline, part).state_dict(), getattr(small, part).state_dict()
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)
    words = pipeline.tokenizer("a drum").input_ids
    assert words == small.tokenizer("a drum").input_ids
    assert not list((tmp_path / "model" / "tokenizer").glob("*.safetensors"))  # T5 is not stored twice
    sound = Audio(0.1 * torch.randn(1, 20000, generator=torch.Generator().manual_seed(0)), 16000)
    assert pipeline("a drum", speech=sound, num_frames=9).frames.shape == (9, 32, 32, 3)


def test_one_of_three_checkpoints_must_be_passed(documented):
    with pytest.raises(
        ModelError, match=r"holds 3 checkpoints of MTV \(mtv/accm/1, mtv/multi/1, mtv/single/1\): pass one"
    ):
        find_family(documented[0])


@pytest.mark.usefixtures("room")
def test_from_the_hub_to_a_video(documented, hub, monkeypatch):
    """Of three checkpoints one is fetched, with the base of all: another hash is refused, a half is gone on with."""
    home, _ = documented
    monkeypatch.setattr("asva_pipelines.mtv.released.RELEASED_SETTINGS", WINDOW | {"fps": 8, "height": 32, "width": 32})
    hub.serve(REPO, home)
    wanted = [name for _, name in hub.files if not name.startswith("mtv/") or "/accm/1/" in name]
    method, named = find_model("mtv-accm")
    files = [replace(named.files[0], path=name) for name in sorted(wanted, key=lambda name: "/accm/" not in name)]
    found = method, replace(named, files=tuple(files))
    monkeypatch.setattr("asva_pipelines.loading.resolve.find_model", lambda name: found)
    hub.damage.add("vae/3d-vae.pt")
    with pytest.raises(ModelError, match=rf"'vae/3d-vae.pt' of {REPO} must have the SHA-256 .* deleted"):
        resolve_model("mtv-accm", confirm=lambda plan: True)
    hub.damage.clear()
    checkpoint = files[0].path
    hub.asked, hub.drop = [], {checkpoint}
    shutil.rmtree(hub.cache)
    folder = resolve_model("mtv-accm", confirm=lambda plan: plan.model == "mtv-accm")
    asked = [name for kind, name, _ in hub.asked if kind == "GET"]
    assert sorted(asked) == sorted([*wanted, checkpoint])
    spans = [span for kind, name, span in hub.asked if (kind, name) == ("GET", checkpoint)]
    assert spans[0] is None and int(spans[1].removeprefix("bytes=").rstrip("-")) > 0  # the rest alone
    assert resolve_model("mtv-accm") == folder
    sound = Audio(0.1 * torch.randn(1, 20000, generator=torch.Generator().manual_seed(0)), 16000)
    frames = load_pipeline(folder, device="cpu")("a drum", effects=sound, num_frames=9).frames
    assert frames.shape == (9, 32, 32, 3) and frames.std() > 0


@pytest.mark.parametrize(("name", "variant"), [("mtv", "single"), ("mtv-multi", "multi"), ("mtv-accm", "accm")])
def test_what_is_fetched_is_what_the_page_lists(name, variant):
    _, named = find_model(name)
    paths = {file.path for file in named.files}
    assert named.files[0].path == f"{named.place}/{CHECKPOINT}" == f"mtv/{variant}/1/mp_rank_00_model_states.pt"
    assert {"t5-v1_1-xxl/spiece.model", "vae/3d-vae.pt", "wav2vec2-base-960h/model.safetensors"} <= paths
    assert {file.repo for file in named.files} == {REPO} and find_model(REPO)[1].name == "mtv"


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_an_autoencoder_that_is_not_whole_is_named(documented, tmp_path, change):
    home, _ = documented
    path = home / "vae" / "3d-vae.pt"
    state = torch.load(path, weights_only=True)["state_dict"]
    if change == "missing":
        state.pop("decoder.up.3.block.0.conv1.conv.weight")
    else:
        state["encoder.mid.block_3.conv1.conv.weight"] = torch.zeros(1)
    torch.save(state, path)
    with pytest.raises(ModelError, match=rf"3d-vae\.pt' is not a whole autoencoder of CogVideoX: .*1 {change}"):
        convert_model(home / "mtv" / "single", tmp_path / "model")
