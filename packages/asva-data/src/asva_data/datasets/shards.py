"""Tar shards in the WebDataset convention, read at random and without running or unpacking anything."""

from __future__ import annotations

import json
import logging
import os
import tarfile
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ..clip import MediaError
from ..draft import draft_of

logger = logging.getLogger(__name__)


class Member(NamedTuple):
    """Where a file lies inside a shard."""

    shard: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            MediaError: If the shard has changed.
        """
        with self.shard.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) != self.size:
            raise MediaError(f"`paths` must hold whole shards, got {self.shard}, which is cut short.")
        return data


class TarShards:
    """Samples of uncompressed tar files: members with the same name up to the first dot belong together.

    Members are found once and read by their place, so any sample can be read at any time, in any process. A name that
    leads out of the archive, a link or a device is logged, listed in `refused` and never touched.

    Args:
        paths: The shards, in order.

    Raises:
        MediaError: If a shard is missing, compressed or no tar file, or there is no sample.
    """

    def __init__(self, paths: Iterable[str | os.PathLike]) -> None:
        self.refused: list[tuple[Path, str]] = []
        self._samples: dict[str, dict[str, Member]] = {}
        for path in map(Path, paths):
            self._index(path)
        self.keys = list(self._samples)
        if not self.keys:
            raise MediaError("`paths` must hold samples, got none.")

    def __len__(self) -> int:
        return len(self.keys)

    def endings(self, key: str) -> list[str]:
        """What a sample holds, such as ``["json", "mp4"]``."""
        return sorted(self._sample(key))

    def read(self, key: str, ending: str) -> bytes:
        """The bytes of one file of a sample.

        Raises:
            MediaError: If there is none, or the shard has changed.
        """
        member = self._sample(key).get(ending)
        if member is None:
            raise MediaError(f"`ending` must be one of {self.endings(key)}, got {ending!r} of {key}.")
        return member.read()

    def read_json(self, key: str) -> dict[str, Any]:
        """The facts of a sample, from its member `json`."""
        try:
            return json.loads(self.read(key, "json"))
        except (ValueError, RecursionError) as error:
            place = self._sample(key)["json"].shard
            raise MediaError(f"`json` must be JSON, got something else in {key} of {place}.") from error

    @contextmanager
    def as_file(self, key: str, ending: str = "mp4") -> Generator[Path]:
        """One file of a sample under a temporary name, for readers that want a path."""
        data = self.read(key, ending)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"member.{ending}"
            path.write_bytes(data)
            yield path

    def _sample(self, key: str) -> dict[str, Member]:
        if key not in self._samples:
            raise MediaError(f"`key` must name a sample, got {key!r}.")
        return self._samples[key]

    def _index(self, path: Path) -> None:
        if not path.is_file():
            raise MediaError(f"`paths` must be existing files, got {path}.")
        try:
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    self._add(path, member)
        except MediaError:
            raise
        except Exception as error:  # a damaged archive may break anything
            raise MediaError(f"`paths` must be uncompressed tar files, got {path}: {error}.") from error

    def _add(self, path: Path, member: tarfile.TarInfo) -> None:
        if member.isdir():
            return
        name = PurePosixPath(member.name)
        if not member.isreg() or name.is_absolute() or ".." in name.parts or "\\" in member.name:
            self.refused.append((path, member.name))
            logger.warning("Refused: member %r of %s leads out of the archive or is no file.", member.name, path)
            return
        stem, _, ending = name.name.partition(".")
        files = self._samples.setdefault(str(name.parent / stem), {})
        if ending in files:
            raise MediaError(f"`paths` must hold each sample once, got {member.name} again in {path}.")
        files[ending] = Member(path, member.offset_data, member.size)


def find_members(paths: Iterable[str | os.PathLike]) -> dict[str, dict[str, Member]]:
    """Where the files of every sample lie, by its key and their endings; nothing without shards."""
    paths = list(paths)
    return TarShards(paths)._samples if paths else {}


def write_shards(
    folder: str | os.PathLike,
    samples: Iterable[tuple[str, Mapping[str, bytes | Mapping[str, Any]]]],
    *,
    max_bytes: int = 1 << 30,
    prefix: str = "shard",
    first: int = 0,
) -> list[Path]:
    """Write samples as tar shards; the same samples give the same bytes, and a shard appears whole or not at all.

    Args:
        folder: Where to; it must exist.
        samples: (key, ending to bytes, or to a mapping that is written as JSON).
        max_bytes: A shard is closed once it holds this much.
        prefix: Beginning of the names, which go on with six digits.
        first: Number of the first shard, which is replaced if it is there.

    Returns:
        The shards.

    Raises:
        MediaError: If the folder is missing, a key has a dot or leads elsewhere, or comes twice.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MediaError(f"`folder` must be an existing folder, got {folder}.")
    written: list[Path] = []
    seen: set[str] = set()
    remaining = iter(samples)
    sample = next(remaining, None)
    while sample is not None:
        path = folder / f"{prefix}-{first + len(written):06d}.tar"
        with draft_of(path) as part:
            sample = _fill(part, sample, remaining, max_bytes, seen)
        written.append(path)
    return written


def _fill(part: Path, sample: Any, remaining: Iterator[Any], max_bytes: int, seen: set[str]) -> Any:
    """Write samples until the shard is full; returns the one that comes next, or None."""
    with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as archive:
        while sample is not None:
            key, files = sample
            pure = PurePosixPath(key)
            if not key or "." in pure.name or pure.is_absolute() or ".." in pure.parts or key in seen:
                raise MediaError(f"`key` must be a new relative name without a dot, got {key!r}.")
            seen.add(key)
            for ending, content in sorted(files.items()):
                data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size, member.mode = len(data), 0o644
                archive.addfile(member, BytesIO(data))
            sample = next(remaining, None)
            if archive.offset >= max_bytes:
                break
    return sample
