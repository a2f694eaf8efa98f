"""Both stages end to end against the original code, on a small model (parity m_stage1_* and m_stage2_*)."""

import json
import os
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel

from asva_audio import ImageBindAudioEncoder, convert_imagebind_audio
from asva_pipelines import KeyVIDPipeline, base
from asva_pipelines.keyvid import interpolation
from asva_pipelines.keyvid import pipeline as keyvid
from asva_unet import ImageResampler, KeyVIDUNet, denoise, load_component, make_scheduler
from asva_unet.pixels import decode_latents

FOLDER = Path(os.environ["ASVA_PARITY_DIR"]) / "keyvid"
FIRST = sorted(FOLDER.glob("m_stage1_pipeline_*.safetensors"))
SECOND = sorted(FOLDER.glob("m_stage2_pipeline_*.safetensors"))
TOLERANCE = {"rtol": 0, "atol": 1e-4}
CALLS = {"none": "uncond", "image": "img", "image_text": "img_text", "full": "full"}

pytestmark = pytest.mark.skipif(
    not FIRST or not SECOND, reason=f"no parity fixtures m_stage*_pipeline_* under {FOLDER}; set ASVA_PARITY_DIR"
)


def frames_second(tensor):
    """The original's (..., c, t, h, w) as (..., t, c, h, w)."""
    return tensor.transpose(-3, -4)


def load(path):
    tensors = {name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()}
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8")), tensors


def part(tensors, prefix):
    prefix = f"state/{prefix}."
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def loaded(name, model, tensors, prefix):
    load_component(name, part(tensors, prefix), model)
    return model


def unet_of(options, tensors, audio_dim):
    levels = len(options["channel_mult"])
    unet = KeyVIDUNet(
        in_channels=options["in_channels"],
        out_channels=options["out_channels"],
        block_out_channels=[options["model_channels"] * factor for factor in options["channel_mult"]],
        layers_per_block=options["num_res_blocks"],
        attention_levels=[2**level in options["attention_resolutions"] for level in range(levels)],
        attention_head_dim=options["num_head_channels"],
        cross_attention_dim=options["context_dim"],
        audio_embed_dim=audio_dim,
        frame_index_embedding=options["add_frame_idx"],
    )
    return loaded("unet", unet, tensors, "model.diffusion_model")


def vae_of(options, tensors):
    levels = len(options["ch_mult"])
    vae = AutoencoderKL(
        block_out_channels=[options["ch"] * factor for factor in options["ch_mult"]],
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=options["num_res_blocks"],
        latent_channels=options["z_channels"],
        scaling_factor=0.18215,
    )
    return loaded("vae", vae, tensors, "first_stage_model")


def vision_of(options, tensors, projection):
    config = CLIPVisionConfig(
        hidden_size=options["width"],
        intermediate_size=4 * options["width"],
        num_hidden_layers=options["layers"],
        num_attention_heads=options["width"] // options["head_width"],
        image_size=options["image_size"],
        patch_size=options["patch_size"],
        projection_dim=projection,
        hidden_act="gelu",
    )
    return loaded("image_encoder", CLIPVisionModel(config), tensors, "embedder.model")


def resampler_of(options, tensors):
    names = {"dim", "depth", "dim_head", "heads", "num_queries", "embedding_dim", "output_dim", "ff_mult"}
    kept = {name: value for name, value in options.items() if name in names}
    return loaded("image_projector", ImageResampler(options["video_length"], **kept), tensors, "image_proj_model")


def audio_of(options, tensors):
    encoder = ImageBindAudioEncoder(
        num_frames=options["audio_target_len"],
        stride=tuple(options["audio_stride"]),
        hidden_size=options["audio_embed_dim"],
        num_hidden_layers=options["audio_num_blocks"],
        num_attention_heads=options["audio_num_heads"],
    )
    encoder.load_state_dict(convert_imagebind_audio(part(tensors, "imagebind_model")))
    return encoder


