"""Journals: tar files that grow by whole samples, so that what is finished stays finished whenever a process dies."""

from __future__ import annotations

import json
import os
import secrets
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from asva_data import MediaError

BLOCK = tarfile.BLOCKSIZE
LAST = "json"  # the member that is written last: a sample without it was cut off


class Place(NamedTuple):
    """Where a member lies."""

    journal: Path
    offset: int
    size: int


class Journal:
    """A tar file that one process appends samples to; the file comes with the first one.

    Args:
        folder: Where to; it must exist.
        prefix: Beginning of its name, which goes on by chance: every process has its own.
    """

    def __init__(self, folder: str | os.PathLike, prefix: str = "part") -> None:
        self.path = Path(folder) / f"{prefix}-{secrets.token_hex(8)}.tar"
        self.size = 0

    def append(self, key: str, files: Mapping[str, bytes | Mapping[str, Any]]) -> None:
        """Write a sample, or nothing.

        Args:
            key: Its name, without a dot.
            files: Ending to bytes, or to a mapping that is written as JSON; `json` must be there.

        Raises:
            OSError: If the disk is full or the like; what was written of the sample is cut off again.
        """
        data = b"".join(
            _member(f"{key}.{ending}", files[ending]) for ending in sorted(files, key=lambda e: (e == LAST, e))
        )
        with self.path.open("ab", buffering=0) as file:
            try:
                _write(file, data)
            except OSError:
                file.truncate(self.size)
                raise
        self.size += len(data)


def _write(file: Any, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _member(name: str, content: bytes | Mapping[str, Any]) -> bytes:
    data = content if isinstance(content, bytes) else _json(content)
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % BLOCK)


def _json(content: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a name that is no UTF-8
        return json.dumps(content).encode()


def scan(path: str | os.PathLike) -> tuple[dict[str, dict[str, Place]], int]:
    """The whole samples of a journal, in order, and where they end; what a dead process left after that is no sample.

    Returns:
        Key to ending to place, and a number of bytes.
    """
    path, samples, files, at, whole = Path(path), {}, {}, 0, 0
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        while at + BLOCK <= length:
            file.seek(at)
            try:
                info = tarfile.TarInfo.frombuf(file.read(BLOCK), "utf-8", "strict")
            except tarfile.HeaderError:
                break
            begin, at = at + BLOCK, at + BLOCK + info.size + -info.size % BLOCK
            if at > length:
                break
            key, _, ending = info.name.partition(".")
            files[ending] = Place(path, begin, info.size)
            if ending == LAST:
                samples.setdefault(key, files)
                files, whole = {}, at
    return samples, whole


class Records:
    """The samples of all journals of a folder; of one that is there twice, the first.

    Args:
        folder: With journals; it may be missing.
        prefixes: Beginnings of their names.
    """

    def __init__(self, folder: str | os.PathLike, prefixes: tuple[str, ...] = ("part", "failed")) -> None:
        self._places: dict[str, dict[str, Place]] = {}
        for prefix in prefixes:
            for path in sorted(Path(folder).glob(f"{prefix}-*.tar")):
                for key, files in scan(path)[0].items():
                    self._places.setdefault(key, files)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def read(self, key: str, ending: str = LAST) -> bytes | None:
        """The bytes of one file of a sample, or None if it has no such file.

        Raises:
            MediaError: If there is no such sample.
        """
        if key not in self._places:
            raise MediaError(f"`key` must be that of a record, got {key!r}.")
        place = self._places[key].get(ending)
        if place is None:
            return None
        with place.journal.open("rb") as file:
            file.seek(place.offset)
            return file.read(place.size)

    def facts(self, key: str) -> dict[str, Any]:
        """The JSON of a sample; `failure` in it says why there is nothing else."""
        return json.loads(self.read(key))
