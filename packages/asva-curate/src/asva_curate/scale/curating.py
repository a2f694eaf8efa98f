"""Curation of very many files: measured by any number of workers, judged in one place, never all in memory."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from asva_curate.curation.curve import Curve
from asva_curate.curation.excerpts import Score
from asva_curate.curation.measurements import Measurements
from asva_curate.curation.measuring import Plan, measure_safely
from asva_curate.curation.recipe import Recipe
from asva_curate.curation.run import Source
from asva_curate.curation.verdict import Verdict, decide
from asva_curate.curation.whole_set import settle
from asva_curate.scale.journal import Records
from asva_curate.scale.running import Item, item_key, run_items
from asva_curate.scale.worker import Work
from asva_data.listing import printable

ALWAYS = ("light", "contrast", "pixel", "content", "flow", "level", "peak")
"""Curves that every decode gives."""

Scores = Callable[[], Mapping[str, Score]]


class Measured:
    """The measurements of files, read from the records whenever they are walked through."""

    def __init__(self, records: Records, items: Sequence[Item]) -> None:
        self.records, self.items = records, items

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Measurements]:
        for item in self.items:
            row = self.records.read(item.key, "row.z")
            if row is None:  # nothing but why it failed
                reason = self.records.facts(item.key)["failure"]
                yield Measurements(path=printable(item.path), label=item.label, failure=reason)
            else:
                yield Measurements.from_row(
                    json.loads(zlib.decompress(row)) | {"path": printable(item.path), "label": item.label}
                )


def check_measurable(recipe: Recipe, scores: Iterable[str] = ()) -> None:
    """See, before anything is decoded, that the filters of a recipe have what they ask for.

    Raises:
        MediaError: If one asks for what no decode and none of the scores gives.
    """
    known = Measurements(path="", sound_seconds=1.0, curves={name: Curve.of([]) for name in (*ALWAYS, *scores)})
    for rule in recipe.filters:
        rule.applies(known)


def measure_files(
    sets: Sequence[tuple[str | os.PathLike, Sequence[Source]]],
    folder: str | os.PathLike,
    *,
    plan: Plan | None = None,
    make_scores: Scores | None = None,
    scores: Sequence[str] = (),
    **options: Any,
) -> list[Measured]:
    """Measure the files of one or several folders; see `run_items` for workers, clusters and stopped runs.

    Args:
        sets: Folders and their files, such as the raw videos and those of a test set.
        folder: For the records.
        plan: How finely to look.
        make_scores: Makes what judges excerpts, in the process that uses it; it must be picklable.
        scores: Their names, by which records are told apart.
        options: Of `run_items`.

    Returns:
        The measurements of each folder.
    """
    plan = plan or Plan()
    lists = [
        [
            Item(item_key(source.path, root, number), str(source.path), source.label, {"cwd": os.getcwd()})
            for source in files
        ]
        for number, (root, files) in enumerate(sets)
    ]
    settings = {"measurements": 1, "plan": vars(plan), "scores": sorted(scores)}
    work = partial(_measurer, plan, make_scores)
    records = run_items([item for items in lists for item in items], folder, work, settings, **options)
    return [Measured(records, items) for items in lists]


def _measurer(plan: Plan, make_scores: Scores | None) -> Work:
    import cv2

    cv2.setNumThreads(1)  # its optical flow differs in the ninth digit, now and then, where threads share a picture
    scores = make_scores() if make_scores is not None else None

    def work(item: Item) -> dict[str, Any]:
        path = Path(item.facts["cwd"]) / item.path
        measured = measure_safely(path, label=item.label, plan=plan, scores=scores)
        row = zlib.compress(json.dumps(measured.to_row()).encode(), 1)
        return {"row.z": row, "json": {"path": measured.path, "label": item.label, "failure": measured.failure}}

    return work


def judge(measured: Iterable[Measurements], recipe: Recipe, never: Iterable[Measurements] = ()) -> list[Verdict]:
    """Decide and settle with no curve in memory: of each file its hashes alone are kept until the end.

    Args:
        measured: Of every file.
        recipe: What is kept.
        never: Of the files of test sets.

    Returns:
        The verdict of each file.
    """
    verdicts, slim = [], []
    for item in measured:
        verdicts.append(decide(item, recipe))
        slim.append(replace(item, curves={}))
    return settle(slim, verdicts, recipe, [replace(item, curves={}) for item in never if item.ok])
