"""Small random models of every method, in memory and in folders, and files that users might give; each made once."""

import shutil
import wave
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def small_model(tmp_path_factory) -> Path:
    """Folder of a pipeline with random weights: 16x16 pixels, 48 frames, one step of each stage."""
    import torch
    from diffusers import AutoencoderKL
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPVisionConfig, CLIPVisionModel

    from asva.pipelines import KeyVIDPipeline
    from asva_audio import ImageBindAudioEncoder
    from asva_keyframe import MotionLocalizer
    from asva_unet import ImageResampler, KeyVIDUNet, make_scheduler

    width = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    audio = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    unet = {
        "out_channels": 4,
        "block_out_channels": (32, 32),
        "layers_per_block": 1,
        "attention_levels": (False, True),
        "attention_head_dim": 16,
        "init_attention_heads": 2,
        "cross_attention_dim": 16,
        "audio_embed_dim": 16,
        "norm_num_groups": 8,
        "prediction_type": "residual",
    }
    stages, conditions = ("", "interp_"), ("text", "image", "audio")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = CLIPTokenizer().train_new_from_iterator(["a ball bounces"], 600, show_progress=False)
        tokenizer.model_max_length = 8
        localizer = MotionLocalizer(audio, num_frames=48, head="columns")
        pipeline = KeyVIDPipeline(
            vae=AutoencoderKL(
                block_out_channels=(16, 16),
                down_block_types=("DownEncoderBlock2D",) * 2,
                up_block_types=("UpDecoderBlock2D",) * 2,
                latent_channels=4,
                norm_num_groups=8,
                scaling_factor=0.5,
            ),
            tokenizer=tokenizer,
            text_encoder=CLIPTextModel(CLIPTextConfig(vocab_size=len(tokenizer), max_position_embeddings=8, **width)),
            image_encoder=CLIPVisionModel(CLIPVisionConfig(image_size=16, patch_size=8, **width)),
            image_projector=ImageResampler(
                48, 2, dim=16, embedding_dim=16, output_dim=16, depth=1, heads=2, dim_head=8
            ),
            audio_encoder=ImageBindAudioEncoder(**audio),
            keyframe_unet=KeyVIDUNet(in_channels=8, **unet),
            interp_unet=KeyVIDUNet(in_channels=9, **unet),
            localizer=localizer,
            scheduler=make_scheduler("ddim", prediction_type="residual"),
            height=16,
            width=16,
            interp_fill="linear",
            interp_mask_channel=True,
            interp_noise="none",
            interp_injection=False,
            num_inference_steps=1,
            interp_num_inference_steps=1,
            eta=0.0,
            selection="even",
            **dict.fromkeys((f"{stage}{name}_guidance_scale" for stage in stages for name in conditions), 1.0),
            **dict.fromkeys((f"{stage}guidance_rescale" for stage in stages), 0.0),
        )
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):  # layers that start at zero shall count
                for parameter in part.parameters():
                    parameter.data.add_(0.05 * torch.randn(parameter.shape))
    folder = tmp_path_factory.mktemp("models") / "small"
    pipeline.save_pretrained(folder)
    return folder


WIDTH = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
HEARING = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SMALL = {"height": 16, "width": 16, "num_inference_steps": 2}
FLAT_UNET = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "block_out_channels": (16, 16),
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "cross_attention_dim": 16,
    "attention_head_dim": 2,
}


