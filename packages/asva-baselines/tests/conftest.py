"""Stored results of the original codes, found under ASVA_PARITY_DIR."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

PARITY = Path(os.environ["ASVA_PARITY_DIR"])


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
    """A test marked ``parity("family/name")`` runs once per instance of that fixture found."""
    for marker in metafunc.definition.iter_markers("parity"):
        name = marker.args[0]
        paths = sorted(PARITY.glob(f"{name}.json")) or sorted(PARITY.glob(f"{name}_?.json"))
        metafunc.parametrize("parity_path", paths or [None], ids=[path.stem for path in paths] or ["absent"])


@pytest.fixture
def parity(parity_path):
    if parity_path is None:
        pytest.skip(f"no such parity data under {PARITY} (set ASVA_PARITY_DIR)")
    return Fixture(parity_path)


@pytest.fixture
def bench_row(asva, write_ball, tmp_path):
    """``bench_row(method, size)`` of the model in the folder ``model``: the record of a clip that the bench scored."""

    def bench(method, size, *more):
        index = tmp_path / "model/model_index.json"
        small = json.loads(index.read_text(encoding="utf-8")) | {"height": size, "width": size}
        index.write_text(json.dumps(small), encoding="utf-8")
        write_ball(tmp_path / "hits/videos/a_denoised_thumb.mp4", 0.25, 0.5)
        (tmp_path / "hits/mine.txt").write_text("a_denoised_thumb.mp4\n", encoding="utf-8")
        words = ["hits", "--list", "hits/mine.txt", "--layout", "greatest-hits", "--model", "model", "--steps", 1]
        ran = asva("bench", *words, "-o", "bench", "--name", method, "--json", *more)
        assert ran.code == 0, ran.err
        assert method in {row["system"] for row in json.loads(ran.out)["rows"]}
        return json.loads(next((tmp_path / "bench" / method).rglob("*clip*.json")).read_text(encoding="utf-8"))

    return bench


def pytest_configure(config):
    config.addinivalue_line("markers", "parity(name): run on every stored result of the original code")
    config.addinivalue_line("markers", "slow: needs real weights, a stored loss curve or minutes of time")
