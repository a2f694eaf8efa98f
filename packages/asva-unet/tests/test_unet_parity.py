"""The U-Net against the original's (parity a_*, a2_*, b_*), through the strict key table."""

import pytest
import torch

from asva_unet import KeyVIDUNet, load_component, restore_component

TEXT_TOKENS, IMAGE_TOKENS = 77, 16
PROBES = {
    "probe/input_blocks.0": "conv_in",
    "probe/init_attn": "init_transformer",
    "probe/input_blocks.1": "down_blocks.0.layers.0",
    "probe/middle_block": "mid_block.layers.1",
    "probe/output_blocks.0": "up_blocks.0.layers.0",
}


def build(parity):
    theirs = parity.config["constructor"]
    levels = len(theirs["channel_mult"])
    return KeyVIDUNet(
        in_channels=theirs["in_channels"],
        out_channels=theirs["out_channels"],
        block_out_channels=tuple(theirs["model_channels"] * mult for mult in theirs["channel_mult"]),
        layers_per_block=theirs["num_res_blocks"],
        attention_levels=tuple(2**level in theirs["attention_resolutions"] for level in range(levels)),
        attention_head_dim=theirs["num_head_channels"],
        cross_attention_dim=theirs["context_dim"],
        audio_embed_dim=parity.config["audio_dim"],
        frame_index_embedding=theirs["add_frame_idx"],
        dropout=theirs["dropout"],
    ).eval()


@pytest.mark.parity("keyvid/a_unet_v4_*.safetensors")
def test_keyframe_generator(parity, assert_parity):
    check(parity, assert_parity)


@pytest.mark.parity("keyvid/a2_unet_v4_fs2d_*.safetensors")
def test_frame_rate_per_frame(parity, assert_parity):
    check(parity, assert_parity)


@pytest.mark.parity("keyvid/b_unet_interp_*.safetensors")
def test_interpolator(parity, assert_parity):
    check(parity, assert_parity)


@torch.no_grad()
def check(parity, assert_parity):
    model = build(parity)
    load_component("unet", parity.state, model)
    assert_parity(1e-5, y=run(model, parity.inputs).transpose(1, 2))
    seen = {}
    for key in (key for key in PROBES if key in parity.outputs):
        layer = model.get_submodule(PROBES[key])
        layer.register_forward_hook(lambda _layer, _inputs, rows, key=key: seen.__setitem__(key, rows))
    # The inner results were stored during a later call of the original, which had moved the frame indices by three.
    run(model, {**parity.inputs, "frame_idx": parity.inputs["frame_idx"] + 3})
    for key, rows in seen.items():
        stored = parity.outputs[key]
        assert (rows[: len(stored)] - stored).abs().max() <= 1e-5 * stored.abs().max(), key


def run(model, given):
    t = given["x"].shape[2]
    text, image = given["context"].split([TEXT_TOKENS, t * IMAGE_TOKENS], dim=1)
    image = image.unflatten(1, (t, IMAGE_TOKENS))
    conditions = text, image, given["c_audio"], given["fs"], given["frame_idx"]
    return model(given["x"].transpose(1, 2), given["timesteps"], *conditions).sample


@pytest.mark.parity("keyvid/a_unet_v4_*.safetensors")
def test_weights_return_unchanged(parity):
    model = build(parity)
    load_component("unet", parity.state, model)
    restored = restore_component("unet", model)
    assert restored.keys() == parity.state.keys()
    assert all(torch.equal(restored[key], value) for key, value in parity.state.items())