def _words_and_pixels() -> dict:
    """Tokenizer, text encoder and autoencoder, which all methods have."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    tokenizer = CLIPTokenizer().train_new_from_iterator(["a ball bounces"], 600, show_progress=False)
    tokenizer.model_max_length = 16
    return {
        "vae": AutoencoderKL(
            block_out_channels=(16, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=8,
        ),
        "tokenizer": tokenizer,
        "text_encoder": CLIPTextModel(CLIPTextConfig(vocab_size=len(tokenizer), max_position_embeddings=16, **WIDTH)),
    }


def _avsyncd(audio: bool, **config):
    from diffusers import PNDMScheduler

    from asva.pipelines import AVSyncDPipeline
    from asva_audio import ImageBindAudioEncoder
    from asva_unet import AVSyncDUNet

    encoder = ImageBindAudioEncoder(**HEARING, stride=(10, 10), num_frames=204) if audio else None
    parts = {
        "unet": AVSyncDUNet(**FLAT_UNET, audio_cross_attention_dim=16, audio=audio),
        "scheduler": PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        "audio_encoder": encoder,
    }
    return AVSyncDPipeline(**_words_and_pixels(), **parts, **SMALL | config)


def _audio_window(audio: bool, **config):
    from transformers import CLIPVisionConfig, CLIPVisionModel

    from asva.pipelines import AudioWindowPipeline
    from asva_audio import BEATsEncoder, ImageBindAudioEncoder, MultiFeatureEncoder
    from asva_unet import ImageResampler, KeyVIDUNet, make_scheduler

    parts = {
        "image_encoder": CLIPVisionModel(CLIPVisionConfig(image_size=16, patch_size=8, **WIDTH)),
        "image_projector": ImageResampler(12, 2, dim=16, embedding_dim=16, output_dim=16, depth=1, heads=2, dim_head=8),
        "unet": KeyVIDUNet(
            block_out_channels=(32, 32),
            layers_per_block=1,
            attention_levels=(False, True),
            attention_head_dim=16,
            init_attention_heads=2,
            cross_attention_dim=16,
            norm_num_groups=8,
            audio_cross_attention=False,
            frame_index_embedding=False,
            audio_window_attention=audio,
            audio_window_dim=16,
        ),
        "scheduler": make_scheduler("ddim"),
    }
    if audio:
        sources = {"imagebind": {"width": 16, "layers": [0]}, "beats": {"width": 16, "layers": [0]}}
        parts |= {
            "taps": MultiFeatureEncoder(sources, output_dim=16),
            "imagebind": ImageBindAudioEncoder(**HEARING),
            "beats": BEATsEncoder(**HEARING, embed_dim=16, intermediate_size=32, conv_pos=8, conv_pos_groups=2),
        }
    return AudioWindowPipeline(**_words_and_pixels(), **parts, **SMALL | config)


def _stable_diffusion(**config):
    """As Stable Diffusion 1.x is published, for AADiff and for first frames."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel

    return StableDiffusionPipeline(
        **_words_and_pixels(),
        unet=UNet2DConditionModel(sample_size=8, **FLAT_UNET),
        scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **config,
    )


def _name_as_published(folder: Path) -> None:
    """The text encoder's weights under the names that they had before transformers 5."""
    from safetensors.torch import load_file, save_file

    path = folder / "text_encoder" / "model.safetensors"
    state = {f"text_model.{name.removeprefix('text_model.')}": value for name, value in load_file(path).items()}
    save_file(state, path, metadata={"format": "pt"})


def _mtv(**config):
    """A video of 9 frames at 8 per second: autoencoder of patches, log-mel ear, two blocks."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    from asva.pipelines import LogMelFrames, MTVPipeline, PatchVideoAutoencoder
    from asva_dit import MTVTransformer3DModel, make_scheduler

    tokenizer = CLIPTokenizer().train_new_from_iterator(["a drum before a wall"], 600, show_progress=False)
    tokenizer.model_max_length = 16
    return MTVPipeline(
        vae=PatchVideoAutoencoder(patch_size=4, latent_channels=4),
        tokenizer=tokenizer,
        text_encoder=CLIPTextModel(CLIPTextConfig(vocab_size=len(tokenizer), max_position_embeddings=16, **WIDTH)),
        audio_encoder=LogMelFrames(fps=8, num_hidden_layers=2, hidden_size=8),
        transformer=MTVTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=4,
            out_channels=4,
            time_embed_dim=16,
            text_embed_dim=16,
            num_layers=2,
            sample_width=4,
            sample_height=4,
            max_text_seq_length=16,
            use_rotary_positional_embeddings=True,
            audio_layers=2,
            audio_channels=8,
            audio_hidden_dim=16,
            audio_tokens=2,
            audio_dim=16,
            interaction_layers=1,
            interaction_heads=2,
        ),
        scheduler=make_scheduler(),
        **{"num_frames": 9, "fps": 8, **SMALL} | config,
    )


@pytest.fixture(scope="session")
def make_pipeline() -> Callable:
    """``make_pipeline("avsyncd", **config)``: a small pipeline of a method, with random weights everywhere."""
    import torch

    makers = {
        "avsyncd": lambda **config: _avsyncd(True, **config),
        "i2vd": lambda **config: _avsyncd(False, **config),
        "audio-window": lambda **config: _audio_window(True, **config),
        "dynamicrafter": lambda **config: _audio_window(False, **config),
        "aadiff": _stable_diffusion,
        "mtv": _mtv,
    }

    def make(method: str, **config):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            pipeline = makers[method](**config)
            for part in pipeline.components.values():
                if isinstance(part, torch.nn.Module):  # layers that start at zero shall count
                    for parameter in part.parameters():
                        parameter.data.add_(0.05 * torch.randn(parameter.shape))
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    return make


@pytest.fixture(scope="session")
def method_model(tmp_path_factory, make_pipeline, small_model) -> Callable[[str], Path]:
    """``method_model("avsyncd")``: folder of a small model of a method, 16x16 pixels, 12 frames at 6 per second."""
    home = tmp_path_factory.mktemp("methods")

    @cache
    def folder(method: str) -> Path:
        if method == "keyvid":
            return small_model
        make_pipeline(method).save_pretrained(home / method)
        if method == "aadiff":
            _name_as_published(home / method)
        return home / method

    return folder


def write_wav(path: Path, samples: np.ndarray, rate: int = 16000, width: int = 2) -> Path:
    """Samples (s,) or (s, c) in [-1, 1] as PCM of 1, 2, 3 or 4 bytes."""
    samples = np.atleast_2d(np.asarray(samples, np.float64).T).T
    scaled = np.round(np.clip(samples, -1, 1) * (2 ** (8 * width - 1) - 1)).astype("<i4")
    packed = (scaled + 128).astype(np.uint8).tobytes() if width == 1 else b""
    if width > 1:
        packed = scaled.view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(packed)
    return path


@pytest.fixture(scope="session")
def knocks() -> np.ndarray:
    """Two seconds of three knocks at 16 kHz."""
    time = np.arange(32000) / 16000
    return sum(
        0.8 * np.exp(-40 * np.clip(time - at, 0, None)) * (time >= at) * np.sin(2 * np.pi * 330 * time)
        for at in (0.25, 0.9, 1.5)
    )


@pytest.fixture(scope="session")
def inputs(tmp_path_factory, knocks) -> Path:
    """Folder with a good picture and a good sound: ``ball.png`` and ``knocks.wav``."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("inputs")
    colours = np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(colours).save(folder / "ball.png")
    write_wav(folder / "knocks.wav", knocks)
    return folder


