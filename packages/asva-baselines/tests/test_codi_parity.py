"""CoDi's networks and contexts against the original's (parity codi_*), and every key of the released ones."""

import zlib

import numpy as np
import pytest
import torch
from transformers import CLIPConfig

from asva_baselines.codi.clip import CLIP_TABLE, CoDiCLIP, clip_config, clip_pixels
from asva_baselines.codi.contexts import CLAP_TABLE, audio_context, log_mel, read_encoder, seen_context
from asva_baselines.codi.convert import read_unet, unet_table
from asva_baselines.codi.unet import CoDiUNet
from asva_unet import make_scheduler, restore_component
from asva_unet.latent_video import build
from asva_weights.key_table import below


def network_of(theirs, *, connector=False):
    """The network of a fixture's constructor."""
    width, multiples = theirs["model_channels"], theirs["channel_mult_connector"]
    return CoDiUNet(
        in_channels=theirs["input_channels"],
        block_out_channels=[width * mult for mult in theirs["channel_mult"]],
        layers_per_block=theirs["num_noattn_blocks"][0],
        attention_levels=theirs["with_attn"],
        cross_attention_dim=theirs["context_dim"],
        num_heads=theirs["num_heads"],
        video=theirs.get("use_video_architecture", False),
        temporal_factor=theirs.get("video_dim_scale_factor", 4),
        connector_channels=[width * mult for mult in multiples] if connector else None,
        connector_dim=theirs["connector_output_channel"],
    ).eval()


def loaded(network, state):
    table = unet_table(network)
    network.load_state_dict(table.to_ours(state, network.state_dict(), "network"))
    assert table.to_original(network.state_dict()).keys() == state.keys()
    return network


def ddim_step(x, eps, parity, steps=50):
    """One step of the sampler that the pipeline takes."""
    scheduler = make_scheduler(
        prediction_type="epsilon", zero_terminal_snr=False, timestep_spacing="leading", steps_offset=1
    )
    scheduler.set_timesteps(steps)
    timestep, grid = int(parity.inputs["ddim_t"]), scheduler.timesteps.flip(0)
    assert grid[int(parity.inputs["ddim_index"])] == timestep
    if "ddim_timesteps" in parity.outputs:
        assert torch.equal(grid, parity.outputs["ddim_timesteps"])
    return scheduler.step(eps, timestep, x, return_dict=False)


def near(made, stored, atol=3e-5):
    torch.testing.assert_close(made, stored, rtol=0, atol=atol)


@pytest.mark.parity("baselines/codi_video_unet")
@torch.no_grad()
def test_video_unet(parity):
    network = loaded(network_of(parity.record["constructor"]), below(parity.state, "unet_image."))
    given, weights = parity.inputs, parity.record["mix_weight"]
    kinds = parity.record["condition_types"]
    total = sum(weights[kind] for kind in kinds)
    context = sum(weights[kind] / total * given[f"cond/{kind}"] for kind in kinds)
    x, rows, seen = given["x"].transpose(1, 2), len(given["x"]), {}
    first = network.down_blocks[0]
    layers = {"input_blocks.1": first.attentions[0] if hasattr(first, "attentions") else first.resnets[0]}
    hooks = [
        layer.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out}))
        for name, layer in (layers | {"middle_block": network.mid_block}).items()
    ]
    near(network.noise(x, given["timesteps"], context[rows:]).transpose(1, 2), parity.outputs["y"])
    for hook in hooks:
        hook.remove()
    for name, out in seen.items():
        frames = (out[0] if isinstance(out, tuple) else out)[: x.shape[1]]
        near(frames.transpose(0, 1)[None], parity.outputs[f"probe/unet_image.{name}"])
    near(network.noise(x[:, 0], given["timesteps"], context[rows:]), parity.outputs["image_y"])
    uncond, cond = (network.noise(x, int(given["ddim_t"]), part) for part in context.split(rows))
    settings = parity.record["ddim"]
    previous, clean = ddim_step(x, uncond + settings["scale"] * (cond - uncond), parity, settings["S"])
    near(previous.transpose(1, 2), parity.outputs["ddim/x_prev"], 1e-3)
    near(clean.transpose(1, 2), parity.outputs["ddim/pred_x0"], 1e-3)


def by_rule(record):
    """Weights that the fixture describes and does not hold."""
    state = {}
    for key, shape in record["state_keys"].items():
        drawn = np.random.RandomState(zlib.crc32((record["salt"] + key).encode()) & 0xFFFFFFFF)
        n, leaf = drawn.standard_normal(size=shape).astype(np.float32), key.rpartition(".")[2]
        if "embeds" in leaf:
            n = 0.5 * n
        elif len(shape) >= 2 and leaf != "g":
            n = n / np.sqrt(np.prod(shape[1:])).astype(np.float32)
        else:
            n = 1 + 0.2 * n if leaf in ("weight", "g") else 0.1 * n
        state[key] = torch.from_numpy(np.asarray(n, np.float32))
    return state


