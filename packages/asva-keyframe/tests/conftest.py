"""Fixtures that find the parity data."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


def parity_files(pattern: str) -> list[Path]:
    """Every instance of one kind of fixture; empty where the folder is absent."""
    root = Path(os.environ["ASVA_PARITY_DIR"])
    return sorted(root.glob(pattern))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each instance to tests that ask for ``select_fixture`` or ``localizer_fixture``."""
    patterns = {
        "select_fixture": "keyvid/g_keyframe_select_*.json",
        "localizer_fixture": "keyvid/h_localizer_*.safetensors",
    }
    for name, pattern in patterns.items():
        if name in metafunc.fixturenames:
            files = parity_files(pattern)
            absent = pytest.param(None, marks=pytest.mark.skip(reason=f"no {pattern} under ASVA_PARITY_DIR"))
            metafunc.parametrize(name, files or [absent], ids=[f.stem for f in files] or ["absent"], indirect=True)


@pytest.fixture
def select_fixture(request: pytest.FixtureRequest) -> dict:
    """The JSON of one selection fixture."""
    return json.loads(request.param.read_text(encoding="utf-8"))


@pytest.fixture
def localizer_fixture(request: pytest.FixtureRequest) -> tuple[dict, dict]:
    """Constructor and tensors of one localizer fixture."""
    from safetensors.torch import load_file

    return json.loads(request.param.with_suffix(".json").read_text(encoding="utf-8")), load_file(request.param)
