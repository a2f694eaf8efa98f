"""The folder beside a video that is being made: finished windows, from which an interrupted job goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from asva_weights import ConversionError, read_checkpoint
from asva_weights.files import full_disk_named

PLAN = "plan.json"


class PartFolder:
    """Keeps the latents of finished windows until the video is whole.

    Args:
        path: The folder; it is made with the first window.
        job: Everything that the windows depend on, as JSON. Windows of another job are left behind.
        resume: Whether windows that lie there already count.

    Attributes:
        found: Windows of this job that were there.
    """

    def __init__(self, path: Path, job: Mapping[str, Any], *, resume: bool = True) -> None:
        self.path = path
        self.digest = hashlib.sha256(json.dumps(job, sort_keys=True, default=str).encode()).hexdigest()
        self.job = job
        same = path.is_dir() and _digest(path / PLAN) == self.digest
        self.found = len(list(path.glob("window-*.safetensors"))) if same and resume else 0
        if path.is_dir() and not (same and resume):
            self.remove()

    def load(self, index: int) -> Tensor | None:
        """What was kept of a window, or None; one that a full disk or a copy has cut short is made again."""
        try:
            return read_checkpoint(self._file(index))["kept"]
        except (ConversionError, KeyError):
            return None

    def save(self, index: int, latents: Tensor) -> None:
        """Keep what is kept of a window: whole, or not at all."""
        from safetensors.torch import save_file

        if not self.path.is_dir():
            self.path.mkdir()
            text = json.dumps({"digest": self.digest, "job": self.job}, indent=2, default=str)
            (self.path / PLAN).write_text(text, encoding="utf-8")
        part = self.path / f".window-{index:06d}.part"
        try:
            with full_disk_named(self._file(index)):
                save_file({"kept": latents.contiguous()}, part)
            os.replace(part, self._file(index))
        finally:
            part.unlink(missing_ok=True)

    def remove(self) -> None:
        """Let everything go."""
        if self.path.is_dir():
            shutil.rmtree(self.path)

    def _file(self, index: int) -> Path:
        return self.path / f"window-{index:06d}.safetensors"


def _digest(plan: Path) -> str:
    try:
        return json.loads(plan.read_text(encoding="utf-8"))["digest"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
