"""Folders of converted models: written whole or not at all, and read part by part."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from asva_weights.errors import ModelError

SOURCE = "source.json"


def network_size(networks: Iterable[nn.Module]) -> int:
    """Bytes of the weights."""
    return sum(value.numel() * value.element_size() for network in networks for value in network.state_dict().values())


def check_space(needs: Mapping[Path, float]) -> None:
    """Refuse what the disks cannot take.

    Args:
        needs: Bytes by the folder that they go to, which need not exist; folders on one disk share its space.

    Raises:
        ModelError: If a disk is too small.
    """
    disks: dict[int, list[Path]] = {}
    for folder in needs:
        disks.setdefault(_existing(folder).stat().st_dev, []).append(folder)
    for folders in disks.values():
        free, needed = shutil.disk_usage(_existing(folders[0])).free, sum(needs[folder] for folder in folders)
        if free < needed:
            names = " and ".join(f"'{folder}'" for folder in folders)
            raise ModelError(
                f"The disk of {names} has {free / 1e9:.1f} GB free and the "
                f"model needs {needed / 1e9:.1f} GB: free some, or set ASVA_CACHE (converted models) or HF_HOME "
                f"(downloads) to a folder on another disk."
            )


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.absolute().parents) if place.is_dir())


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
