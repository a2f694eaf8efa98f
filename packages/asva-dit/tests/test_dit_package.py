"""What the package offers, and that importing it is cheap."""

import subprocess
import sys

import asva_dit


def test_every_name_resolves():
    assert "MTVTransformer3DModel" in asva_dit.__all__
    assert all(getattr(asva_dit, name) is not None for name in asva_dit.__all__)


def test_import_loads_no_heavy_library():
    code = "import sys, asva_dit; print([m for m in ('torch', 'diffusers', 'transformers') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
