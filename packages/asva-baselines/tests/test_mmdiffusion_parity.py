"""MM-Diffusion's networks and samplers against the original's (parity mmd_*), and every key of both networks."""

import math
import re

import pytest
import torch
from torch.nn import functional as F

from asva_baselines.mmdiffusion.convert import unet_table
from asva_baselines.mmdiffusion.diffusion import OFFICIAL_GRADIENT, Chain, alphas_cumprod, even_timesteps, held_step
from asva_baselines.mmdiffusion.solver import Solver
from asva_baselines.mmdiffusion.super_resolution import SuperResolutionUNet, enlarge, upsampler_table
from asva_baselines.mmdiffusion.unet import MultimodalUNet

STREAMS = ("video", "audio")


def coupled(theirs):
    """The network of a fixture's constructor."""
    levels = range(len(theirs["channel_mult"]))
    windows = dict(zip(theirs["cross_attention_resolutions"], theirs["cross_attention_windows"], strict=True))
    return MultimodalUNet(
        video_channels=theirs["video_out_channels"],
        audio_channels=theirs["audio_out_channels"],
        block_out_channels=[theirs["model_channels"] * mult for mult in theirs["channel_mult"]],
        layers_per_block=theirs["num_res_blocks"],
        video_attention_levels=[2**level in theirs["video_attention_resolutions"] for level in levels],
        audio_attention_levels=[2**level in theirs["audio_attention_resolutions"] for level in levels],
        cross_attention_windows=[windows.get(2**level, 0) for level in levels],
        cross_attention_shift=theirs["cross_attention_shift"],
        middle_cross_attention=list(windows.values()) == [1, 4, 8],
        num_heads=theirs["num_heads"],
        cross_attention_head_dim=theirs["num_head_channels"],
    ).eval()


def loaded(network, table, state):
    network.load_state_dict(table.to_ours(state, network.state_dict(), "network"))
    assert table.to_original(network.state_dict()).keys() == state.keys()
    return network


@pytest.mark.parity("baselines/mmd_unet")
@torch.no_grad()
def test_unet(parity):
    network = coupled(parity.record["constructor"])
    loaded(network, unet_table(network), parity.state)
    given = parity.inputs
    seen = []
    network.middle[-1].register_forward_hook(lambda _m, _i, out: seen.extend(out))
    video, audio = network(given["video"], given["audio"], given["timesteps"], shifts=given["shifts"].tolist())
    seen[0] = seen[0].transpose(1, 2)
    for name, made, middle in zip(STREAMS, (video, audio), seen, strict=True):
        torch.testing.assert_close(made, parity.outputs[name], rtol=0, atol=3e-5)
        torch.testing.assert_close(middle, parity.outputs[f"probe/middle_blocks/{name}"], rtol=1e-5, atol=3e-5)


@pytest.mark.parity("baselines/full_keys_mmd_*")
def test_every_key(parity):
    keys = parity.record["keys"]
    kind, table_of = (SuperResolutionUNet, upsampler_table) if "mmd_sr" in parity.name else (MultimodalUNet, unet_table)
    with torch.device("meta"):
        network = kind()
    state = {key: torch.empty(shape, device="meta") for key, shape in keys.items()}
    table = table_of(network)
    ours = table.to_ours(state, network.state_dict(), "network")
    assert {key: list(value.shape) for key, value in table.to_original(ours).items()} == keys
    assert network.num_parameters() == parity.record["parts"]["all"]["numbers"]


class Toy:
    """The stand-in of the network that the samplers' fixtures were made with, on packed streams and on pairs."""

    def __init__(self, parity):
        self.w = parity.state
        self.shape = parity.inputs["ddpm/x_T_video"].shape
        self.timesteps = []

    def __call__(self, video, audio, timestep):
        w, (b, f), length = self.w, video.shape[:2], audio.shape[2]
        each, time = length // f, timestep / 1000
        af = audio[..., : f * each].reshape(b, f, -1).mean(-1)[:, :, None, None, None]
        x = torch.einsum("oc,bfchw->bfohw", w["wv"], video)
        x = x + (w["bv"] + w["tv"] * time)[:, None, None] + w["av"][:, None, None] * af
        vf = F.pad(video.mean((2, 3, 4)).repeat_interleave(each, 1), (0, length - f * each))[:, None]
        y = w["wa"] * audio + w["va"] * vf + w["ta"] * time
        return 0.6 * x.tanh() + 0.5 * video, 0.6 * y.tanh() + 0.5 * audio

    def packed(self, x, timestep):
        self.timesteps.append(timestep)
        video, audio = x.split(self.sizes(x), 1)
        made = self(video.reshape(-1, *self.shape[1:]), audio[:, None], timestep)
        return torch.cat([one.flatten(1) for one in made], 1)

    def sizes(self, x):
        size = self.shape[1:].numel()
        return [size, x.shape[1] - size]


