"""Parts of a checkpoint through the strict tables: parity of each tower, full-size key lists, clear errors."""

import doctest
import re

import pytest
import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel

import asva_unet.components
from asva_unet import (
    OPENCLIP_TEXT_CONFIG,
    OPENCLIP_VISION_CONFIG,
    ImageResampler,
    KeyVIDUNet,
    checkpoint_family,
    clip_image_pixels,
    convert_component,
    join_checkpoint,
    load_component,
    restore_component,
    split_checkpoint,
    with_audio_window,
)
from asva_weights import ConversionError


def without_prefix(state):
    return {key.removeprefix("model."): value for key, value in state.items()}


def assert_returns(name, model, unused, state):
    restored = restore_component(name, model, unused)
    assert restored.keys() == state.keys()
    assert all(torch.equal(restored[key], value) for key, value in state.items())


@torch.no_grad()
@pytest.mark.parity("keyvid/c_resampler_*.safetensors")
def test_image_projector(parity, assert_parity):
    names = {"video_length": "num_frames"}
    arguments = {names.get(key, key): value for key, value in parity.config["constructor"].items()}
    model = ImageResampler(**arguments).eval()
    unused = load_component("image_projector", parity.state, model)
    assert_parity(1e-5, y=model(parity.inputs["x"]))
    assert_returns("image_projector", model, unused, parity.state)


@torch.no_grad()
@pytest.mark.parity("keyvid/k_openclip_text_*.safetensors")
def test_text_encoder(parity, assert_parity):
    theirs = parity.config["constructor"]["text_cfg"]
    config = {
        **OPENCLIP_TEXT_CONFIG,
        "vocab_size": theirs["vocab_size"],
        "hidden_size": theirs["width"],
        "intermediate_size": 4 * theirs["width"],
        "num_hidden_layers": theirs["layers"] - 1,
        "num_attention_heads": theirs["heads"],
    }
    model = CLIPTextModel(CLIPTextConfig(**config)).eval()
    state = without_prefix(parity.state)
    unused = load_component("text_encoder", state, model)
    assert_parity(2e-5, z=model(parity.inputs["tokens"]).last_hidden_state)
    assert_returns("text_encoder", model, unused, state)


@torch.no_grad()
@pytest.mark.parity("keyvid/l_openclip_image_*.safetensors")
def test_image_encoder(parity, assert_parity):
    theirs = parity.config["constructor"]["vision_cfg"]
    config = {
        **OPENCLIP_VISION_CONFIG,
        "hidden_size": theirs["width"],
        "intermediate_size": 4 * theirs["width"],
        "num_hidden_layers": theirs["layers"],
        "num_attention_heads": theirs["width"] // theirs["head_width"],
        "patch_size": theirs["patch_size"],
        "image_size": theirs["image_size"],
    }
    model = CLIPVisionModel(CLIPVisionConfig(**config)).eval()
    state = without_prefix(parity.state)
    unused = load_component("image_encoder", state, model)
    image = parity.inputs["image"]
    pixels = clip_image_pixels(image)
    grey = model(clip_image_pixels(torch.zeros_like(image))).last_hidden_state
    assert_parity(2e-5, preprocessed=pixels, tokens=model(pixels).last_hidden_state, tokens_null=grey)
    assert_returns("image_encoder", model, unused, state)


@torch.no_grad()
@pytest.mark.parity("keyvid/e_vae_*.safetensors")
def test_vae(parity, assert_parity):
    theirs, given = parity.config["constructor"]["ddconfig"], parity.inputs
    levels = len(theirs["ch_mult"])
    model = AutoencoderKL(
        block_out_channels=tuple(theirs["ch"] * mult for mult in theirs["ch_mult"]),
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=theirs["num_res_blocks"],
        latent_channels=theirs["z_channels"],
    ).eval()
    unused = load_component("vae", parity.state, model)
    posterior = model.encode(given["x"]).latent_dist
    assert_parity(
        2e-5,
        moments=posterior.parameters,
        mean=posterior.mean,
        sample=posterior.mean + posterior.std * given["noise"],
        decoded_from_mode=model.decode(posterior.mean).sample,
    )
    assert_returns("vae", model, unused, parity.state)


UNETS = {
    "keyvid-keyframe": {},
    "keyvid-interp": {"frame_index_embedding": False},
    "dynamicrafter": {"frame_index_embedding": False, "audio_cross_attention": False},
}


def full_size(family, num_frames=48):
    """Every network of the released checkpoints, without memory."""
    with torch.device("meta"):
        return {
            "unet": KeyVIDUNet(**UNETS[family]),
            "vae": AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
            ),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**OPENCLIP_TEXT_CONFIG)),
            "image_encoder": CLIPVisionModel(CLIPVisionConfig(**OPENCLIP_VISION_CONFIG)),
            "image_projector": ImageResampler(num_frames=num_frames),
        }


def assert_fits_both_ways(theirs, networks):
    """Split, convert, restore and join a list of names and shapes."""
    parts = split_checkpoint({key: torch.empty(shape, device="meta") for key, shape in theirs.items()})
    for name, network in networks.items():
        ours, unused = convert_component(name, parts[name], network)
        assert {key: value.shape for key, value in ours.items()} == {
            key: value.shape for key, value in network.state_dict().items()
        }
        parts[name] = restore_component(name, network, unused)
    assert {key: tuple(value.shape) for key, value in join_checkpoint(parts).items()} == theirs


