"""The package as a whole: names, lean imports, and the README's example."""

import re
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

import asva_data


def test_every_public_name_resolves():
    for name in asva_data.__all__:
        assert getattr(asva_data, name).__name__ == name


def test_no_submodule_hides_a_public_name():
    code = "import asva_data.decode, asva_data as a; assert all(callable(getattr(a, name)) for name in a.__all__)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_import_is_lean():
    code = "import sys, asva_data; assert not {'torch', 'av', 'PIL', 'decord', 'cv2', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_reading_imports_neither_torch_nor_decord():
    code = (
        "import sys; from asva_data import read_video, write_video; assert not {'torch', 'decord'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def readme_examples():
    """Each python block of the README, or of the installed package's description where there is no checkout."""
    readme = Path(__file__).parents[1] / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else metadata("asva-data").get_payload()
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("example", readme_examples())
def test_readme_example_runs(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
