"""Stored results of the original codes, found under ASVA_PARITY_DIR."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

PARITY = Path(os.environ["ASVA_PARITY_DIR"]) / "baselines"


class Fixture:
    """One stored run of an original: ``config``, ``state``, ``inputs``, ``outputs``, all floats in float32."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.record = json.loads(path.read_text(encoding="utf-8"))
        self.config = self.record.get("config")
        data = path.with_suffix(".safetensors")
        tensors = load_file(data) if data.exists() else {}
        self.state, self.inputs, self.outputs = (
            {
                key.removeprefix(part): value.float() if value.is_floating_point() else value
                for key, value in tensors.items()
                if key.startswith(part)
            }
            for part in ("state/", "in/", "out/")
        )

    def state_below(self, prefix: str) -> dict[str, torch.Tensor]:
        return {key.removeprefix(prefix): value for key, value in self.state.items() if key.startswith(prefix)}


def pytest_generate_tests(metafunc):
    """A test marked ``parity("baselines/name")`` runs once per instance of that fixture found."""
    for marker in metafunc.definition.iter_markers("parity"):
        name = marker.args[0].partition("/")[2]
        paths = sorted(PARITY.glob(f"{name}.json")) or sorted(PARITY.glob(f"{name}_?.json"))
        metafunc.parametrize("parity_path", paths or [None], ids=[path.stem for path in paths] or ["absent"])


@pytest.fixture
def parity(parity_path):
    if parity_path is None:
        pytest.skip(f"no such parity data under {PARITY} (set ASVA_PARITY_DIR)")
    return Fixture(parity_path)


def pytest_configure(config):
    config.addinivalue_line("markers", "parity(name): run on every stored result of the original code")
    config.addinivalue_line("markers", "slow: needs real weights, a stored loss curve or minutes of time")