class Ran:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def complaint(self) -> str:
        """The last line on stderr, where errors stand."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


@pytest.fixture
def asva(capsys, monkeypatch, tmp_path):
    """``asva("sample", ...)`` in this process, in an empty folder, with caches of its own."""
    from asva.cli import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASVA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def run(*words: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app([str(word) for word in words], prog_name="asva")
        return Ran(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def write_ball() -> Callable:
    """``write_ball(path, first, gap)``: two seconds of a ball that bounces from ``first`` on every ``gap`` seconds.

    It knocks when it bounces; ``sound`` is another waveform at 16 kHz, or False for a file without a track; ``still``
    repeats the first frame.
    """
    from asva_data import write_video

    rate, seconds = 16000, 2.0

    def knocking(times: np.ndarray) -> np.ndarray:
        noise, samples = np.random.default_rng(0).normal(size=800), np.zeros(round(seconds * rate) + 800)
        for start in np.round(times * rate).astype(int):
            samples[start : start + 800] += 0.5 * noise * np.exp(-np.arange(800) / 150)
        return np.clip(samples[: round(seconds * rate)], -1, 1)

    def bouncing(first: float, gap: float, side: int, fps: int) -> np.ndarray:
        times = np.arange(round(seconds * fps)) / fps
        rows = 0.85 - 0.6 * np.abs(np.sin(np.pi * (times - first) / gap))[:, None, None]
        y, x = (np.mgrid[:side, :side] + 0.5) / side
        inside = np.clip((0.14 - np.sqrt((y - rows) ** 2 + (x - 0.5) ** 2)) * side, 0, 1)
        ground = 60 + 20 * np.sin(9 * x) * np.cos(7 * y)
        return np.repeat((ground + (220 - ground) * inside)[..., None], 3, axis=-1).astype(np.uint8)

    def write(path: Path, first: float, gap: float, *, sound=None, side: int = 48, fps: int = 24, still=False) -> Path:
        frames = bouncing(first, gap, side, fps)
        frames = np.repeat(frames[:1], len(frames), axis=0) if still else frames
        path.parent.mkdir(parents=True, exist_ok=True)
        if sound is False:
            return write_video(path, frames, fps=fps, crf=0)
        waveform = knocking(np.arange(first, seconds, gap)) if sound is None else sound
        return write_video(path, frames, fps=fps, waveform=waveform, sample_rate=rate, crf=0)

    return write


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser without a window, whose microphone hums; for a module, as its loop suffers no other beside it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs chromium")
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with playwright.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()