@pytest.mark.parity("keyvid/full_keys_*.json")
def test_full_size_keys_both_ways(parity, parity_path, record_property):
    theirs = {key: tuple(shape) for key, shape in parity["keys"].items()}
    networks = full_size(checkpoint_family(theirs))
    assert sum(p.numel() for p in networks["unet"].parameters()) == parity["unet_params"]
    assert_fits_both_ways(theirs, networks)
    record_property(f"parity:{parity_path.stem}", 0.0)


@pytest.mark.parity("keyvid/full_keys_*.json")
def test_dynamicrafter_is_keyvid_less_sound_and_frame_indices(parity):
    """Its projector holds 16 frames of 16 queries, and there is no sound at all in the file."""
    silent = re.compile(
        r"imagebind_model\.|audio_proj_model\.|.*\.(frame_idx_embedding|audio_proj_2)\.|.*(_ap\.weight|\.beta)$"
    )
    theirs = {key: tuple(shape) for key, shape in parity["keys"].items() if not silent.match(key)}
    theirs["image_proj_model.latents"] = (1, 16 * 16, 1024)
    assert checkpoint_family(theirs) == "dynamicrafter"
    assert sum(key.startswith("model.diffusion_model.") for key in theirs) == 1516
    networks = full_size("dynamicrafter", num_frames=16)
    assert sum(p.numel() for p in networks["unet"].parameters()) == 1_438_854_980
    assert_fits_both_ways(theirs, networks)


@pytest.mark.parametrize("family", UNETS)
def test_families_are_told_apart_by_their_names(make_unet, family):
    model = make_unet(**UNETS[family])
    keys = {f"model.diffusion_model.{key}": value for key, value in restore_component("unet", model).items()}
    assert checkpoint_family(keys) == family
    stride = {key.replace("fps_embedding", "framestride_embed"): value for key, value in keys.items()}
    with pytest.raises(ConversionError, match=r"must be of DynamiCrafter's 512 models, got the 256 model"):
        checkpoint_family(stride)
    lacking = {key: value for key, value in keys.items() if "fps_embedding" not in key}
    with pytest.raises(ConversionError, match=r"one of keyvid-keyframe, keyvid-interp, dynamicrafter, got none"):
        checkpoint_family(lacking)


def test_family_of_something_else():
    with pytest.raises(ConversionError, match=r"its U-Net \(model\.diffusion_model\.\*\) is missing"):
        checkpoint_family(["transformer.wte.weight"])
    assert doctest.testmod(asva_unet.components).failed == 0


@torch.no_grad()
def test_dynamicrafter_weights_return_unchanged_and_take_audio_windows(make_unet, small_config):
    state = restore_component("unet", make_unet(**UNETS["dynamicrafter"]))
    with torch.device("meta"):
        model = KeyVIDUNet(**{**small_config, **UNETS["dynamicrafter"]})
    assert_returns("unet", model, load_component("unet", state, model), state)
    extended = with_audio_window(model, audio_window_dim=12)
    assert extended.conv_in.weight.data_ptr() == state["input_blocks.0.0.weight"].data_ptr()
    for convert in (lambda: convert_component("unet", state, extended), lambda: restore_component("unet", extended)):
        with pytest.raises(ConversionError, match="unet must be a network that was released, got one with audio win"):
            convert()


def test_unused_weights_are_only_those_known_by_name():
    with torch.device("meta"):
        model = CLIPVisionModel(CLIPVisionConfig(**{**OPENCLIP_VISION_CONFIG, "num_hidden_layers": 1}))
    leftovers = {"logit_scale": torch.zeros(()), "visual.proj": torch.zeros(1280, 1024)}
    state = {**restore_component("image_encoder", model), **leftovers}
    assert convert_component("image_encoder", state, model)[1].keys() == leftovers.keys()
    with pytest.raises(ConversionError, match=r"image_encoder must hold known weights only, 1 unknown: surprise\."):
        convert_component("image_encoder", {**state, "surprise": torch.zeros(1)}, model)


def test_missing_weights_and_wrong_shapes_are_named(make_unet):
    model = make_unet()
    state = restore_component("unet", model)
    lacking = {key: value for key, value in state.items() if key not in ("out.2.bias", "out.2.weight")}
    with pytest.raises(ConversionError, match=r"unet must hold every weight of the network, 2 missing: out\.2\.bias"):
        convert_component("unet", lacking, model)
    state["out.2.bias"] = torch.zeros(7)
    with pytest.raises(ConversionError, match=r"shapes of the network, got out\.2\.bias \(7,\) instead of \(4,\)"):
        convert_component("unet", state, model)


def test_checkpoint_of_another_model_is_refused():
    with pytest.raises(ConversionError, match=r"1 unknown: transformer\.wte\.weight"):
        split_checkpoint({"transformer.wte.weight": torch.zeros(1)})
    with pytest.raises(ConversionError, match=r"every part of KeyVID, missing: cond_stage_model\.model\.\*"):
        split_checkpoint({"model.diffusion_model.out.0.bias": torch.zeros(1)})


def test_component_names_are_checked(make_unet):
    with pytest.raises(ValueError, match="`name` must be one of unet"):
        restore_component("localizer", make_unet())


def test_loading_onto_the_meta_device_copies_nothing(make_unet, small_config):
    state = restore_component("unet", make_unet())
    with torch.device("meta"):
        model = KeyVIDUNet(**small_config)
    load_component("unet", state, model)
    assert model.conv_in.weight.data_ptr() == state["input_blocks.0.0.weight"].data_ptr()
