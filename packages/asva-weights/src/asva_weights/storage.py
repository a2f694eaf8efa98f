"""Folders of converted models: written whole or not at all, and read part by part."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from asva_weights.errors import ModelError

SOURCE = "source.json"


def network_size(networks: Iterable[nn.Module]) -> int:
    """Bytes of the weights."""
    return sum(value.numel() * value.element_size() for network in networks for value in network.state_dict().values())


def check_space(destination: Path, needed: int) -> None:
    """Refuse what the disk cannot take.

    Raises:
        ModelError: If the disk is too small.
    """
    home = destination.parent
    home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    if free < needed:
        raise ModelError(
            f"Folder '{home}' has {free / 1e9:.1f} GB free and the converted model needs {needed / 1e9:.1f} GB: "
            f"free some, or set ASVA_CACHE to a folder on another disk."
        )


@contextmanager
def fresh(destination: Path) -> Generator[Path]:
    """A folder beside the destination that takes its name when the block ends well, and is removed otherwise.

    A block may also put a single file of it there.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
    try:
        draft.chmod(0o755)
        yield draft
        if not (destination.is_file() or (destination / SOURCE).is_file()):  # else another process was faster
            os.replace(draft, destination)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
