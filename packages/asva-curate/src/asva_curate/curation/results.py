"""What a run of curation left in a folder, read back: recipe, verdicts, and measurements one by one."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from asva_curate.curation.measurements import Measurements
from asva_curate.curation.recipe import Recipe, load_recipe
from asva_curate.curation.table import iter_measurements
from asva_curate.curation.verdict import Span, Verdict
from asva_data import MediaError

COLUMNS = ("path", "label", "kind", "start", "end", "reason")


class Results:
    """The results of `write_results`, or of `asva curate`.

    Attributes:
        folder: Where they lie.
        recipe: What decided.
        verdicts: Of every file, in the order of the measurements.

    Raises:
        MediaError: If the folder holds no such results.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        missing = [name for name in ("measurements.parquet", "reasons.csv", "recipe.yaml") if not self._has(name)]
        if missing:
            raise MediaError(
                f"`folder` must hold the results of `asva curate`, got no {', '.join(missing)} in {self.folder}."
            )
        self.recipe: Recipe = load_recipe(self.folder / "recipe.yaml")
        self.verdicts: list[Verdict] = read_verdicts(self.folder / "reasons.csv")

    def measurements(self) -> Iterator[Measurements]:
        """The measurements of every file, read as they are walked through.

        Raises:
            MediaError: If the table is damaged.
        """
        return iter_measurements(self.folder / "measurements.parquet")

    def _has(self, name: str) -> bool:
        return (self.folder / name).is_file()


def read_verdicts(path: str | os.PathLike) -> list[Verdict]:
    """Read what `write_verdicts` wrote; times are those of the table, to the millisecond.

    Raises:
        MediaError: If it is missing or something else.
    """
    if not Path(path).is_file():
        raise MediaError(f"`path` must be a table of reasons, got no file {path}.")
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        try:
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise MediaError(f"`path` must be a table with the columns {', '.join(COLUMNS)}, got {path}.")
            return list(_verdicts(rows))
        except MediaError:
            raise
        except Exception as error:
            raise MediaError(f"`path` must be a table of reasons, got {path}: {error}") from error


def _verdicts(rows: csv.DictReader) -> Iterator[Verdict]:
    """A row of a file begins a verdict; windows and clips follow it."""
    head: dict[str, str] | None = None
    spans: dict[str, list[Span]] = {"window": [], "clip": []}
    for row in rows:
        if row["kind"] != "file":
            spans[row["kind"]].append(Span(start=float(row["start"]), end=float(row["end"]), reason=row["reason"]))
            continue
        if head is not None:
            yield _verdict(head, spans)
        head, spans = row, {"window": [], "clip": []}
    if head is not None:
        yield _verdict(head, spans)


def _verdict(head: dict[str, str], spans: dict[str, list[Span]]) -> Verdict:
    known = {"path": head["path"], "label": head["label"], "reason": head["reason"]}
    return Verdict(**known, windows=tuple(spans["window"]), clips=tuple(spans["clip"]))
