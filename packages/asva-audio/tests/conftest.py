"""Where the parity data and the real clips of a developer's machine are found."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
PARITY = Path(os.environ.get("ASVA_PARITY_DIR", SHARED / "parity"))
CLIPS = Path(os.environ.get("ASVA_CLIPS_DIR", SHARED / "clips"))


class Fixture:
    """One stored run of the original code: ``state``, ``inputs``, ``outputs`` and the JSON beside it."""

    def __init__(self, path: Path) -> None:
        self.name, self.config = path.stem, json.loads(path.with_suffix(".json").read_text())
        tensors = {key: value.float() if value.is_floating_point() else value for key, value in load_file(path).items()}
        self.state, self.inputs, self.outputs = (
            {key.split("/", 1)[1]: value for key, value in tensors.items() if key.startswith(part)}
            for part in ("state/", "in/", "out/")
        )


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
def generator():
    return torch.Generator().manual_seed(0)
