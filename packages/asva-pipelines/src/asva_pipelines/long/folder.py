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
        """What was kept of a window, or None."""
        from safetensors.torch import load_file

        file = self._file(index)
        return load_file(file)["kept"] if file.is_file() else None

    def save(self, index: int, latents: Tensor) -> None:
        """Keep what is kept of a window: whole, or not at all."""
        from safetensors.torch import save_file

        if not self.path.is_dir():
            self.path.mkdir()
            text = json.dumps({"digest": self.digest, "job": self.job}, indent=2, default=str)
            (self.path / PLAN).write_text(text, encoding="utf-8")
        part = self.path / f".window-{index:06d}.part"
        try:
            save_file({"kept": latents.contiguous()}, part)
            os.replace(part, self._file(index))
        except Exception as error:
            part.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise
            # safetensors has an error of its own for a disk that is full
            raise OSError(28, f"No space left on device, or {error}", str(self._file(index))) from error

    def remove(self) -> None:
        """Let everything go."""
        if self.path.is_dir():
            shutil.rmtree(self.path)

    def _file(self, index: int) -> Path:
        return self.path / f"window-{index:06d}.safetensors"


def _digest(plan: Path) -> str:
    try:
        return json.loads(plan.read_text(encoding="utf-8"))["digest"]
    except (OSError, ValueError, KeyError):
        return ""
