"""A small random model in a folder, and the files that users might give, each made once."""

import wave
from pathlib import Path

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
