"""The package's face: names, lazy import, README."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import asva_metrics

MODULES = [
    *("av_align", "chance", "correlation", "events", "features", "frechet", "intervals", "loudness", "paired", "psnr"),
    *("relative_sync", "separation", "shift_clips", "shift_profile", "similarity", "streaming", "streaming_clips"),
]


def test_every_public_name_resolves():
    assert asva_metrics.__all__
    assert all(getattr(asva_metrics, name) is not None for name in asva_metrics.__all__)


def test_pure_functions_need_no_torch():
    code = """
import sys
import asva_metrics as m
m.event_f1([[0.1]], [[0.1]], 0.1)
m.frechet_distance([[0.0], [1.0], [2.0]], [[0.0], [1.0], [3.0]])
m.av_align(m.onset_times([0.0] * 9000), [0.1], 6.0)
m.relative_sync([0.0], [1.0])
print("torch" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples(module):
    assert doctest.testmod(importlib.import_module(f"asva_metrics.{module}")).failed == 0


def test_readme_examples():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})
