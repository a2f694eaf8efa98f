"""Stored results of the original code, found under ASVA_PARITY_DIR, and small networks with random weights."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from asva_unet import KeyVIDUNet

PARITY = Path(os.environ["ASVA_PARITY_DIR"])


class Fixture:
    """One stored run of the original code: ``state``, ``inputs``, ``outputs`` and the JSON beside it."""

    def __init__(self, path: Path) -> None:
        self.name, self.config = path.stem, json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        tensors = {key: value.float() if value.is_floating_point() else value for key, value in load_file(path).items()}
        self.state, self.inputs, self.outputs = (
            {key.split("/", 1)[1]: value for key, value in tensors.items() if key.startswith(part)}
            for part in ("state/", "in/", "out/")
        )


def pytest_configure(config):
    config.addinivalue_line("markers", "parity(pattern): run on every stored result of the original code")
    config.addinivalue_line("markers", "slow: needs real weights, a stored loss curve or minutes of time")


def pytest_generate_tests(metafunc):
    """A test marked ``parity(pattern)`` runs once per file found."""
    for marker in metafunc.definition.iter_markers("parity"):
        paths = sorted(PARITY.glob(marker.args[0]))
        metafunc.parametrize("parity_path", paths or [None], ids=[path.stem for path in paths] or ["absent"])


@pytest.fixture
def parity(parity_path):
    if parity_path is None:
        pytest.skip(f"no such parity data under {PARITY} (set ASVA_PARITY_DIR)")
    return (
        json.loads(parity_path.read_text(encoding="utf-8")) if parity_path.suffix == ".json" else Fixture(parity_path)
    )


@pytest.fixture
def assert_parity(parity, record_property):
    """Compare named results with the stored ones and record the largest difference of the fixture."""

    def compare(atol, **results):
        differences = {name: (result - parity.outputs[name]).abs().max().item() for name, result in results.items()}
        record_property(f"parity:{parity.name}", max(differences.values()))
        assert max(differences.values()) <= atol, differences

    return compare


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def _randomised(model, seed=0):
    """Give every weight a small random value: layers that start at zero would hide faults."""
    drawn = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data.add_(0.05 * torch.randn(parameter.shape, generator=drawn))
    return model


@pytest.fixture
def randomised():
    return _randomised


SMALL = {
    "block_out_channels": (64, 128),
    "layers_per_block": 1,
    "attention_levels": (False, True),
    "attention_head_dim": 32,
    "cross_attention_dim": 24,
    "audio_embed_dim": 20,
    "init_attention_heads": 2,
    "dropout": 0.0,
}


@pytest.fixture
def small_config():
    return dict(SMALL)


@pytest.fixture
def make_unet():
    """Build a small U-Net whose every weight is random."""
    return lambda **changes: _randomised(KeyVIDUNet(**{**SMALL, **changes})).eval()


@pytest.fixture
def make_inputs(generator):
    """Draw the arguments of a small U-Net's forward, by name."""

    def draw(model, b=2, t=3, size=4, image_frames=None):
        config = model.config

        def randn(*shape):
            return torch.randn(shape, generator=generator)

        return {
            "sample": randn(b, t, config["in_channels"], size, size),
            "timestep": torch.randint(0, 1000, (b,), generator=generator),
            "encoder_hidden_states": randn(b, 5, config["cross_attention_dim"]),
            "image_embeds": randn(b, image_frames or t, 4, config["cross_attention_dim"]),
            "audio_embeds": randn(b, t, 3, config["audio_embed_dim"]),
            "fps": torch.full((b,), 6),
            "frame_indices": torch.arange(0, 4 * t, 4).expand(b, t),
        }

    return draw
