"""The rows of a batch: lines of a CSV or JSONL file, or the pictures and sounds of a folder that share a name."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asva_data.listing import ENDINGS as VIDEOS
from asva_weights.text import read_text, reading, text_lines

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".heic", ".avif", ".bmp", ".tif", ".tiff")
SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".aif")
LONGEST_CELL = 1 << 20  # letters


class TableError(ValueError):
    """A table or folder of which no batch can be made; one line that names the row and the mend."""


@dataclass(frozen=True)
class Row:
    """What one video is made of.

    Attributes:
        name: To be told by, such as ``row 3 of jobs.csv``.
        values: Values by the names of options, without dashes in front; only those that are given.
    """

    name: str
    values: Mapping[str, Any]


def read_rows(source: Path) -> list[Row]:
    """Rows of a table, or of a folder.

    Args:
        source: CSV with a header, JSONL, or a folder. Files of a folder that share a name but for the ending are one
            row: a picture, a sound, a video for what of these is missing, and a text for the prompt.

    Raises:
        TableError: If it cannot be read, is empty, or a name is ambiguous.
    """
    if source.is_dir():
        rows = list(_of_folder(source))
    elif source.suffix.lower() in (".csv", ".jsonl") and source.is_file():
        with reading(source, "`--batch` must be UTF-8 text in rows and columns", TableError):
            rows = list((_of_csv if source.suffix.lower() == ".csv" else _of_jsonl)(source))
    else:
        raise TableError(f"`--batch` must be an existing .csv, .jsonl or folder, got '{source}'.")
    if not rows:
        raise TableError(f"`--batch` must give at least one row, got none from '{source}'.")
    return rows


def _of_csv(path: Path) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_CELL)
    lines = csv.reader(text_lines(path), strict=True)
    head = [option_name(cell) for cell in next(lines, [])]
    twice = {name for name in head if head.count(name) > 1}
    if "" in head or twice:
        what = f"'{min(twice)}' twice" if twice - {""} else "a column without a name"
        raise TableError(f"`--batch`: the header of '{path}' must name each column once, got {what}.")
    for number, cells in enumerate((cells for cells in lines if any(cells)), start=1):
        name = f"row {number} of {path.name}"
        if len(cells) != len(head):
            raise TableError(f"`--batch`: {name} must have {len(head)} cells like the header, got {len(cells)}.")
        yield Row(name, {column: cell for column, cell in zip(head, cells, strict=True) if cell.strip()})


def _of_jsonl(path: Path) -> Iterator[Row]:
    for number, line in enumerate((line for line in text_lines(path) if line.strip()), start=1):
        name = f"row {number} of {path.name}"
        try:
            values = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise TableError(f"`--batch`: {name} is not valid JSON: {error}.") from None
        if not isinstance(values, dict):
            raise TableError(f'`--batch`: {name} must be an object, such as {{"image": "a.png"}}, got {line!r}.')
        named = {option_name(key): value for key, value in values.items() if value is not None}
        if len(named) != sum(value is not None for value in values.values()):
            raise TableError(f"`--batch`: {name} must name each option once.")
        yield Row(name, named)


def option_name(text: str) -> str:
    """A column as the command line has it.

    >>> option_name(" interp_steps ")
    'interp-steps'
    """
    return text.strip().replace("_", "-")


def _of_folder(folder: Path) -> Iterator[Row]:
    kinds = {"image": PICTURES, "audio": SOUNDS, "video": VIDEOS, "prompt": (".txt",)}
    groups: dict[Path, dict[str, Path]] = {}
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        kind = next((kind for kind, endings in kinds.items() if path.suffix.lower() in endings), None)
        if kind is None or any(part.startswith(".") for part in below.parts) or not path.is_file():
            continue
        group = groups.setdefault(below.with_suffix(""), {})
        if kind in group:
            raise TableError(f"`--batch`: '{group[kind]}' and '{path}' have one name: keep one of them.")
        group[kind] = path
    for stem, group in groups.items():
        if group.keys() != {"prompt"}:
            yield Row(f"'{stem.as_posix()}' of {folder.name or folder}", _values(stem, group))


def _values(stem: Path, group: dict[str, Path]) -> dict[str, Any]:
    video = {} if "video" not in group else {"image": str(group["video"]), "audio": str(group["video"])}
    values = video | {kind: str(group[kind]) for kind in ("image", "audio") if kind in group}
    if "prompt" in group:
        try:
            values["prompt"] = read_text(group["prompt"]).strip()
        except UnicodeDecodeError:
            raise TableError(f"`--batch`: '{group['prompt']}' must be UTF-8 text.") from None
    return values | {"output": f"{stem.as_posix()}.mp4"}
