"""Models by name: found, checked, refused."""

import json
import os
import pickle
import re
from pathlib import Path

import pytest
import torch

import asva_pipelines
from asva_audio.convert import audio_config
from asva_pipelines import resolve_model
from asva_pipelines.keyvid.method import INTERP_CKPT, KEYFRAME_CKPT
from asva_pipelines.loading import hub, shared_files
from asva_unet import join_checkpoint, restore_component, shapes, split_checkpoint
from asva_weights import ModelError, read_checkpoint

UNET = "modules/unet/diffusion_pytorch_model.bin"
PARITY = Path(os.environ["ASVA_PARITY_DIR"])


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    """No test looks at, or writes to, the caches of the user."""
    monkeypatch.setenv("ASVA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "cached_file", lambda file: None)


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def test_public_names_resolve():
    assert all(getattr(asva_pipelines, name) is not None for name in asva_pipelines.__all__)


def test_checkpoint_gives_the_tensors_of_a_state_dict(tmp_path):
    torch.save({"state_dict": {"a": torch.arange(3)}, "epoch": 859}, tmp_path / "a.ckpt")
    torch.testing.assert_close(read_checkpoint(tmp_path / "a.ckpt"), {"a": torch.arange(3)})


def test_checkpoint_of_the_old_form(tmp_path):
    torch.save({"a": torch.arange(3)}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    torch.testing.assert_close(read_checkpoint(tmp_path / "a.pth"), {"a": torch.arange(3)})


def test_checkpoint_never_runs_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"a": torch.ones(3)}, "hook": Evil()}, "a.ckpt")
    with pytest.raises(ModelError, match=r"'a.ckpt', which would run code when it is read \((posix|nt).system\)"):
        read_checkpoint("a.ckpt")
    assert not Path("pwned").exists()


@pytest.mark.parametrize("form", ["old", "bare"])
def test_old_pickles_never_run_code(tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    if form == "old":
        torch.save({"a": torch.ones(3), "hook": Evil()}, "a.ckpt", _use_new_zipfile_serialization=False)
    else:
        Path("a.ckpt").write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(ModelError, match=r"'a.ckpt', which would run code"):
        read_checkpoint("a.ckpt")
    assert not Path("pwned").exists()


def test_settings_of_the_trainer_beside_the_weights_are_passed_over(tmp_path, monkeypatch):
    """Lightning and omegaconf objects lie in real checkpoints; they are neither imported nor in the way."""
    settings = type("DictConfig", (), {"__module__": "omegaconf.dictconfig"})
    package, module = (type(os)(name) for name in ("omegaconf", "omegaconf.dictconfig"))
    module.DictConfig = settings
    with monkeypatch.context() as patch:
        patch.setitem(__import__("sys").modules, "omegaconf", package)
        patch.setitem(__import__("sys").modules, "omegaconf.dictconfig", module)
        torch.save({"state_dict": {"a": torch.ones(1)}, "hparams": settings()}, tmp_path / "a.ckpt")
    assert read_checkpoint(tmp_path / "a.ckpt").keys() == {"a"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        (b"", "damaged"),
        (b"<html>404</html>", "not loaded|damaged"),
        ("cut", "damaged"),
        ("empty", "without a single tensor"),
    ],
)
def test_unreadable_checkpoint(tmp_path, content, words):
    path = tmp_path / "a.ckpt"
    if content in ("cut", "empty"):
        torch.save({"state_dict": {} if content == "empty" else {"a": torch.ones(500)}}, path)
    if content == "cut":
        content = path.read_bytes()[:1000]
    if isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(ModelError, match=words):
        read_checkpoint(path)


@pytest.mark.parametrize("stage", ["keyframe", "interp"])
def test_configurations_of_the_released_files_from_their_shapes(stage):
    keys = full_keys(stage)
    state = {name: torch.empty(shape, device="meta") for name, shape in keys.items()}
    part = split_checkpoint(state)
    unet = shapes.unet_config(part["unet"])
    assert unet["block_out_channels"] == (320, 640, 1280, 1280)
    assert unet["attention_levels"] == (True, True, True, False)
    assert (unet["in_channels"], unet["out_channels"], unet["layers_per_block"]) == (8, 4, 2)
    assert (unet["attention_head_dim"], unet["init_attention_heads"]) == (64, 8)
    assert (unet["cross_attention_dim"], unet["audio_embed_dim"]) == (1024, 768)
    assert unet["frame_index_embedding"] == (stage == "keyframe")
    assert shapes.vae_config(part["vae"])["block_out_channels"] == (128, 256, 512, 512)
    text, vision = shapes.text_config(part["text_encoder"]), shapes.vision_config(part["image_encoder"])
    assert (text["hidden_size"], text["num_hidden_layers"], text["num_attention_heads"]) == (1024, 23, 16)
    assert (vision["hidden_size"], vision["num_hidden_layers"], vision["num_attention_heads"]) == (1280, 32, 16)
    assert (vision["patch_size"], vision["image_size"]) == (14, 224)
    audio = audio_config(part["audio_encoder"])
    assert (audio["hidden_size"], audio["num_hidden_layers"], audio["num_attention_heads"]) == (768, 12, 12)


