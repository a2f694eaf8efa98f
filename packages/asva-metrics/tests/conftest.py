"""Where the parity data and the real clips of a developer's machine are found, and weights made by rule."""

import json
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

PARITY = Path(os.environ["ASVA_PARITY_DIR"])


class Fixture:
    """One stored run of the original code: ``state``, ``inputs``, ``outputs`` (if any) and its JSON."""

    def __init__(self, path: Path) -> None:
        self.name, self.folder = path.stem, path.parent
        self.config = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        data = path.with_suffix(".safetensors")
        tensors = load_file(data) if data.exists() else {}
        self.state, self.inputs, self.outputs = (
            {key.split("/", 1)[1]: value for key, value in tensors.items() if key.startswith(part)}
            for part in ("state/", "in/", "out/")
        )

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        with np.load(self.folder / name) as file:
            return dict(file)


@pytest.fixture(scope="session")
def made_by_rule():
    """Weights of ``asva/RULE.json``: each tensor follows from its key."""

    def make(shapes: dict[str, list[int]], salt: str, gain: float) -> dict[str, torch.Tensor]:
        return {key: _tensor(key, tuple(shape), salt, gain) for key, shape in shapes.items()}

    return make


def _tensor(key: str, shape: tuple[int, ...], salt: str, gain: float) -> torch.Tensor:
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.int64)
    seed = zlib.crc32((salt + key).encode()) & 0xFFFFFFFF
    n = np.random.RandomState(seed).standard_normal(size=shape).astype(np.float32)
    if leaf == "running_mean":
        n = 0.1 * n
    elif leaf == "running_var":
        n = 1 + 0.2 * np.abs(n)
    elif len(shape) >= 2:
        n = gain * n / np.sqrt(np.prod(shape[1:]))
    else:
        n = 1 + 0.1 * n if leaf in ("weight", "weight_g") else 0.05 * n
    return torch.from_numpy(n.astype(np.float32))


def pytest_generate_tests(metafunc):
    """A test marked ``parity(pattern, without="part of a name")`` runs once per fixture found."""
    for marker in metafunc.definition.iter_markers("parity"):
        other = marker.kwargs.get("without")
        paths = sorted(p for p in PARITY.glob(marker.args[0]) if other is None or other not in p.stem)
        metafunc.parametrize("parity_path", paths or [None], ids=[p.stem for p in paths] or ["absent"])


@pytest.fixture
def parity(parity_path):
    if parity_path is None:
        pytest.skip(f"no such parity data under {PARITY} (set ASVA_PARITY_DIR)")
    return Fixture(parity_path)


@pytest.fixture
def note(record_property, parity):
    """Put the difference of two results into the ledger (docs/parity_table.py)."""

    def put(actual, expected):
        difference = np.abs(np.asarray(actual, dtype=np.float64) - np.asarray(expected, dtype=np.float64))
        record_property(f"parity:{parity.name}", float(np.nan_to_num(difference).max(initial=0.0)))

    return put


def pytest_configure(config):
    config.addinivalue_line("markers", "parity(pattern): run on every stored result of the original code")
    config.addinivalue_line("markers", "slow: needs real weights, a stored loss curve or minutes of time")


@pytest.fixture
def parity_folder():
    return PARITY
