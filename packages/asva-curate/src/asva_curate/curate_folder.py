"""A folder of videos curated: measured, judged, written; or an earlier run judged anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from asva_curate.curation.excerpts import Score
from asva_curate.curation.measurements import Measurements
from asva_curate.curation.measuring import Plan
from asva_curate.curation.recipe import Recipe
from asva_curate.curation.run import sources
from asva_curate.curation.table import iter_measurements, write_results
from asva_curate.curation.verdict import Verdict
from asva_curate.review.decisions import read_reviews
from asva_curate.review.merging import apply_reviews
from asva_curate.scale.clip_shards import shard_clips
from asva_curate.scale.curating import check_measurable, judge, measure_files
from asva_data import MediaError
from asva_data.listing import video_files
from asva_data.many import only_run

RECORDS = ".records"
"""What is measured so far, below the results."""
SYNC, LONG = "local_sync", "sync"
"""Scores that need finer or longer excerpts than others: single frames, and 2 s with room for shifts of the sound."""
ENOUGH = 100
"""Files that tell which filters judge nothing, since all are measured alike."""

OnStep = Callable[[str, int, int], Any]
MakeScores = Mapping[str, Callable[[], Score]]


@dataclass(frozen=True, kw_only=True)
class CuratedFolder:
    """What a run of :func:`curate_folder` came to.

    Attributes:
        counts: Of files and of windows, how many for which reason.
        clips: How many are kept.
        unreadable: Test videos that could not be read, with the reason.
        not_judged: Filters that judged nothing, as they have no bounds or nothing measured them.
        not_cut: How many clips could not be cut, for which reason.
    """

    counts: dict[str, dict[str, int]]
    clips: int
    unreadable: dict[str, str]
    not_judged: list[str]
    not_cut: dict[str, int]


def curate_folder(
    folder: Path,
    out: Path,
    recipe: Recipe,
    *,
    never: Sequence[Path] = (),
    scores: MakeScores | None = None,
    again: bool = False,
    reviewed: bool = False,
    shards: bool = False,
    workers: int = 1,
    ray_address: str | None = None,
    on_step: OnStep = lambda stage, done, total: None,
) -> CuratedFolder:
    """Keep what a recipe keeps; a run that was stopped goes on behind the last finished file.

    Args:
        folder: Of videos, or with `again` of an earlier run.
        out: For the results; made if only its last part is missing.
        recipe: What is kept.
        never: Folders of test videos that may not be kept.
        scores: Makers of what judges excerpts, by the names of the curves that filters ask for; picklable. Only those
            that the recipe asks for are used, with bounds or without; a maker under several names is called once.
        again: Judge the measurements of an earlier run anew, without decoding.
        reviewed: With `again`: keep only what reviewers kept, as they cut it.
        shards: Also cut the clips into tar shards below ``shards/``.
        workers: Processes; more than one, and clusters, need Ray.
        ray_address: Of a cluster.
        on_step: Called with the name of a stage, what of it is done, and all of it.

    Raises:
        MediaError: If a folder is missing, holds no videos, or was never reviewed; if another run writes there; or if
            the recipe asks for what nothing measures.
    """
    if not out.parent.is_dir():
        raise MediaError(f"Folder '{out.parent}' does not exist: make it (mkdir -p) or write elsewhere.")
    if not folder.is_dir():  # before `out` is made, which may be the same
        raise MediaError(f"`root` must be an existing folder, got {folder}.")
    fresh = not out.exists()
    out.mkdir(exist_ok=True)
    try:
        with only_run(out):
            options = {"workers": workers, "ray_address": ray_address}
            return _curate(folder, out, recipe, never, scores or {}, again, reviewed, shards, on_step, options)
    finally:
        if fresh and not any(out.iterdir()):
            out.rmdir()


def _curate(
    folder: Path,
    out: Path,
    recipe: Recipe,
    never: Sequence[Path],
    scores: MakeScores,
    again: bool,
    reviewed: bool,
    shards: bool,
    on_step: OnStep,
    options: Mapping[str, Any],
) -> CuratedFolder:
    records = None if again and not never else out / RECORDS
    wanted = {} if again else _asked_for(recipe, scores)
    found = _measured([*never, *([] if again else [folder])], recipe, wanted, records, on_step, options)
    measured: Iterable[Measurements] = _Stored(folder / "measurements.parquet") if again else found.pop()
    tests = [item for one in found for item in one]
    on_step("judging", 0, 1)
    settled = judge(measured, recipe, tests)
    if reviewed:
        settled = _after_review(settled, folder)
    counts = write_results(out, measured, settled, recipe)
    clips = sum(clip.kept for verdict in settled for clip in verdict.clips)
    cut: dict[str, Any] = {"failed": {}}
    if shards:
        stage = _stage(on_step, "cutting clips", max(1, clips))
        cut = shard_clips(settled, out / "shards", on_done=stage, **options)
    done = CuratedFolder(
        counts=counts,
        clips=clips,
        unreadable={item.path: item.failure for item in tests if not item.ok},
        not_judged=_not_judged(measured, recipe),
        not_cut=cut["failed"],
    )
    if records is not None:  # the last thing, as measurements are read from them
        shutil.rmtree(records, ignore_errors=True)
    return done


def _stage(on_step: OnStep, name: str, total: int) -> Callable[[int], None]:
    on_step(name, 0, total)
    return lambda done: on_step(name, done, total)


def _asked_for(recipe: Recipe, scores: MakeScores) -> dict[str, Callable[[], Score]]:
    # Without bounds too: whoever brings a score wants its percentiles, from which bounds are set.
    asked = {rule.measure for rule in recipe.filters}
    return {name: make for name, make in scores.items() if name in asked}


def _made(scores: MakeScores) -> dict[str, Score]:
    """The scores, each maker called once: one may judge under several names."""
    first = {id(make): name for name, make in reversed([*scores.items()])}
    return {name: make() for name, make in scores.items() if first[id(make)] == name}


def _plan(scores: MakeScores) -> Plan:
    """Excerpts as finely as the scores need: synchrony lives in single frames, text in single pictures."""
    if LONG in scores:
        return Plan(excerpt_seconds=2.5)
    if SYNC not in scores:
        return Plan()
    return Plan(excerpt_fps=30.0) if "text" in scores else Plan(excerpt_fps=30.0, excerpt_side=128)


def _measured(
    folders: Sequence[Path],
    recipe: Recipe,
    scores: MakeScores,
    records: Path | None,
    on_step: OnStep,
    options: Mapping[str, Any],
) -> list[Any]:
    """Measurements of the videos of each folder; test videos first, since little of them is needed."""
    sets = [(folder, sources(video_files(folder), folder)) for folder in folders]
    for folder, files in sets:
        if not files:
            raise MediaError(f"'{folder}' holds no videos.")
    if records is None:
        return []
    check_measurable(recipe, scores)
    stage = _stage(on_step, "measuring videos", sum(len(files) for _, files in sets))
    make = partial(_made, scores) if scores else None
    return measure_files(
        sets, records, plan=_plan(scores), make_scores=make, scores=list(scores), on_done=stage, **options
    )


class _Stored:
    """The measurements of an earlier run, read whenever they are walked through."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Measurements]:
        return iter_measurements(self.path)


def _after_review(settled: list[Verdict], folder: Path) -> list[Verdict]:
    reviews = read_reviews(folder)
    if not reviews:
        raise MediaError(f"Nobody has reviewed '{folder}': asva data review {folder}")
    return apply_reviews(settled, reviews)


def _not_judged(measured: Iterable[Measurements], recipe: Recipe) -> list[str]:
    good = list(islice((item for item in measured if item.ok), ENOUGH))
    return [rule.name for rule in recipe.filters if good and not any(rule.applies(item) for item in good)]
