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
from asva_data.datasets.shards import find_members
from asva_data.listing import printable
from asva_data.many import item_key, store_many

ALWAYS = ("light", "contrast", "pixel", "content", "flow", "level", "peak")
"""Curves that every decode gives."""

Scores = Callable[[], Mapping[str, Score]]


class Measured:
    """The measurements of files, read from shards whenever they are walked through."""

    def __init__(self, folder: Path, sources: Mapping[str, Source], failures: Mapping[str, str]) -> None:
        self.sources, self.failures = sources, failures
        self.places = find_members(sorted(folder.glob("shard-*.tar")))

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[Measurements]:
        for key, source in self.sources.items():
            known: dict[str, Any] = {"path": printable(source.path), "label": source.label}
            if key in self.places:
                row = json.loads(zlib.decompress(self.places[key]["row.z"].read()))
                yield Measurements.from_row(row | known)
            else:
                yield Measurements(**known, failure=self.failures[key])


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
    """Measure the files of one or several folders; a call that was stopped goes on.

    Args:
        sets: Folders and their files, such as the raw videos and those of a test set.
        folder: For the measurements; on a cluster every machine must see it.
        plan: How finely to look.
        make_scores: Makes what judges excerpts, in the process that uses it; it must be picklable.
        scores: Their names, by which measurements are told apart.
        options: Of :func:`asva_data.many.store_many`, such as ``workers``.

    Returns:
        The measurements of each folder.
    """
    plan, folder = plan or Plan(), Path(folder)
    settings = json.dumps({"plan": vars(plan), "scores": sorted(scores)}, sort_keys=True)
    lists = [
        {item_key(source.path, root, number, settings): source for source in files}
        for number, (root, files) in enumerate(sets)
    ]
    sources = {key: source for named in lists for key, source in named.items()}
    failures = store_many(sources, folder, partial(_measurer, plan, make_scores), **options)
    return [Measured(folder, named, failures) for named in lists]


def _measurer(plan: Plan, make_scores: Scores | None) -> Callable[[Source], dict[str, bytes]]:
    import cv2

    cv2.setNumThreads(1)  # its optical flow differs in the ninth digit, now and then, where threads share a picture
    scores = make_scores() if make_scores is not None else None

    def work(source: Source) -> dict[str, bytes]:
        measured = measure_safely(source.path, label=source.label, plan=plan, scores=scores)
        return {"row.z": zlib.compress(json.dumps(measured.to_row()).encode(), 1)}

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
