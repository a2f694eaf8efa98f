"""Sealing: journals become shards under their final names, each sample once, with an index of what is there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
from pathlib import Path

from asva_curate.scale.journal import BLOCK, Place, scan

END = bytes(2 * BLOCK)  # the end of a tar archive


def seal(
    journals: str | os.PathLike, folder: str | os.PathLike, wanted: Collection[str], prefix: str = "shard"
) -> list[Path]:
    """Turn the journals of a folder into shards; nothing is copied unless a journal holds what is not wanted.

    It may be stopped at any point and called again.

    Args:
        journals: Folder of the journals.
        folder: Of the shards, on the same disk.
        wanted: Keys of the samples that belong there; others, and those in a shard already, are left out.
        prefix: Beginning of the names, which go on with six digits.

    Returns:
        All shards of the folder.
    """
    folder, seen = Path(folder), set()
    shards = sorted(folder.glob(f"{prefix}-*.tar"))
    for path in shards:
        seen.update(scan(path)[0])
    for path in sorted(Path(journals).glob("part-*.tar")):
        samples, end = scan(path)
        keep = [key for key in samples if key in wanted and key not in seen]
        if end != sum(_length(place) for key in keep for place in samples[key].values()):
            end = _keep_alone(path, keep, samples)
        if keep:
            with path.open("r+b") as file:
                file.truncate(end)
                file.seek(end)
                file.write(END)
            shards.append(folder / f"{prefix}-{_next(shards):06d}.tar")
            path.replace(shards[-1])
        else:
            path.unlink()
        seen.update(keep)
    return shards


def _next(shards: list[Path]) -> int:
    return 1 + max((int(path.stem.rsplit("-", 1)[1]) for path in shards), default=-1)


def _keep_alone(path: Path, keep: list[str], samples: dict[str, dict[str, Place]]) -> int:
    """Write a journal anew with some of its samples alone; returns where they end."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with path.open("rb") as old, part.open("wb") as new:
            for place in (place for key in keep for place in samples[key].values()):
                old.seek(place.offset - BLOCK)
                new.write(old.read(_length(place)))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path.stat().st_size


def _length(place: Place) -> int:
    """Bytes of a member with its header."""
    return BLOCK + place.size + -place.size % BLOCK
