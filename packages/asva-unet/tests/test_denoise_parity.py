"""The sampling loop against trajectories of the original code (parity f_* and f2_*)."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from asva_unet import Guidance, denoise, make_scheduler

FOLDER = Path(os.environ["ASVA_PARITY_DIR"]) / "keyvid"
FIXTURES = sorted([*FOLDER.glob("f_ddim_*.safetensors"), *FOLDER.glob("f2_ddim_*.safetensors")])


def load(path):
    """The fixture's description and its tensors by their full names, floating ones as they are stored."""
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8")), load_file(path)


def frames_second(tensor):
    """The original's (..., c, t, h, w) as (..., t, c, h, w)."""
    return tensor.transpose(-3, -4)


class Toy:
    """The linear stand-in of a U-Net that the fixtures were made with."""

    def __init__(self, tensors):
        self.weights = {key.removeprefix("state/"): value.float() for key, value in tensors.items() if "state/" in key}
        self.given = {key.removeprefix("in/"): value for key, value in tensors.items() if key.startswith("in/")}
        self.seen = []

    def __call__(self, sample, timestep, branches):
        (branch,) = branches
        self.seen.append(branch)
        text = {"none": "ctx_uncond", "image": "ctx_img", "image_text": "ctx_cond", "full": "ctx_cond"}[branch]
        audio = "audio_cond" if branch == "full" else "audio_null"
        return self.evaluate(sample, timestep, self.given[text], self.given[audio])

    def evaluate(self, sample, timestep, text, audio):
        w = self.weights
        out = torch.nn.functional.conv3d(frames_second(sample), w["conv.weight"], w["conv.bias"], padding=1)
        out = out + (w["wt"] * timestep[:, None].float() / 1000)[:, :, None, None, None]
        out = out + (text.mean(1) @ w["wc.weight"].T)[:, :, None, None, None]
        out = out + (audio.mean(2) @ w["wa.weight"].T).transpose(1, 2)[..., None, None]
        out = out + (w["wf"] * self.given["fs"][:, None].float() / 24)[:, :, None, None, None]
        index = self.given["frame_idx"].float() / 48
        return frames_second(out + (w["wi"][None, :, None] * index[:, None])[..., None, None])


class SingleToy(Toy):
    """The single-condition sampler knows two branches: nothing, and text with sound."""

    def __call__(self, sample, timestep, branches):
        full = branches == ("full",)
        text, audio = ("ctx_cond", "audio_cond") if full else ("ctx_uncond", "audio_null")
        return self.evaluate(sample, timestep, self.given[text], self.given[audio])


def scheduler_of(meta):
    schedule, spacing = meta["schedule"], meta["sampler"]["timestep_spacing"]
    return make_scheduler(
        "ddim",
        prediction_type={"v": "v_prediction", "eps": "epsilon"}[schedule["parameterization"]],
        zero_terminal_snr=schedule["rescale_betas_zero_snr"],
        dynamic_rescale=schedule["use_dynamic_rescale"],
        timestep_spacing={"uniform_trailing": "trailing", "uniform": "leading"}[spacing],
        steps_offset=1 if spacing == "uniform" else 0,
        beta_start=schedule["linear_start"],
        beta_end=schedule["linear_end"],
        base_scale=schedule["base_scale"],
        turning_step=schedule["turning_step"],
    )


def run(meta, tensors):
    sampler = meta["sampler"]
    single = "ddim_multiplecond" not in meta["cls"]
    text = sampler["unconditional_guidance_scale"]
    if single:
        toy, guidance = SingleToy(tensors), Guidance(1.0, 1.0, text, sampler["guidance_rescale"])
    else:
        toy = Toy(tensors)
        guidance = Guidance(text, sampler["cfg_img"], sampler["cfg_audio"], sampler["guidance_rescale"])
    steps = []
    inject = None
    if sampler["keyframes"] is not None:
        keys, indices = frames_second(toy.given["x_keyframe"]), toy.given["keyframe_idx"]

        def inject(step, latents, noise, alpha):
            if step <= sampler["end_step"]:
                latents[:, indices] = alpha**0.5 * keys + (1 - alpha) ** 0.5 * noise()[:, indices]
            return latents

    denoise(
        toy,
        frames_second(toy.given["x_T"]),
        scheduler_of(meta),
        sampler["S"],
        guidance=guidance,
        condition_latents=frames_second(toy.given["c_concat"]),
        prediction_type=scheduler_of(meta).config.prediction_type,
        eta=sampler["eta"],
        step_noise=frames_second(toy.given["step_noise"]),
        after_step=inject,
        callback_on_step_end=lambda step, total, latents: steps.append(latents.clone()),
    )
    return torch.stack(steps)


@pytest.mark.skipif(not FIXTURES, reason=f"no parity fixtures f_ddim_* under {FOLDER}; set ASVA_PARITY_DIR")
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
class TestOriginal:
    def test_trajectory(self, path):
        meta, tensors = load(path)
        steps = run(meta, tensors)
        torch.testing.assert_close(steps, frames_second(tensors["out/x_steps"]), rtol=0, atol=1e-4)
        torch.testing.assert_close(steps[-1], frames_second(tensors["out/final"]), rtol=0, atol=1e-4)

    def test_schedule(self, path):
        meta, tensors = load(path)
        scheduler = scheduler_of(meta)
        scheduler.set_timesteps(meta["sampler"]["S"])
        out = {name.removeprefix("out/ddim_"): value for name, value in tensors.items()}
        assert scheduler.timesteps.flip(0).tolist() == out["timesteps"].tolist()
        exact = {"rtol": 0, "atol": 1e-6}
        torch.testing.assert_close(scheduler.alphas_cumprod, tensors["out/alphas_cumprod"], **exact)
        torch.testing.assert_close(scheduler.betas, tensors["out/betas"], **exact)
        torch.testing.assert_close(scheduler.grid_alphas.flip(0).float(), out["alphas"], **exact)
        torch.testing.assert_close(scheduler.grid_alphas_prev.flip(0), out["alphas_prev"], **exact)
        torch.testing.assert_close(scheduler.grid_sigmas(meta["sampler"]["eta"]).flip(0), out["sigmas"], **exact)
        if "out/scale_arr" in tensors:
            torch.testing.assert_close(scheduler.scales, tensors["out/scale_arr"][:1000], **exact)
            rescale = out["scale_arr_prev"] / out["scale_arr"]
            torch.testing.assert_close(scheduler.grid_rescale.flip(0), rescale, **exact)
