"""Names of the files that a video becomes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from asva_pipelines.make.errors import RequestError


def check_targets(paths: Sequence[Path], overwrite: bool) -> None:
    """Refuse, before any work, outputs that could not be written at its end.

    Raises:
        RequestError: If a folder does not exist or may not be written to, a name is a folder, or a file exists and may
            not be replaced.
    """
    for path in paths:
        if not path.parent.is_dir():
            raise RequestError(f"Folder '{path.parent}' does not exist: make it (mkdir -p) or write elsewhere.")
        if not os.access(path.parent, os.W_OK):
            raise RequestError(f"Folder '{path.parent}' may not be written to: write elsewhere.")
        if path.is_dir():
            raise RequestError(f"'{path}' is a folder: name a file.")
        if path.exists() and not overwrite:
            raise RequestError(f"'{path}' exists: pass --overwrite or another name.")