def near(made, stored):
    torch.testing.assert_close(made, stored, rtol=0, atol=1e-4 * max(1.0, stored.abs().max().item()))


@pytest.mark.parity("baselines/mmd_sampling")
@torch.no_grad()
def test_ddpm_and_ddim(parity):
    toy, settings = Toy(parity), parity.record["settings"]
    near(torch.from_numpy(alphas_cumprod()).float(), parity.outputs["alphas_cumprod"].float())
    for name in ("ddpm", "ddim"):
        timesteps = settings[f"timestep_map_{name}"]
        if name == "ddpm":
            assert even_timesteps(len(timesteps)) == timesteps
        chain = Chain(timesteps)
        pair = [parity.inputs[f"{name}/x_T_{stream}"] for stream in STREAMS]
        for step, index in enumerate(reversed(range(len(timesteps)))):
            eps = toy(*pair, timesteps[index])
            noises = [parity.inputs[f"{name}/step_noise_{stream}"][step] for stream in STREAMS]
            more = ([noise] for noise in noises) if name == "ddpm" else ([], [])
            moved = zip(pair, eps, more, strict=True)
            pair = [getattr(chain, name)(x, one, index, *extra) for x, one, extra in moved]
            for stream, made in zip(STREAMS, pair, strict=True):
                near(made, parity.outputs[f"{name}/{stream}"][step])


CHAINS = {
    "a2v_replace": 0.0,
    "a2v_gradient": 1.0,
    "a2v_gradient_fp16flag": 1e-6 * OFFICIAL_GRADIENT,
    "v2a_gradient": 1.0,
}


@pytest.mark.parity("baselines/mmd_sampling")
@pytest.mark.parametrize("name", CHAINS)
def test_one_stream_is_given(parity, name):
    if f"{name}/x_T_video" not in parity.inputs:
        pytest.skip(f"this fixture has no {name}")
    toy, settings = Toy(parity), parity.record["settings"]
    chain = Chain(settings["timestep_map_ddpm"])
    free, held = STREAMS if name.startswith("a2v") else STREAMS[::-1]
    order = 1 if free == "video" else -1
    x, noise, clean = (parity.inputs[key] for key in (f"{name}/x_T_{free}", f"{name}/x_T_{held}", f"clean_{held}"))
    for step, index in enumerate(reversed(range(len(chain.timesteps)))):
        noises = tuple(parity.inputs[f"{name}/step_noise_{stream}"][step] for stream in (free, held))
        predict = lambda pair, timestep: toy(*pair[::order], timestep)[::order]  # noqa: E731
        noisy = chain.noised(clean, index, noise)
        if name == "a2v_replace":  # what it makes of the sound is thrown away
            noisy = chain.ddpm(noisy, toy(x, noisy, chain.timesteps[index])[1], index, noises[1])
        near(noisy, parity.outputs[f"{name}/{held}"][step])
        x = held_step(chain, predict, x, clean, index, noise, noises, gradient=CHAINS[name] * settings["class_scale"])
        near(x, parity.outputs[f"{name}/{free}"][step])


class Official(Solver):
    """The multistep one with the original's first step, which moves the sound by another formula's factors."""

    def straight(self, x, noise, start, end):
        moved = super().straight(x, noise, start, end)
        if start == 1.0:
            (_, sigma), (signal, rest) = (self.levels.alpha_sigma(time) for time in (start, end))
            growth = math.expm1(self.levels.half_log_snr(end) - self.levels.half_log_snr(start))
            wrong = rest / sigma * x - signal * growth * noise
            moved[:, self.streams[0] :] = wrong[:, self.streams[0] :]
        return moved


