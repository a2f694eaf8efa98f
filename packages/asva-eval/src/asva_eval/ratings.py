"""People's ratings of videos, in the layouts that are published and in a plain table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asva_weights.text import read_table, read_text, reading

COLUMNS = {
    "clip": ("clip", "uid", "sample", "video"),
    "system": ("system", "model", "method"),
    "rating": ("rating", "score"),
    "rater": ("rater", "annotator"),
}
"""What the columns of a table may be called; the first that is there counts."""
NEEDED = ("clip", "system", "rating")


class RatingsError(ValueError):
    """Ratings that cannot be used."""


@dataclass(frozen=True)
class Rating:
    """What one rater said of one video."""

    clip: str
    system: str
    rater: str
    value: float


def read_ratings(path: str | Path, columns: Mapping[str, str] | None = None) -> list[Rating]:
    """Ratings from a file.

    Tables (.csv, .jsonl, or a .json list of rows) have a column of clips, of systems, of ratings and, if there are
    several, of raters, which may be called as in SyncReward-Data (uid, model, score, rater). A .json of
    ``{clip: {system: rating}}`` is read as AV-Sync Evaluator's ``overall_scores.json``.

    Args:
        path: The file.
        columns: Names of the columns where they are others, by "clip", "system", "rating" and "rater".

    Raises:
        RatingsError: If the file cannot be read, a column is missing, or a rating is no number.
    """
    path, columns = Path(path), dict(columns or {})
    if unknown := [name for name in columns if name not in COLUMNS]:
        raise RatingsError(f"`columns` must name {', '.join(COLUMNS)}, got {unknown[0]}.")
    with reading(path, "`ratings` must be a CSV, JSONL or JSON of ratings", RatingsError):
        rows = _rows(path)
    if not rows:
        raise RatingsError(f"`ratings` must hold at least one row, got {path} without any.")
    names = {name: columns.get(name) or _found(name, rows[0]) or "" for name in COLUMNS}
    for name in NEEDED:
        if names[name] not in rows[0]:
            raise RatingsError(
                f"`ratings` must have a column {names[name] or ' or '.join(COLUMNS[name])}, got {path} with "
                f"{', '.join(map(str, rows[0]))}; name it with --columns {name}=COLUMN."
            )
    return [_rating(path, place, row, names) for place, row in enumerate(rows, start=1)]


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix != ".json":
        return read_table(path)
    found = json.loads(read_text(path))
    if isinstance(found, dict):
        pairs = [(clip, systems) for clip, systems in found.items() if isinstance(systems, dict)]
        found = [{"clip": c, "system": s, "rating": r} for c, systems in pairs for s, r in systems.items()]
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ValueError("it holds no rows")
    return found


def _found(name: str, row: Mapping[str, Any]) -> str:
    return next((column for column in COLUMNS[name] if column in row), "")


def _rating(path: Path, place: int, row: Mapping[str, Any], names: Mapping[str, str]) -> Rating:
    try:
        value = float(row[names["rating"]])
    except (TypeError, ValueError):
        value = float("nan")
    if not np.isfinite(value):
        raise RatingsError(f"`ratings` must be numbers, got {row[names['rating']]!r} in row {place} of {path}.")
    rater = str(row.get(names["rater"], ""))
    return Rating(str(row[names["clip"]]), str(row[names["system"]]), rater, value)
