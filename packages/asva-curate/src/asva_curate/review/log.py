"""Lines of JSON that several processes may append to: on the disk when it returns, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Write a row behind those that are there; the folder is made.

    Raises:
        OSError: If the disk is full or the like.
    """
    path.parent.mkdir(exist_ok=True)
    with path.open("ab+") as file:
        torn = file.tell() and not _ends_with_a_line(file)  # of a process that was killed while it wrote
        file.write(("\n" if torn else "").encode() + json.dumps(row).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_rows(path: Path) -> Iterator[Any]:
    """The rows of a file; lines that were cut off by a kill are left out."""
    for line in path.read_bytes().splitlines():
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):  # torn
            continue


def _ends_with_a_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
