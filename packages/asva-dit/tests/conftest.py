"""Stored results of the original code, found under ASVA_PARITY_DIR, and small networks with random weights."""

import json
import os
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import CogVideoXTransformer3DModel

from asva_dit import MTVTransformer3DModel, rotary_embedding

PARITY = Path(os.environ["ASVA_PARITY_DIR"])


def drawn(name: str, *shape: int) -> np.ndarray:
    """Normal numbers by a name, as the rule of the fixtures has it."""
    return np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF).randn(*shape)


@cache
def weight(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """A weight by its name, as the rule of the fixtures has it."""
    a = drawn(name, *shape)
    if len(shape) >= 2:
        a = a * 0.7 / np.sqrt(np.prod(shape[1:]))
    else:
        a = 1 + 0.1 * a if name.endswith("weight") else 0.02 * a
    return torch.from_numpy(a.astype(np.float32))


class Fixture:
    """One stored run of the original network: weights and inputs made by their rules, outputs read."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        family = path.stem.split("_")[1]
        self.parameters = json.loads((path.parent / f"mtvnet_{family}_params.json").read_text(encoding="utf-8"))[
            "parameters"
        ]
        self.state = {name: weight(name, tuple(entry["shape"])) for name, entry in self.parameters.items()}
        with np.load(path) as arrays:
            self.outputs = {name: torch.from_numpy(arrays[name]) for name in arrays}
        self.case = f"{family}/{path.stem.removeprefix(f'mtvnet_{family}_')}"
        self.speakers = 2 if family == "multi" else 1

    def config(self) -> dict:
        """Arguments of our model, from the shapes."""
        sizes = {name: entry["shape"] for name, entry in self.parameters.items()}
        tokens = sizes["transformer.audio_proj.proj3.weight"][0] // 768
        return {
            "num_attention_heads": sizes["time_embed.0.weight"][1] // 64,
            "num_layers": sum(name.endswith(".mlp.dense_h_to_4h.bias") and ".layers." in name for name in sizes),
            "in_channels": sizes["mixins.patch_embed.proj.weight"][1],
            "text_embed_dim": sizes["mixins.patch_embed.text_proj.weight"][1],
            "sample_height": 6,
            "sample_width": 8,
            "max_text_seq_length": 8,
            "use_rotary_positional_embeddings": True,
            "use_learned_positional_embeddings": True,
            "audio_layers": 3,
            "audio_channels": 16,
            "audio_hidden_dim": sizes["transformer.audio_proj.proj1.weight"][0],
            "audio_tokens": tokens,
            "audio_temporal": "tied_conv",
            "interaction_layers": sum("dual_blocks" in name and name.endswith("dense_h_to_4h.bias") for name in sizes),
            "num_speakers": self.speakers,
            "zero_init": False,
        }

    def inputs(self) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        """Latents, text and the features of the tracks by our names."""
        b = len(self.outputs["output"])

        def draw(tag: str, *shape: int) -> torch.Tensor:
            return torch.from_numpy(drawn(f"{self.case}/{tag}", b, *shape).astype(np.float32))

        latents, text = draw("x", 13, 16, 6, 8), draw("text", 8, 32)
        tracks = {tag: draw(tag, 49, 5, 3, 16) for tag in ("vocal", "vocal_1", "effect", "music")}
        for tensor in [text, *tracks.values()] if b == 2 else []:
            tensor[0] = 0
        speech = tracks["vocal"] if self.speakers == 1 else torch.stack([tracks["vocal"], tracks["vocal_1"]], dim=1)
        named = {"speech_embeds": speech, "effects_embeds": tracks["effect"], "music_embeds": tracks["music"]}
        return latents, text, named


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
    if parity_path.suffix == ".json":
        return json.loads(parity_path.read_text(encoding="utf-8"))
    return Fixture(parity_path) if parity_path.stem.startswith("mtvnet") else dict(np.load(parity_path))


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


BASE = {
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "num_layers": 2,
    "text_embed_dim": 12,
    "time_embed_dim": 24,
    "sample_width": 8,
    "sample_height": 6,
    "max_text_seq_length": 5,
    "use_rotary_positional_embeddings": True,
}
CONTROL = {
    "audio_layers": 2,
    "audio_channels": 6,
    "audio_hidden_dim": 16,
    "audio_tokens": 3,
    "audio_dim": 20,
    "interaction_layers": 2,
    "interaction_heads": 4,
}


def _randomised(model, seed=0):
    """Give every weight a small random value: layers that start at zero would hide faults."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.fixture
def control_config():
    return dict(CONTROL)


@pytest.fixture
def make_base():
    """Build a small CogVideoX transformer whose every weight is random."""
    return lambda **changes: _randomised(CogVideoXTransformer3DModel(**{**BASE, **changes}), 1)


@pytest.fixture
def make_model():
    """Build a small model whose every weight is random."""
    return lambda **changes: _randomised(MTVTransformer3DModel(**{**BASE, **CONTROL, **changes}))


@pytest.fixture
def make_inputs(generator):
    """Draw the arguments of a small model's forward, by name."""

    def draw(model, b=1, t=3):
        config = model.config

        def randn(*shape):
            return torch.randn(shape, generator=generator)

        shape = (b, 4 * t - 3, 5, CONTROL["audio_layers"], CONTROL["audio_channels"])
        speakers = config.get("num_speakers", 1)
        return {
            "hidden_states": randn(b, t, 16, 6, 8),
            "encoder_hidden_states": randn(b, 5, 12),
            "timestep": torch.randint(1, 1000, (b,), generator=generator),
            "image_rotary_emb": rotary_embedding(model, t, 6, 8),
            "speech_embeds": randn(*shape) if speakers == 1 else randn(b, speakers, *shape[1:]),
            "effects_embeds": randn(*shape),
            "music_embeds": randn(*shape),
        }

    return draw
