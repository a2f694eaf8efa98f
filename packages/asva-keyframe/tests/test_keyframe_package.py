"""The package's face: names, lazy import, README."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import asva_keyframe


def test_every_public_name_resolves():
    assert asva_keyframe.__all__
    assert all(getattr(asva_keyframe, name) is not None for name in asva_keyframe.__all__)


def test_import_is_light():
    code = "import sys, asva_keyframe; print(sorted({'torch', 'diffusers', 'torchvision', 'cv2'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_selection_needs_no_torch():
    code = "import sys; from asva_keyframe import select_keyframes as f; f([0.0] * 48); print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


@pytest.mark.parametrize("module", ["bundled", "draws", "flow", "keypoints", "selection", "spread", "times"])
def test_docstring_examples(module):
    assert doctest.testmod(importlib.import_module(f"asva_keyframe.{module}")).failed == 0


def test_readme_examples():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})
