"""Where the parity data and the real clips of a developer's machine are found."""

import json
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from asva_audio.mel import MEL_SCALE

SHARED = (Path(__file__).parent / "../../../../shared").resolve()
PARITY = Path(os.environ["ASVA_PARITY_DIR"])
CLIPS = Path(os.environ.get("ASVA_CLIPS_DIR", SHARED / "clips"))


class Fixture:
    """One stored run of the original code: ``state``, ``inputs``, ``outputs`` and the JSON beside it."""

    def __init__(self, path: Path) -> None:
        self.name, self.config = path.stem, json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        tensors = {key: value.float() if value.is_floating_point() else value for key, value in load_file(path).items()}
        self.state, self.inputs, self.outputs = (
            {key.split("/", 1)[1]: value for key, value in tensors.items() if key.startswith(part)}
            for part in ("state/", "in/", "out/")
        )


@pytest.fixture
def rounding():
    """``rounding(mel)``: by how much two processors may differ in the quiet bands of a frame (f, frames).

    Both round the loudest band's amplitude to float32, and the logarithm of a quiet band's power shows it.
    """

    def allowed(mel):
        log_power = mel * MEL_SCALE
        return torch.finfo(torch.float32).eps * ((log_power.amax(-2, keepdim=True) - log_power) / 2).exp() / MEL_SCALE

    return allowed


def pytest_generate_tests(metafunc):
    """A test marked ``parity(pattern)`` runs once per fixture found."""
    for marker in metafunc.definition.iter_markers("parity"):
        paths = sorted(PARITY.glob(marker.args[0]))
        metafunc.parametrize("parity_path", paths or [None], ids=[p.stem for p in paths] or ["absent"])


@pytest.fixture
def parity(parity_path):
    if parity_path is None:
        pytest.skip(f"no such parity data under {PARITY} (set ASVA_PARITY_DIR)")
    return Fixture(parity_path)


def pytest_configure(config):
    config.addinivalue_line("markers", "parity(pattern): run on every stored result of the original code")
    config.addinivalue_line("markers", "slow: needs real weights, a stored loss curve or minutes of time")


@pytest.fixture
def parity_folder():
    return PARITY


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def write_sound(tmp_path):
    """Write (c, s) samples with PyAV; the suffix of ``name`` chooses the container."""

    def write(name, waveform, rate, codec, layout=None, start=0.0, video=False):
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            sound = container.add_stream(codec, rate=rate, layout=layout or {1: "mono", 2: "stereo"}[len(waveform)])
            picture = _picture_stream(container) if video else None
            form = next(f.name for f in sound.codec.audio_formats if f.name in FORMATS)
            size, offset = sound.codec_context.frame_size or 1024, round(start * rate)
            for i in range(0, waveform.shape[1], size):
                block = np.ascontiguousarray(waveform[:, i : i + size])
                container.mux(sound.encode(_audio_frame(block, form, sound.layout.name, rate, offset + i)))
            container.mux(sound.encode(None))
            if picture:
                for i in range(round(24 * (start + waveform.shape[1] / rate))):
                    frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 8 * i % 256, np.uint8))
                    frame.pts = i
                    container.mux(picture.encode(frame))
                container.mux(picture.encode(None))
        return path

    return write


FORMATS = {"u8": ("u1", 128), "s16": ("i2", 32767), "s16p": ("i2", 32767), "s32": ("i4", 2**31 - 1)}
FORMATS |= {"flt": ("f4", 1), "fltp": ("f4", 1), "dbl": ("f8", 1)}


def _audio_frame(block, form, layout, rate, pts):
    kind, scale = FORMATS[form]
    block = np.round(block * scale) + (128 if kind == "u1" else 0) if kind[0] != "f" else block
    block = np.clip(block, 0, 255) if kind == "u1" else block
    packed = block if form.endswith("p") else block.T.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(packed.astype(kind)), format=form, layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, pts, Fraction(1, rate)
    return frame


def _picture_stream(container):
    stream = container.add_stream("libx264" if not container.name.endswith("webm") else "libvpx", rate=24)
    stream.width = stream.height = 32
    stream.pix_fmt = "yuv420p"
    return stream


@pytest.fixture
def clips():
    paths = sorted(CLIPS.glob("*/*.mp4"))
    return paths or pytest.skip(f"no real clips under {CLIPS} (set ASVA_CLIPS_DIR)")
