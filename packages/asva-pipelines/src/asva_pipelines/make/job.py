"""One video to be made: a request and the files that it becomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from asva_pipelines.lora_files import lora_file
from asva_pipelines.make.plan import make_plan
from asva_pipelines.make.request import Request
from asva_pipelines.make.stages import Stages
from asva_pipelines.make.targets import check_targets
from asva_weights.files import file_digest

# What no pixel depends on: where the networks run, and how the run is made.
_NOT_SHOWN = ("device", "offload", "compile", "resume", "confirm")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A request, and the files that it becomes.

    Attributes:
        request: What was asked for.
        targets: Final names of everything that will be written, the video last; the strip's may still change.
        overwrite: Whether files that exist are replaced.
    """

    request: Request
    targets: dict[str, Path]
    overwrite: bool = False

    @property
    def video(self) -> Path:
        """The file that it is all about."""
        return self.targets["video"]

    def check_targets(self) -> None:
        """Refuse, before any work, files that could not be written at its end."""
        check_targets([path for name, path in self.targets.items() if name != "strip"], self.overwrite)

    def check(self) -> None:
        """See that files are there and everything goes together; nothing is loaded.

        Raises:
            RequestError: If the command line cannot be right.
            MediaError: If a file is not there.
            ModelError: If a model cannot be had or does not fit.
        """
        make_plan(self.request)

    def digest(self) -> str:
        """What the pixels depend on, in 16 letters: the options, and what the files hold."""
        told = {name: value for name, value in asdict(self.request).items() if name not in _NOT_SHOWN}
        told |= {"lora": [(lora_file(source), scale) for source, scale in self.request.lora]}
        told |= {"files": [name for name in self.targets if name != "video"]}
        text = json.dumps(told, sort_keys=True, default=_content)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def make(
        self, load: Callable[..., Any] | None = None, stages: Stages | None = None
    ) -> tuple[dict[str, Any], dict[str, Path]]:
        """Make the video and everything beside it, see :func:`asva_pipelines.make_video`."""
        from asva_pipelines.make.make_video import make_video

        return make_video(
            self.request, self.targets, overwrite=self.overwrite, stages=stages, load=load, job=self.digest
        )


def _content(value: Any) -> Any:
    """What a file holds stands for it; it is read once however many jobs name it."""
    if not isinstance(value, Path):
        return str(value)
    facts = value.stat()
    return _digest(value, facts.st_size, facts.st_mtime_ns)


@cache
def _digest(path: Path, size: int, changed: int) -> str:
    del size, changed
    return file_digest(path)
