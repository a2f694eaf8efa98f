"""Settings that must stand before torch is imported: one thread a process, no downloads, no window; shared fixtures."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# What the original code answered: all of it where that lies beside the checkout, else the part that came with it.
_ALL = Path(__file__).parents[1] / "shared" / "parity"
_PARITY = _ALL if _ALL.is_dir() else Path(__file__).parent / "tests" / "parity"
os.environ.setdefault("ASVA_PARITY_DIR", str(_PARITY))

# The first is imported by the second, before which pytest wants to see it.
_FIXTURES = ("released", "bases", "browser", "command", "curated", "hub", "inputs", "media", "small_models", "study")
pytest_plugins = [f"fixtures.{name}" for name in _FIXTURES]