@pytest.mark.parity("baselines/mmd_sampling")
@torch.no_grad()
def test_solvers(parity):
    settings = parity.record["settings"]
    runs = {
        "dpm_solver": lambda solver, x: solver.singlestep(x, settings["dpm_solver"]["steps"]),
        "dpm_solver_pp_adaptive": lambda solver, x: solver.adaptive(x),
        "dpm_multistep": lambda solver, x: solver.multistep(x, settings["dpm_multistep"]["steps"]),
    }
    start = torch.cat([parity.inputs[f"dpm/x_T_{stream}"].flatten(1) for stream in STREAMS], 1)
    for name in (name for name in runs if f"{name}/video" in parity.outputs):
        toy = Toy(parity)
        made = runs[name](Official(toy.packed, toy.sizes(start)), start)
        assert toy.timesteps == parity.outputs[f"{name}/model_timesteps"].tolist(), name
        for stream, part in zip(STREAMS, made.split(toy.sizes(start), 1), strict=True):
            stored = parity.outputs[f"{name}/{stream}"]
            near(part.view_as(stored), stored)


@pytest.mark.parity("baselines/mmd_unet")
def test_steps_through_the_network(parity):
    given, network = parity.inputs, coupled(parity.record["constructor"])
    loaded(network, unet_table(network), parity.state).requires_grad_(False)
    chain, index = Chain(parity.record["diffusion"]["timestep_map"]), int(given["cond_index"])
    noises, answers = (given["step_noise_video"], given["step_noise_audio"]), []

    def step(shifts, scale, redraw):
        def predict(pair, timestep):
            answers.append(network(*pair, timestep, shifts=shifts, redraw=redraw))
            return answers[-1]

        return held_step(
            chain, predict, given["video"], given["clean_audio"], index, given["noise_audio"], noises, gradient=scale
        )

    replaced = step(given["replace_shifts"].tolist(), 0.0, False)
    noised = chain.noised(given["clean_audio"], index, given["noise_audio"])
    compared = {
        "replace/video": replaced,
        "replace/pred_xstart_video": chain.clean(given["video"], answers[0][0], index),
        "replace/audio": chain.ddpm(noised, answers[0][1], index, noises[1]),
        "gradient/audio_noised": noised,
    }
    for name, made in compared.items():
        close = 3e-5 * ((1 / chain.alphas[index] - 1) ** 0.5 if "xstart" in name else 1)  # by which the noise counts
        torch.testing.assert_close(made, parity.outputs[name], rtol=0, atol=close)
    shifts = given["gradient_shifts"].tolist()
    scale = float(re.search(r"class_scale ([\d.]+\d)", parity.record["call"])[1])
    official = step(shifts, scale, True)
    torch.testing.assert_close(official, parity.outputs["gradient/video"], rtol=0, atol=3e-5)
    own = step(shifts, scale, False)
    assert not torch.equal(own, official) or len(set(shifts)) == 1


@pytest.mark.parity("baselines/mmd_sr_unet")
@torch.no_grad()
def test_super_resolution(parity):
    theirs, given = parity.record["constructor"], parity.inputs
    network = SuperResolutionUNet(
        block_out_channels=[theirs["model_channels"] * mult for mult in theirs["channel_mult"]],
        layers_per_block=theirs["num_res_blocks"],
        attention_levels=[2**level in theirs["attention_resolutions"] for level in range(len(theirs["channel_mult"]))],
        num_heads=theirs["num_heads"],
    ).eval()
    loaded(network, upsampler_table(network), parity.state)
    whole = []
    hook = network.conv_out.register_forward_hook(lambda _m, _i, out: whole.append(out))
    answer = network.noise(given["x"], given["timesteps"], given["low_res"])
    hook.remove()
    torch.testing.assert_close(whole[0], parity.outputs["y"], rtol=0, atol=2e-5)
    assert torch.equal(answer, whole[0][:, :3])
    steps = len(parity.record["diffusion"]["timestep_map"])
    large = enlarge(network, given["low_res"], given["noise"], steps)
    torch.testing.assert_close(large, parity.outputs["ddim"], rtol=0, atol=1e-4)