@pytest.mark.parity("baselines/codi_joint")
@torch.no_grad()
def test_several_outputs_at_once(parity):
    state, given = by_rule(parity.record), parity.inputs
    for stream, name in (("video", "unet_image"), ("audio", "unet_audio")):
        network = network_of(parity.record["constructor"][name], connector=True)
        loaded(network, below(state, f"{name}."))
        turned = (lambda x: x.transpose(1, 2)) if stream == "video" else (lambda x: x)
        x, (uncond, cond) = turned(given[stream]), given["cond"].split(len(given[stream]))
        near(turned(network.noise(x, given["timesteps"], cond)), parity.outputs[f"single_{stream}"])
        near(turned(network.noise(x, given["timesteps"], cond, connected=True)), parity.outputs[f"joint_{stream}"])
        timestep = int(given["ddim_t"])
        both = network.noise(x.repeat_interleave(1, 0), timestep, uncond, connected=True)
        eps = both + parity.record["ddim"]["scale"] * (network.noise(x, timestep, cond, connected=True) - both)
        near(turned(ddim_step(x, eps, parity)[0]), parity.outputs[f"ddim/{stream}"], 1e-3)


@pytest.mark.parity("baselines/codi_clap")
@torch.no_grad()
def test_what_clap_hears(parity):
    encoder, given, seen = read_encoder("clap", parity.state), parity.inputs, {}
    patches = encoder.audio_model.audio_encoder.patch_embed
    patches.register_forward_pre_hook(lambda _, given: seen.update(image=given[0][:, :, ::16, ::16]))
    encoder.audio_projection.register_forward_pre_hook(lambda _, given: seen.update(latent=given[0]))
    for index in range(len(given)):
        sound = given[f"waveform_{index}"][0]
        near(log_mel(sound, 16000)[:, :, ::25], parity.outputs[f"log_mel_{index}"], 1e-3)
        near(audio_context(encoder, sound, 16000), parity.outputs[f"context_{index}"], 1e-5)
        near(seen["image"], parity.outputs[f"image_{index}"], 1e-3)
        near(seen["latent"], parity.outputs[f"latent_{index}"], 1e-5)
    near(audio_context(encoder, torch.zeros(1, 16000), 16000), parity.outputs["uncond_context"], 1e-5)


@pytest.mark.parity("baselines/codi_clip_context")
@torch.no_grad()
def test_what_clip_sees_and_reads(parity):
    given, config = parity.inputs, clip_config(parity.state)
    for tower in ("text_config", "vision_config"):
        heads = parity.record["constructor"][tower]["num_attention_heads"]
        assert tower == "text_config" or config[tower]["num_attention_heads"] == heads
        config[tower]["num_attention_heads"] = heads
    encoder = CoDiCLIP(CLIPConfig(**config)).eval()
    encoder.load_state_dict(CLIP_TABLE.to_ours(parity.state, encoder.state_dict(), "clip"))
    near(clip_pixels(given["image"], encoder.config.vision_config.image_size), parity.outputs["pixel_values"], 1e-5)
    near(encoder(given["input_ids"]), parity.outputs["text_context"], 1e-5)
    near(seen_context(encoder, given["image"]), parity.outputs["image_context"], 1e-5)
    near(seen_context(encoder, torch.zeros(1, 3, 40, 64)), parity.outputs["uncond_image_context"], 1e-5)
    video = given["video"].transpose(1, 2)
    near(seen_context(encoder, video), parity.outputs["video_context"], 1e-5)


@pytest.mark.parity("baselines/full_keys_codi_diffusers")
def test_every_key_of_the_networks(parity):
    """Those of words are for another output."""
    state = {key: torch.empty(shape, device="meta") for key, shape in parity.record["keys"].items()}
    prefix, given_back = "model.diffusion_model.", {}
    for name in ("unet_image.", "unet_audio."):
        mine = below(state, prefix + name)
        network = read_unet(mine, connected=True)
        back = unet_table(network).to_original(network.state_dict())
        given_back |= {f"{prefix}{name}{key}": list(value.shape) for key, value in back.items()}
        assert network.num_parameters() == parity.record["parts"][f"{prefix}{name}"[:-1]]["numbers"]
    words = {key: shape for key, shape in parity.record["keys"].items() if key.startswith(f"{prefix}unet_text.")}
    assert given_back | words == parity.record["keys"]


@pytest.mark.parity("baselines/full_keys_codi_encoders")
def test_every_key_of_the_encoders(parity):
    """Those of AudioLDM are for another output."""
    keys = parity.record["keys"]
    state = {key: torch.empty(shape, device="meta") for key, shape in keys.items()}
    vae = build("vae", below(state, "autokl."))
    given_back = {f"autokl.{key}": value for key, value in restore_component("vae", vae).items()}
    for name, prefix, table in (("clip", "clip.model.", CLIP_TABLE), ("clap", "clap.", CLAP_TABLE)):
        network = read_encoder(name, below(state, prefix), "meta")
        ours = {key: value for key, value in network.state_dict().items() if not key.endswith("position_index")}
        back = table.to_original(ours) | table.rest(below(state, prefix))
        given_back |= {prefix + key: value for key, value in back.items()}
    other = {key: shape for key, shape in keys.items() if key.startswith("audioldm.")}
    assert {key: list(value.shape) for key, value in given_back.items()} | other == keys
