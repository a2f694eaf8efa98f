"""Curation in one process: a verdict for every file, whatever it holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from asva_curate.curation.excerpts import Score
from asva_curate.curation.measurements import Measurements
from asva_curate.curation.measuring import Plan, ShotFinder, measure_safely
from asva_curate.curation.recipe import Recipe
from asva_curate.curation.verdict import Verdict, decide
from asva_data.listing import class_of, printable


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file to curate and its class."""

    path: Path
    label: str = ""


def sources(paths: Iterable[str | os.PathLike], root: str | os.PathLike | None = None) -> list[Source]:
    """Files with the class that their folder below `root` names."""
    base = None if root is None else Path(root)
    return [
        Source(path=Path(path), label="" if base is None else printable(class_of(Path(path), base))) for path in paths
    ]


def curate(
    files: Iterable[Source],
    recipe: Recipe,
    *,
    plan: Plan | None = None,
    scores: Mapping[str, Score] | None = None,
    shot_finder: ShotFinder | None = None,
    on_file: Callable[[Measurements, Verdict], None] | None = None,
) -> Iterator[tuple[Measurements, Verdict]]:
    """Measure and judge files one by one.

    What a file does wrong is the reason in its verdict; only a recipe that asks for what no score measures stops a run.
    Filters of the whole set come after it, see `settle`.

    Args:
        files: What to look at.
        recipe: What is kept.
        plan: How finely to look.
        scores: What judges excerpts, by the name of the curve that a filter asks for.
        shot_finder: Finds cuts by itself, see `measure`.
        on_file: Called with each result, such as for a bar of progress.

    Yields:
        The measurements and the verdict of each file.

    Raises:
        MediaError: If a filter of the recipe needs a measurement that was not taken.
    """
    for source in files:
        options = {"plan": plan, "scores": scores, "shot_finder": shot_finder}
        measured = measure_safely(source.path, label=source.label, **options)
        verdict = decide(measured, recipe)
        if on_file is not None:
            on_file(measured, verdict)
        yield measured, verdict
