"""AVSyncD's U-Net, its parts and a training step against the original's (parity asva/)."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from asva_unet import AVSyncDConditions, AVSyncDUNet
from asva_unet.avsyncd.conditions import KeptTokens
from asva_unet.avsyncd.first_frame import FirstFrameConv
from asva_unet.avsyncd.resnet import Downsample, LayerConfig, Resnet, Upsample
from asva_unet.avsyncd.transformer import Transformer


def layer_config(**changes):
    switches = dict.fromkeys(("first_frame_conv", "first_frame_attention", "norm_over_frames"), True)
    rest = {"embedding_dim": 0, "groups": 8, "eps": 1e-5, "num_heads": 2, "context_dim": 0, "audio_dim": None}
    return LayerConfig(**{**rest, **switches, **changes})


def part(state, prefix):
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


@pytest.mark.parity("asva/unet_*.safetensors")
@torch.no_grad()
def test_unet(parity, assert_parity):
    model = AVSyncDUNet(**parity.config["config"]).eval()
    model.load_state_dict(parity.state)
    given = parity.inputs
    clip = given["sample"].transpose(1, 2), given["timestep"]
    tokens = given["encoder_hidden_states"][:, 0], given["audio_encoder_hidden_states"][:, 0]
    assert_parity(
        5e-5,
        sample=model(*clip, *tokens, given["audio_attention_mask"]).sample.transpose(1, 2),
        sample_no_mask=model(*clip, *tokens).sample.transpose(1, 2),
    )
    assert restored(model, parity.state)


def restored(model, state):
    ours = model.state_dict()
    return ours.keys() == state.keys() and all(torch.equal(ours[key], value) for key, value in state.items())


@pytest.mark.parity("asva/transformer_block_*.safetensors")
@torch.no_grad()
def test_transformer_and_each_of_its_layers(parity, assert_parity):
    theirs, given = parity.config["config"], parity.inputs
    layer = Transformer(
        theirs["in_channels"],
        layer_config(
            groups=theirs["norm_num_groups"],
            num_heads=theirs["num_attention_heads"],
            context_dim=theirs["cross_attention_dim"],
            audio_dim=theirs["audio_cross_attention_dim"],
        ),
    ).eval()
    layer.load_state_dict(parity.state)
    x, inner = given["hidden_states"], {}
    b, t = x.shape[0], x.shape[2]
    text = (layer.block.attn2.keys_values(given["encoder_hidden_states"]),)

    def run(kept):
        audio = (layer.block.attn_audio.keys_values(given["audio_encoder_hidden_states"], kept),)
        conditions = AVSyncDConditions(text, audio, kept and kept.mask)
        return layer(x.transpose(1, 2).flatten(0, 1), conditions, t).unflatten(0, (b, t)).transpose(1, 2)

    results = {"sample_no_mask": run(None)}
    for name in ("attn1", "attn_audio", "attn2", "attn_temp", "pos_embedding_temp", "ff"):
        hook = lambda _layer, _inputs, output, name=name: inner.__setitem__(f"inter_{name}", output)  # noqa: E731
        layer.block.get_submodule(name).register_forward_hook(hook)
    results["sample"] = run(KeptTokens.of(given["audio_attention_mask"], b))
    assert_parity(2e-5, **results, **inner)


@pytest.mark.parity("asva/resnet_*.safetensors")
@torch.no_grad()
def test_resnet_samplers_and_convolution(parity, assert_parity):
    shape, state, x = parity.config["config"], parity.state, parity.inputs["x"]
    t, config = x.shape[2], layer_config(embedding_dim=shape["temb"], groups=shape["g"], eps=shape["eps"])
    layers = {
        "resnet": Resnet(shape["ci"], shape["co"], config),
        "downsample": Downsample(shape["co"], config),
        "upsample": Upsample(shape["co"], config),
        "conv": FirstFrameConv(shape["ci"], len(state["conv.bias"])),
    }
    for name, layer in layers.items():
        layer.load_state_dict(part(state, f"{name}."))

    def clip(rows, frames=t):
        return rows.unflatten(0, (-1, frames)).transpose(1, 2)

    rows, (h, w) = x.transpose(1, 2).flatten(0, 1), x.shape[-2:]
    out = layers["resnet"](rows, F.silu(parity.inputs["temb"]), t)
    assert_parity(
        2e-5,
        resnet=clip(out),
        downsample=clip(layers["downsample"](out, t)),
        upsample=clip(layers["upsample"](out, (2 * h, 2 * w), t)),
        upsample_sized=clip(layers["upsample"](out, (2 * h - 1, 2 * w + 1), t)),
        conv=clip(layers["conv"](rows, t)),
        conv_single_frame=clip(layers["conv"](x[:, :, 0], 1), 1),
    )


@pytest.mark.parity("asva/full_keys_avsyncd_unet.json")
def test_full_size_has_the_released_weights(parity):
    with torch.device("meta"):
        model = AVSyncDUNet()
    assert {name: list(tensor.shape) for name, tensor in model.state_dict().items()} == parity
    assert len(parity) == 1106
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_169_357_496
    new = model.trainable_parameters().values()
    assert (len(new), sum(parameter.numel() for parameter in new)) == (420, 309_836_532)


@pytest.mark.parity("asva/train_loss_*.safetensors")
def test_gradients_of_a_training_step(parity, assert_parity):
    given, t = parity.inputs, parity.inputs["latents"].shape[2]
    model = AVSyncDUNet(**parity.config["unet_config"]).train()
    model.load_state_dict(part(parity.state, "unet."))
    model.enable_gradient_checkpointing()
    heads = parity.config["audio_encoder_config"]["heads"]
    sound, silence = (
        audio_tokens(part(parity.state, "audio_encoder."), mel, heads) for mel in (given["mel"], 0 * given["mel"])
    )
    tokens = torch.where(given["audio_keep"][:, None, None], sound, silence)
    noisy = parity.outputs["unet_input"].transpose(1, 2)
    output = model(noisy, given["timesteps"], given["text"], tokens, segment_mask(t)).sample.transpose(1, 2)
    loss = F.mse_loss(output[:, :, 1:], given["noise"][:, :, 1:])
    loss.backward()
    assert_parity(
        1e-4,
        unet_output=output,
        loss=loss,
        grad_audio_to_k=model.mid_block.attentions[0].block.attn_audio.to_k.weight.grad,
        grad_conv_in_temp_weight=model.conv_in.conv_temp.weight.grad,
        grad_norm_trainable=torch.stack([p.grad.norm() for p in model.trainable_parameters().values()]).norm(),
    )


@torch.no_grad()
def audio_tokens(state, mel, num_heads):
    """The tokens of a small ImageBind audio trunk, by PyTorch's own layers: this package has no audio encoder."""
    d = state["preprocessor.cls_token"].shape[-1]
    patches = F.conv2d(mel, state["preprocessor.rgbt_stem.proj.weight"], stride=10).flatten(2).transpose(1, 2)
    stem = part(state, "preprocessor.rgbt_stem.norm_layer.")
    patches = F.layer_norm(patches, (d,), stem["weight"], stem["bias"])
    x = torch.cat([state["preprocessor.cls_token"].expand(len(mel), 1, d), patches], dim=1)
    x = x + state["preprocessor.pos_embedding_helper.pos_embed"]
    for index in range(1 + max(int(key.split(".")[2]) for key in state if key.startswith("trunk.blocks."))):
        block = part(state, f"trunk.blocks.{index}.")
        attention = nn.MultiheadAttention(d, num_heads, add_bias_kv=True, batch_first=True)
        attention.load_state_dict(part(block, "attn."))
        y = F.layer_norm(x, (d,), block["norm_1.weight"], block["norm_1.bias"], 1e-6)
        x = x + attention(y, y, y, need_weights=False)[0]
        y = F.layer_norm(x, (d,), block["norm_2.weight"], block["norm_2.bias"], 1e-6)
        y = F.gelu(F.linear(y, block["mlp.fc1.weight"], block["mlp.fc1.bias"]))
        x = x + F.linear(y, block["mlp.fc2.weight"], block["mlp.fc2.bias"])
    return F.layer_norm(x, (d,), state["final_layer_norm.weight"], state["final_layer_norm.bias"], 1e-6)


def segment_mask(num_frames, rows=12, columns=19):
    """Each frame's window of columns, and the class token."""
    width = -(-columns // num_frames)
    mask = torch.zeros(num_frames, rows, columns, dtype=torch.bool)
    for frame, start in enumerate(np.round(np.linspace(0, columns - width, num_frames)).astype(int)):
        mask[frame, :, start : start + width] = True
    return torch.cat([torch.ones(num_frames, 1, dtype=torch.bool), mask.flatten(1)], dim=1)
