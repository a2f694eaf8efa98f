"""Measurements and clips on disk: Parquet, so that thresholds can be moved without decoding again."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from asva_curate.curation.demix import subsets_within
from asva_curate.curation.measurements import Measurements
from asva_curate.curation.recipe import Recipe
from asva_curate.curation.verdict import Verdict
from asva_curate.curation.whole_set import count_reasons
from asva_data import MediaError
from asva_data.draft import draft_of


def write_measurements(path: str | os.PathLike, measured: Iterable[Measurements]) -> Path:
    """Write measurements as one Parquet file, a thousand at a time, under a temporary name until it is whole."""
    import pyarrow.parquet as pq

    path, rest = Path(path), iter(measured)
    with draft_of(path) as part, pq.ParquetWriter(part, _schema(), compression="zstd") as writer:
        while batch := list(islice(rest, 1000)):
            writer.write_table(_table(batch))
    return path


def read_measurements(path: str | os.PathLike) -> list[Measurements]:
    """Read what `write_measurements` wrote.

    Raises:
        MediaError: If it is missing or something else.
    """
    return list(iter_measurements(path))


def iter_measurements(path: str | os.PathLike) -> Iterator[Measurements]:
    """As `read_measurements`, a thousand at a time."""
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise MediaError(f"`path` must be a table of measurements, got no file {path}.")
    try:
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=1000):
                yield from (Measurements.from_row(row) for row in batch.to_pylist())
    except Exception as error:  # a damaged table breaks its reader in many ways
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise MediaError(f"`path` must be a table of measurements, got {path}: {reason}.") from error


def _table(batch: Sequence[Measurements]) -> Any:
    """Measurements as an Arrow table; arrays as they are, since numbers one by one take twenty times as long."""
    import pyarrow as pa

    named = [(name, curve) for item in batch for name, curve in sorted(item.curves.items())]
    parts = {part: _lists([getattr(curve, part) for _, curve in named]) for part in ("begins", "ends", "values")}
    names = pa.array([name for name, _ in named], pa.string())
    curves = pa.StructArray.from_arrays([names, *parts.values()], ["name", *parts])
    columns = []
    for field in _schema():
        values = [getattr(item, field.name) for item in batch]
        if field.name == "curves":
            columns.append(pa.ListArray.from_arrays(_offsets(values), curves))
        elif pa.types.is_list(field.type):
            columns.append(_lists(values, np.dtype(str(field.type.value_type))))
        else:
            columns.append(pa.array(values, field.type))
    return pa.Table.from_arrays(columns, schema=_schema())


def _lists(values: Sequence[np.ndarray], kind: Any = np.float64) -> Any:
    import pyarrow as pa

    flat = np.concatenate([np.zeros(0, kind), *values]).astype(kind)
    return pa.ListArray.from_arrays(_offsets(values), pa.array(flat))


def _offsets(values: Sequence[Sized]) -> Any:
    import pyarrow as pa

    return pa.array(np.cumsum([0, *map(len, values)]), pa.int32())


def _schema() -> Any:
    import pyarrow as pa

    numbers = pa.list_(pa.float64())
    curve = pa.struct([("name", pa.string()), ("begins", numbers), ("ends", numbers), ("values", numbers)])
    text, real, whole = pa.string(), pa.float64(), pa.int64()
    kinds = {
        "path": text,
        "label": text,
        "failure": text,
        "duration": real,
        "sound_seconds": real,
        "fps": real,
        "height": whole,
        "width": whole,
        "num_frames": whole,
        "codec": text,
        "curves": pa.list_(curve),
        "frame_times": numbers,
        "frame_hashes": pa.list_(pa.uint64()),
        "sound_prints": pa.list_(pa.uint32()),
    }
    return pa.schema(list(kinds.items()))


def write_clips(
    path: str | os.PathLike, verdicts: Sequence[Verdict], measured: Iterable[Measurements] | None = None
) -> Path:
    """Write the clips that are kept as a table of id, start, end, label and path, as `prepare` reads it.

    Where the measurements tell, a column says to which subsets of DEMIX a clip belongs.
    """
    rows, subsets, items = [], [], iter(measured or ())
    for verdict in verdicts:
        item = next(items, None)
        for clip in verdict.clips:
            if clip.kept:
                times = f"{clip.start:.3f}", f"{clip.end:.3f}"
                rows.append((Path(verdict.path).stem, *times, verdict.label, verdict.path))
                told = item is not None and item.path == verdict.path
                subsets.append(subsets_within(item, clip.start, clip.end) if told else None)
    head = ("id", "start", "end", "label", "path")
    if any(names is not None for names in subsets):
        head, rows = (*head, "subsets"), [(*row, " ".join(n or ())) for row, n in zip(rows, subsets, strict=True)]
    return _text(Path(path), [head, *rows])


def write_verdicts(path: str | os.PathLike, verdicts: Sequence[Verdict]) -> Path:
    """Write every file, window and clip with its reason, one row each."""
    rows: list[tuple[str, ...]] = [("path", "label", "kind", "start", "end", "reason")]
    for verdict in verdicts:
        rows.append((verdict.path, verdict.label, "file", "", "", verdict.reason))
        for kind, spans in (("window", verdict.windows), ("clip", verdict.clips)):
            rows += [
                (verdict.path, verdict.label, kind, f"{span.start:.3f}", f"{span.end:.3f}", span.reason)
                for span in spans
            ]
    return _text(Path(path), rows)


def write_results(
    folder: str | os.PathLike, measured: Iterable[Measurements], verdicts: Sequence[Verdict], recipe: Recipe
) -> dict[str, dict[str, int]]:
    """Write all that a run leaves: measurements, reasons, clips, counts and the recipe.

    Args:
        folder: Where to; it must exist.
        measured: Of every file.
        verdicts: Of every file, settled.
        recipe: What decided.

    Returns:
        The counts, see `count_reasons`.
    """
    import yaml

    folder, counts = Path(folder), count_reasons(verdicts)
    write_measurements(folder / "measurements.parquet", measured)
    write_verdicts(folder / "reasons.csv", verdicts)
    write_clips(folder / "clips.csv", verdicts, measured)
    texts = {
        "recipe.yaml": yaml.safe_dump(recipe.record(), sort_keys=False, allow_unicode=True),
        "counts.json": json.dumps(counts, indent=2, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        with draft_of(folder / name) as part:
            part.write_text(text, encoding="utf-8")
    return counts


def _text(path: Path, rows: Iterable[Sequence[str]]) -> Path:
    with draft_of(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path