def pipeline_of(meta, tensors):
    """The fixture's model as our pipeline, every component through its converter."""
    made, sampler = meta["constructor"], meta["sampler"]
    unet = unet_of(made["unet"], tensors, made["audio_dim"])
    scales = {"text": "cfg_text", "image": "cfg_img", "audio": "cfg_audio"}
    settings = {
        f"{prefix}{name}_guidance_scale": sampler[key] for prefix in ("", "interp_") for name, key in scales.items()
    }
    small = CLIPTextConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    return KeyVIDPipeline(
        vae=vae_of(made["vae"]["ddconfig"], tensors),
        tokenizer=None,
        text_encoder=CLIPTextModel(small),
        image_encoder=vision_of(made["clip_vision"], tensors, tensors["state/embedder.model.visual.proj"].shape[1]),
        image_projector=resampler_of(made["resampler"], tensors),
        audio_encoder=audio_of(made["imagebind"], tensors),
        keyframe_unet=unet,
        interp_unet=unet,
        localizer=None,
        scheduler=make_scheduler("ddim", dynamic_rescale=True),
        height=tensors["in/image"].shape[-2],
        width=tensors["in/image"].shape[-1],
        alignment="official",
        dynamic_rescale=made["ldm"]["use_dynamic_rescale"],
        vae_sample="mode",
        num_inference_steps=sampler["steps"],
        interp_num_inference_steps=sampler["steps"],
        eta=sampler["eta"],
        guidance_rescale=sampler["guidance_rescale"],
        interp_guidance_rescale=sampler["guidance_rescale"],
        keyframe_fps=sampler["fs"],
        fps=sampler["fs"],
        **settings,
    )


@pytest.fixture
def given(monkeypatch):
    """Text embeddings and mel of the fixture in place of the encoders that it left out."""

    def use(pipe, tensors):
        words = {"": tensors["in/null_text_emb"], "given": tensors["in/text_emb"]}
        encode = lambda tokenizer, encoder, prompts, device: torch.cat([words[prompt] for prompt in prompts])  # noqa: E731
        monkeypatch.setattr(base, "text_tokens", encode)
        monkeypatch.setattr(pipe, "_mel", lambda sounds: tensors["in/mel"])
        return {
            "image": tensors["in/image"][0],
            "audio": torch.zeros(1, 32000),
            "prompt": "given",
            "sample_rate": 16000,
        }

    return use


def watch_first_step(monkeypatch):
    """Collect the network's answers at the first step, by branch."""
    answers = {}

    def watched(predict, *args, **options):
        def note(sample, timestep, names):
            answer = predict(sample, timestep, names)
            answers.setdefault(names[0], answer)
            return answer

        return denoise(note, *args, **options)

    for module in (keyvid, interpolation):
        monkeypatch.setattr(module, "denoise", watched)
    return answers


def check_answers(answers, meta, tensors):
    assert answers.keys() >= {"none", "image", "full"}  # "image_text" cancels where text and sound weigh the same
    for branch, answer in answers.items():
        expected = frames_second(tensors[f"out/first_step_{CALLS[branch]}"])
        torch.testing.assert_close(answer, expected, **TOLERANCE, msg=lambda text, b=branch: f"{b}: {text}")


def check_video(pipe, latents, tensors):
    """Latents, the first frames' pixels and every frame's mean."""
    torch.testing.assert_close(latents, frames_second(tensors["out/latent"])[0], **TOLERANCE)
    with torch.no_grad():
        pixels = decode_latents(pipe.vae.eval(), latents[None], 4)[0]
    torch.testing.assert_close(pixels[:4], frames_second(tensors["out/video_first4"]), **TOLERANCE)
    torch.testing.assert_close(pixels.mean((1, 2, 3)), tensors["out/video_mean_per_frame"], **TOLERANCE)


@pytest.mark.parametrize("path", FIRST, ids=lambda path: path.stem)
def test_first_stage(path, given, monkeypatch):
    meta, tensors = load(path)
    pipe = pipeline_of(meta, tensors)
    answers = watch_first_step(monkeypatch)
    monkeypatch.setattr(pipe, "_between", lambda keyframes, *_: keyframes)
    result = pipe(
        **given(pipe, tensors),
        keyframe_indices=tensors["in/keyframes"],
        latents=frames_second(tensors["in/x_T"]),
        step_noise=frames_second(tensors["in/step_noise"]),
        output_type="latent",
    )
    check_answers(answers, meta, tensors)
    check_video(pipe, result.keyframe_frames, tensors)


@pytest.mark.parametrize("path", SECOND, ids=lambda path: path.stem)
def test_second_stage(path, given, monkeypatch):
    meta, tensors = load(path)
    pipe = pipeline_of(meta, tensors)
    answers = watch_first_step(monkeypatch)

    def encoded(first, tokens, indices, guidance, settings):
        return pipe._encode_frames(frames_second(tensors["in/keyframe_images"]), settings)

    monkeypatch.setattr(pipe, "_keyframes", encoded)
    result = pipe(
        **given(pipe, tensors),
        keyframe_indices=tensors["in/keyframes"],
        interp_latents=frames_second(tensors["in/x_T"]),
        interp_step_noise=frames_second(tensors["in/step_noise"]),
        output_type="latent",
    )
    check_answers(answers, meta, tensors)
    check_video(pipe, result.frames, tensors)