def test_the_full_size_files_fit_the_networks_built_for_them():
    """Every key and shape of both released files, through the code that converts them, on the meta device."""
    from asva_pipelines.keyvid.released import released_networks
    from asva_unet import make_scheduler

    stages = {}
    for name, stage in ((KEYFRAME_CKPT, "keyframe"), (INTERP_CKPT, "interp")):
        keys = full_keys(stage)
        state = {key: torch.empty(shape, device="meta") for key, shape in keys.items()}
        stages[name] = split_checkpoint(state | {"alphas_cumprod": make_scheduler("ddim").alphas_cumprod})
    found = {name: Path(name) for name in stages}
    networks = released_networks(found, stages)
    sizes = {name: sum(parameter.numel() for parameter in network.parameters()) for name, network in networks.items()}
    assert sizes["keyframe_unet"] == 1_467_252_052 and sizes["interp_unet"] == 1_465_201_492
    assert sizes["vae"] == 83_653_863 and sizes["image_projector"] == sizes["interp_image_projector"] == 49_311_744
    parts = {
        "vae": "vae",
        "keyframe_unet": "unet",
        "text_encoder": "text_encoder",
        "image_projector": "image_projector",
    }
    given_back, keys = join_checkpoint(inverted(networks, parts)), full_keys("keyframe")
    assert given_back and all(list(tensor.shape) == keys[key] for key, tensor in given_back.items())


def inverted(networks, parts):
    """Networks of ours as parts of a checkpoint."""
    return {theirs: restore_component(theirs, networks[ours]) for ours, theirs in parts.items()}


def full_keys(stage, family="keyvid"):
    path = PARITY / family / f"full_keys_{stage}.json"
    if not path.is_file():
        pytest.skip(f"no {path}: set ASVA_PARITY_DIR")
    keys = json.loads(path.read_text(encoding="utf-8"))
    return keys.get("keys", keys)


def on_meta(keys):
    return {name: torch.empty(shape, device="meta") for name, shape in keys.items()}


def dynamicrafter_keys():
    """Those of KeyVID less sound and frame index, and 16 frames of queries instead of 48."""
    sound = re.compile(r"imagebind_model|audio_proj_model|.*(_ap\.|\.beta$|audio_proj_2|frame_idx_embedding)")
    keys = {name: shape for name, shape in full_keys("keyframe").items() if not sound.match(name)}
    return keys | {"image_proj_model.latents": [1, 16 * 16, 1024]}


# Name of the file, its keys, parameters of our network, and what no network of ours uses.
FULL_SIZE = {
    "dynamicrafter": (
        "model.ckpt",
        dynamicrafter_keys,
        {"unet": 1_438_854_980, "vae": 83_653_863, "image_projector": 48_787_456},
        r"text_projection|logit_scale|resblocks\.23|embedder|alphas|betas|posterior|scale_arr",
    ),
    "imagebind": (
        "imagebind_huge.pth",
        lambda: full_keys("imagebind_vta", "asva"),
        {"encoder": 85_447_680},
        r"modality_(heads|postprocessors)|\.(vision|text)\.",
    ),
    "beats": ("BEATs_iter3.pt", lambda: full_keys("beats", "asva"), {"encoder": 90_311_792}, r"predictor"),
    "avsyncd": (UNET, lambda: full_keys("avsyncd_unet", "asva"), {"unet": 1_169_357_496}, r"nothing"),
}


