"""VideoCrafter's networks and sampler against the original's (parity vc_*), and every key of its four models."""

import pytest
import torch
from diffusers.models.embeddings import ImageProjection
from torch.nn import functional as F
from transformers import CLIPVisionConfig, CLIPVisionModel

from asva_unet import ImageResampler, load_component, make_scheduler, restore_component, shapes
from asva_unet.components import join_checkpoint, split_checkpoint
from asva_unet.latent_video import build
from asva_unet.openclip import clip_image_pixels
from asva_unet.tokens import image_tokens
from asva_weights.key_table import below

TEXT_TOKENS = 77
PROBES = {
    "probe/init_attn": "init_transformer",
    "probe/input_blocks.1": "down_blocks.0.layers.0",
    "probe/middle_block": "mid_block.layers.1",
}


@pytest.mark.parity("baselines/vc_unet_*.safetensors")
@torch.no_grad()
def test_unet(parity, assert_parity):
    model = build("unet", parity.state)
    assert restore_component("unet", model).keys() == parity.state.keys()
    seen = {}
    for key, name in PROBES.items():
        model.get_submodule(name).register_forward_hook(lambda _m, _i, out, key=key: seen.__setitem__(key, out[:1]))
    given = parity.inputs
    context = given["context"]
    image = context[:, None, TEXT_TOKENS:] if model.config.image_cross_attention else None
    fps = given.get("fps", parity.config["fps_int"])
    y = model(given["x"].transpose(1, 2), given["timesteps"], context[:, :TEXT_TOKENS], image, fps=fps).sample
    assert_parity(1e-5, y=y.transpose(1, 2))
    for key, rows in seen.items():
        assert (rows - parity.outputs[key]).abs().max() <= 1e-5 * parity.outputs[key].abs().max(), key


