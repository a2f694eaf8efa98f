"""Settings that must stand before torch is imported: one thread a process, no downloads, no window; shared fixtures."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

_FIXTURES = ("browser", "command", "curated", "hub", "inputs", "media", "released", "small_models")
pytest_plugins = [f"fixtures.{name}" for name in _FIXTURES]
