"""The public names, what importing them costs, and the example of the README."""

import subprocess
import sys
from pathlib import Path

import pytest

import asva_audio

README = Path(__file__).parents[1] / "README.md"


def test_every_public_name_resolves():
    for name in asva_audio.__all__:
        assert getattr(asva_audio, name).__doc__, name


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, asva_audio; print(sorted({'torch', 'av', 'diffusers', 'torchaudio'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.skipif(not README.exists(), reason="the README is not installed with the package")
def test_the_example_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for example in README.read_text(encoding="utf-8").split("```python\n")[1:]:
        exec(compile(example.split("```")[0], str(README), "exec"), {})