@pytest.mark.parity("baselines/vc_image_embedder_*.safetensors")
@torch.no_grad()
def test_image_tokens(parity, assert_parity):
    given, theirs = parity.inputs, parity.config["constructor"]
    tower = below(parity.state, "embedder.model.")
    heads = theirs["vision"]["width"] // theirs["vision"]["heads_w"]
    config = {**shapes.vision_config({**tower, "visual.proj": torch.empty(1, 1)}), "num_attention_heads": heads}
    encoder = CLIPVisionModel(CLIPVisionConfig(**config)).eval()
    load_component("image_encoder", tower, encoder)
    options = {name: value for name, value in theirs["resampler"].items() if name != "num_queries"}
    projector = ImageResampler(num_frames=1, num_queries=theirs["resampler"]["num_queries"], **options).eval()
    load_component("image_projector", below(parity.state, "image_proj_model."), projector)
    names = sorted(name.removeprefix("image_") for name in given if name.startswith("image_"))
    for name in names:
        image = given[f"image_{name}"]
        tokens = image_tokens(encoder, image)
        stored = {
            f"preprocessed_{name}": clip_image_pixels(image)[..., ::7, ::7],
            f"tokens_{name}": tokens,
            f"image_embeds_{name}": projector(tokens),
        }
        assert_parity(2e-5, **stored)
    assert_parity(2e-5, uncond_image_embeds=projector(image_tokens(encoder, torch.zeros(1, 3, 224, 224))))
    coarse = below(parity.state, "coarse_proj.")  # of no released model; diffusers has it
    width = len(coarse["norm.weight"])
    projection = ImageProjection(given["pooled"].shape[1], width, len(coarse["proj.bias"]) // width)
    projection.load_state_dict({name.replace("proj.", "image_embeds."): value for name, value in coarse.items()})
    assert_parity(2e-5, image_proj_model=projection(given["pooled"]))


class Toy:
    """The stand-in of a U-Net that the fixtures were made with."""

    def __init__(self, parity):
        self.w, self.given = parity.state, parity.inputs

    def __call__(self, x, t, context):
        w, rows = self.w, (..., None, None, None)
        out = F.conv3d(x, w["conv.weight"], w["conv.bias"], padding=1)
        out = out + (w["wt"] * t / 1000)[rows] + F.linear(context.mean(1), w["wc.weight"], w.get("wc.bias"))[rows]
        if "fps" in self.given:
            out = out + (w["wf"] * self.given["fps"][:, None] / 24)[rows]
        return out.tanh() + 0.9 * x / (1 + x.abs().mean())


@pytest.mark.parity("baselines/vc_ddim_*.safetensors")
@torch.no_grad()
def test_sampler(parity, assert_parity):
    """The original's grid, which has a surplus entry where the steps do not divide 1000, is taken from the fixture."""
    schedule, sampler, given = parity.config["schedule"], parity.config["sampler"], parity.inputs
    scale = schedule.get("use_scale", False)
    scheduler = make_scheduler(
        prediction_type="epsilon",
        zero_terminal_snr=False,
        timestep_spacing="leading",
        steps_offset=1,
        dynamic_rescale=scale,
        base_scale=schedule.get("scale_b", 0.3),
        end_at_scale_one=True,
    )
    grid = parity.outputs["ddim_timesteps"].flip(0).tolist()
    scheduler.set_timesteps(timesteps=grid)
    toy, x, states, clean = Toy(parity), given["x_T"], [given["x_T"]], []
    for step, timestep in enumerate(grid):
        uncond, cond = toy(x, timestep, given["uncond"]), toy(x, timestep, given["cond"])
        guided = uncond + sampler["unconditional_guidance_scale"] * (cond - uncond)
        noise = given["step_noise"][step]
        x, original = scheduler.step(guided, timestep, x, sampler["eta"], variance_noise=noise, return_dict=False)
        states.append(x)
        # ours is on the scale of the next timestep, theirs on scale 1
        clean.append(original / (scheduler.scales[[*grid, 0][step + 1]] if scale else 1))
    stored = {"y": x, "x_inter": torch.stack(states)}
    # of a noisy step the noise's error counts many times
    assert_parity(1e-3, pred_x0=torch.stack(clean))
    arrays = {
        "ddim_alphas": scheduler.grid_alphas,
        "ddim_alphas_prev": scheduler.grid_alphas_prev,
        "ddim_sqrt_one_minus_alphas": (1 - scheduler.grid_alphas).sqrt(),
        "ddim_sigmas": scheduler.grid_sigmas(sampler["eta"]),
    }
    if scale:
        arrays["ddim_scale_arr"] = scheduler.scales[grid]
        arrays["ddim_scale_arr_prev"] = scheduler.scales[grid] * scheduler.grid_rescale
        noised = scheduler.add_noise(
            given["x_T"] * scheduler.scales[given["q_t"]].view(-1, 1, 1, 1, 1), given["q_noise"], given["q_t"]
        )
        stored["q_sample"] = noised
        levels = parity.outputs["scale_arr"]
        assert (scheduler.scales - levels[: len(scheduler.scales)]).abs().max() < 1e-6
    assert_parity(5e-4, **stored, **{name: array.flip(0) for name, array in arrays.items()})
    if sampler["S"] in (5, 8, 10, 50):
        scheduler.set_timesteps(sampler["S"])
        assert scheduler.timesteps.tolist() == grid


@pytest.mark.parity("baselines/full_keys_vc_*.json")
def test_every_key(parity):
    state = {key: torch.empty(shape, device="meta") for key, shape in parity["keys"].items()}
    parts = split_checkpoint(state, needed=("unet", "vae", "text_encoder"))
    restored = {"schedule": parts["schedule"]}
    for name in ("unet", "vae", "text_encoder", "image_encoder", "image_projector"):
        if parts[name]:
            facts = {"num_frames": 1} if name == "image_projector" else {}
            network = build(name, parts[name], **facts)
            restored[name] = parts[name] | restore_component(name, network)  # with what it has no use for
    assert {key: list(value.shape) for key, value in join_checkpoint(restored).items()} == parity["keys"]
