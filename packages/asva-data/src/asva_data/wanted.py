"""Which parts of which videos belong in a dataset: a table, or a folder as it is."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from asva_weights.text import read_table, reading, text_lines

from .clip import MediaError
from .listing import class_of, video_files

VGGSOUND_SECONDS = 10.0


class Wanted(NamedTuple):
    """A part of a video that belongs in a dataset.

    Attributes:
        id: Name of the video, such as its YouTube id; a plain file name without ending.
        start: Seconds at which the part begins, or None for all of the file.
        end: Seconds at which it ends, or None.
        label: Its class.
        split: "train", "test", or empty: drawn by `test_share`.
        path: Its file, or empty: looked for below the raw folder.
    """

    id: str
    start: float | None = None
    end: float | None = None
    label: str = ""
    split: str = ""
    path: str = ""


def read_wanted(path: str | os.PathLike) -> list[Wanted]:
    """Read a table of parts.

    A .csv with a header (`id`, `start`, `end`, `label`, `split`, `path`; only `id` or `path` is needed), a .csv without
    one in the form of vggsound.csv (id, start, label, split; 10 s each), or a .jsonl with the same fields.

    Raises:
        MediaError: If it is none of these, or a number is none.
    """
    path = Path(path)
    if not path.is_file() or path.suffix not in (".csv", ".jsonl"):
        raise MediaError(f"`table` must be an existing .csv or .jsonl file, got {path}.")
    with reading(path, "`table` must have id, start, end, label in each row", MediaError):
        return [_wanted(row) for row in (read_table(path) if path.suffix == ".jsonl" else _csv_rows(text_lines(path)))]


def wanted_from_folder(raw: str | os.PathLike) -> list[Wanted]:
    """Every video of a folder as a whole, its subfolder as the label."""
    raw = Path(raw)
    return [Wanted(path.stem, label=class_of(path, raw), path=str(path)) for path in video_files(raw)]


def _csv_rows(lines: Iterable[str]) -> list[dict[str, Any]]:
    rows = [row for row in csv.reader(lines) if row]
    if rows and not {"id", "path"} & set(rows[0]):
        if any(len(row) != 4 for row in rows):
            raise ValueError("without a header each row must be id, start, label, split")
        return [
            {"id": row[0], "start": row[1], "end": float(row[1]) + VGGSOUND_SECONDS, "label": row[2], "split": row[3]}
            for row in rows
        ]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def _wanted(row: dict[str, Any]) -> Wanted:
    start, end = (None if row.get(key) in (None, "") else float(row[key]) for key in ("start", "end"))
    if (start is not None and start < 0) or (end is not None and end <= (start or 0.0)):
        raise ValueError(f"`start` must be 0 or more and below `end`, got {row}")
    path = str(row.get("path") or "")
    name = str(row.get("id") or Path(path).stem)
    return Wanted(name, start, end, str(row.get("label") or ""), str(row.get("split") or ""), path)