def back(name, networks):
    """The weights of a released file from networks of ours, by the inverse tables."""
    from asva_audio import invert_beats, invert_imagebind_audio

    if name == "dynamicrafter":
        parts = ("unet", "vae", "text_encoder", "image_encoder", "image_projector")
        return join_checkpoint(inverted(networks, {part: part for part in parts}))
    if name == "imagebind":
        return invert_imagebind_audio(networks["encoder"].state_dict())
    if name == "beats":
        return invert_beats(networks["encoder"].config, networks["encoder"].state_dict())["model"]
    return networks["unet"].state_dict()


@pytest.mark.parametrize("name", FULL_SIZE)
def test_the_full_size_files_there_and_back(name, tmp_path, monkeypatch):
    """Every key and shape, through the code that converts and the inverse tables, on the meta device."""
    from asva_audio import released as encoders
    from asva_pipelines.avsyncd import released as avsyncd
    from asva_pipelines.loading.families import ENCODERS, method_families
    from asva_unet import latent_video, make_scheduler
    from asva_unet.avsyncd import release

    file, keys, sizes, unused_names = FULL_SIZE[name]
    state = on_meta(keys())
    if name == "dynamicrafter":
        state["alphas_cumprod"] = make_scheduler("ddim").alphas_cumprod
    for module in (encoders, latent_video, release):
        monkeypatch.setattr(module, "read_checkpoint", lambda path: state)
    cfg = {"layer_norm_first": False, "deep_norm": True, "relative_position_embedding": True, "gru_rel_pos": True}
    content = {"cfg": cfg | {"input_patch_size": 16, "max_distance": 800}, "model": state}
    monkeypatch.setattr(encoders, "read_content", lambda path: content)
    monkeypatch.setattr(avsyncd, "read_stable_diffusion", lambda files: ({}, {}))
    monkeypatch.setattr(avsyncd, "_audio_encoder", lambda *args: None)
    monkeypatch.setattr(shared_files, "openclip_tokenizer", lambda *args: None)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "diffusion_pytorch_model.bin").touch()
    files = {file: tmp_path / file}
    if name == "avsyncd":
        files["modules/unet/config.json"] = tmp_path / "config.json"
    family = next(family for family in (*method_families(), *ENCODERS) if family.name == name)
    made = family.read(files, lambda text: None)
    for part, size in sizes.items():
        assert sum(parameter.numel() for parameter in made.networks[part].parameters()) == size
    given_back = {key: tuple(tensor.shape) for key, tensor in back(name, made.networks).items()}
    unused = state.keys() - given_back.keys()
    assert given_back.keys() <= state.keys()
    assert all(shape == tuple(state[key].shape) for key, shape in given_back.items())
    assert all(re.search(unused_names, key) for key in unused), sorted(unused)[:5]


def test_shapes_of_another_model_are_refused():
    with pytest.raises(ModelError, match=r"The U-Net lacks 'input_blocks.0.0.weight'"):
        shapes.unet_config({"a": torch.ones(1)})


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ModelError, match=r"'kevid' is neither a name \('tiny', .*\).*Did you mean 'keyvid'\?"):
        resolve_model("kevid")


def test_a_folder_of_this_form_is_itself(tmp_path):
    (tmp_path / "model_index.json").write_text("{}", encoding="utf-8")
    assert resolve_model(tmp_path) == tmp_path


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(ModelError, match="holds no model"):
        resolve_model(tmp_path)


def test_a_single_file_is_no_model(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(b"x")
    with pytest.raises(ModelError, match="single file"):
        resolve_model(tmp_path / "a.ckpt")


def test_a_folder_with_one_stage_names_the_other(tmp_path):
    path = tmp_path / KEYFRAME_CKPT
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    with pytest.raises(ModelError, match=f"lacks '{INTERP_CKPT}'"):
        resolve_model(tmp_path)


def test_released_weights_are_never_downloaded_unasked():
    with pytest.raises(ModelError) as caught:
        resolve_model("keyvid")
    text = str(caught.value)
    assert "31.1 GB" in text and "--yes" in text
    for licence in ("Apache-2.0", "CC BY-NC-SA 4.0", "MIT"):
        assert licence in text


def test_a_refusal_stops_the_download():
    seen = []
    with pytest.raises(ModelError, match="not agreed to"):
        resolve_model("keyvid", confirm=lambda plan: bool(seen.append(plan)))
    assert [file.path for file in seen[0].files][:2] == [KEYFRAME_CKPT, INTERP_CKPT]


def test_hub_ids_are_never_downloaded_unasked(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="'nobody/nothing'"):
        resolve_model("nobody/nothing")
