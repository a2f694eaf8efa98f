"""Xing et al.: the loop equals the one that was released, and from public parts to a video that it moves."""

import pytest
import torch
from diffusers import DDIMScheduler
from fixtures.inputs import write_wav
from fixtures.released import WIDTH, lively, text_encoder, vae, write_tokenizer
from fixtures.small_models import FLAT_UNET
from torch.nn import functional as F

from asva_baselines.seeing_hearing.aligner import Alignment, denoise_aligned
from asva_baselines.seeing_hearing.method import ADAPTER, STABLE_DIFFUSION
from asva_data import read_video
from asva_pipelines import convert_model, load_pipeline
from asva_unet import TextAudioGuidance


@pytest.mark.parity("baselines/xing_aligner")
def test_the_loop_equals_the_released_one(parity):
    config, inputs, state = parity.config, parity.inputs, parity.state
    schedule = {name: value for name, value in config["scheduler"].items() if name != "type"}

    def linear(name, values):
        return F.linear(values, state[f"{name}.weight"], state.get(f"{name}.bias"))

    def convolved(name, values):
        return F.conv2d(values, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    def predict(sample, timestep, branches):
        rows = [inputs["prompt_embeds"][-1 if branch == "full" else 0] for branch in branches]
        told = linear("unet_cond", torch.stack(rows))[..., None, None]
        return torch.tanh(convolved("unet_conv", sample) + told) * (1 + timestep.view(-1, 1, 1, 1) / 1000)

    losses = []

    def unlike(clean):
        decoded = torch.tanh(convolved("decode_conv", clean / config["scaling_factor"]))
        seen = linear("embed", linear("vocoder_lin", decoded).flatten(1))
        terms = [1 - F.cosine_similarity(seen, inputs[f"{name}_embedding"]) for name in ("text", "vision")]
        losses.append(torch.stack(terms).sum().detach())
        return torch.stack(terms).sum()

    trail = []
    alignment = Alignment(
        unlike=unlike,
        start=config["optimization_starting_point"],
        learning_rate=config["learning_rate"],
        rounds=config["num_optimization_steps"],
    )
    scheduler = DDIMScheduler(**schedule)
    denoise_aligned(
        predict,
        inputs["latents"],
        scheduler,
        config["steps"],
        guidance=TextAudioGuidance(audio=config["guidance"]),
        alignment=alignment,
        callback_on_step_end=lambda step, total, now: trail.append(now),
    )
    assert scheduler.timesteps.tolist() == parity.outputs["timesteps"].tolist()
    torch.testing.assert_close(torch.stack(losses), parity.outputs["losses"], atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.stack(trail), parity.outputs["trajectory"], atol=1e-4, rtol=0)


def small_imagebind():
    from asva_audio import ImageBindAudioEncoder, ImageBindAudioHead
    from asva_metrics import ImageBind, ImageBindTextTower, ImageBindVisionTower, invert_imagebind

    blocks = {"hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 12}
    towers = ImageBind(
        ImageBindVisionTower(**blocks | {"num_attention_heads": 16}, embedding_size=16, image_size=28),
        ImageBindTextTower(
            **blocks | {"num_attention_heads": 16}, embedding_size=16, vocab_size=300, context_length=16
        ),
        ImageBindAudioEncoder(**blocks, num_frames=204, stride=(10, 10)),
        ImageBindAudioHead(48, 16),
    )
    return invert_imagebind(lively(towers))


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The folder that `asva models info seeing-hearing` asks for."""
    from diffusers import MotionAdapter, PNDMScheduler, UNet2DConditionModel

    home = tmp_path_factory.mktemp("SeeingHearing")
    torch.save(small_imagebind(), home / "imagebind_huge.pth")
    base = home / STABLE_DIFFUSION
    unet = lively(UNet2DConditionModel(**FLAT_UNET | {"cross_attention_dim": WIDTH}))
    for part, network in (("unet", unet), ("vae", lively(vae())), ("text_encoder", text_encoder(16))):
        network.save_pretrained(base / part)
    write_tokenizer(base / "tokenizer")
    PNDMScheduler(skip_prk_steps=True).save_pretrained(base / "scheduler")
    motion = {"motion_layers_per_block": 1, "motion_num_attention_heads": 2, "motion_norm_num_groups": 8}
    adapter = MotionAdapter(FLAT_UNET["block_out_channels"], **motion, use_motion_mid_block=False)
    lively(adapter).save_pretrained(home / ADAPTER)
    return home


def test_from_public_parts_to_a_video_that_hears(asva, released, inputs, tmp_path, knocks):
    ran = asva("models", "convert", released, "model")
    assert ran.code == 0, ran.err
    assert "approximate" in ran.err
    late = write_wav(tmp_path / "late.wav", knocks[::-1])
    for name, sound in (("knocks", inputs / "knocks.wav"), ("late", late)):
        words = ("--prompt", "a nail", "--steps", 3, "--size", "16x16", "--output", f"{name}.mp4")
        ran = asva("sample", "--model", "model", "-a", sound, *words)
        assert ran.code == 0, ran.err
    made = read_video("knocks.mp4")
    assert made.frames.shape == (16, 16, 16, 3) and made.fps == 8
    assert (read_video("late.mp4").frames != made.frames).any()

    pipeline = load_pipeline("model", device="cpu")
    settings = {"height": 16, "width": 16, "num_inference_steps": 3, "output_type": "latent", "prompt": "a nail"}

    def latents(**more):
        return pipeline(audio=late, generator=torch.Generator().manual_seed(0), **settings | more).frames

    heard, deaf = latents(), latents(no_audio=True)
    moved = (heard - deaf).abs()
    assert 0.05 < moved[[0, 7, 8, 15]].mean(), "the frames that ImageBind sees move by about the learning rate"
    assert not torch.equal(latents(audio_guidance_scale=0.0), heard)
    torch.testing.assert_close(latents(align_after=1.0), deaf)
    with pytest.raises(ValueError, match="`align_after` must be in"):
        latents(align_after=2.0)
    with pytest.raises(ValueError, match="`guidance_start` and `guidance_stop` must be left out"):
        latents(guidance_stop=0.5)


@pytest.mark.slow
def test_to_a_row_of_the_bench(released, bench_row, tmp_path):
    convert_model(released, tmp_path / "model")
    assert bench_row("seeing-hearing", 16)["prompt"]
