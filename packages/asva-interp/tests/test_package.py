"""The package's face: exported names, the README's example and the docstrings' examples."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import asva_interp

README = Path(__file__).parents[1] / "README.md"


def test_every_exported_name_resolves():
    assert asva_interp.__all__
    for name in asva_interp.__all__:
        assert getattr(asva_interp, name) is not None


def test_import_is_light():
    code = "import sys, asva_interp; print([m for m in ('torch', 'diffusers', 'transformers') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["anchors", "freenoise", "injection", "masking", "noise"])
def test_docstring_examples(module):
    found = doctest.testmod(
        importlib.import_module(f"asva_interp.{module}"), extraglobs={"torch": pytest.importorskip("torch")}
    )
    assert found.failed == 0


def test_readme_example(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(compile(example, str(README), "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*?#\s*(.*)", example)
