"""`asva curate`: measure videos once, keep what a recipe keeps, and say why the rest was dropped."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli.options import RayAddress, Workers
from asva.cli.progress import ShownStages as Stages
from asva.cli.terminal import table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import note

SYNC = "local_sync"
RECORDS = ".records"  # what is measured so far, below the results


def curate(
    folder: Annotated[Path, typer.Argument(help="Folder of videos, or of an earlier run with --again.")],
    out: Annotated[Path, typer.Argument(help="Folder for the results; it is made if only its last part is missing.")],
    recipe: Annotated[str, typer.Option("--recipe", "-r", help="Bundled recipe, or a YAML file.")] = "open-asva",
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="A value of the recipe, such as filters.flow.max=2; may be repeated."),
    ] = None,
    never: Annotated[
        list[Path] | None, typer.Option("--never", help="Folder of test videos that may not be kept; may be repeated.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Judge the measurements of an earlier run anew, without decoding.")
    ] = False,
    reviewed: Annotated[
        bool, typer.Option("--reviewed", help="With --again: keep only what reviewers kept, as they cut it.")
    ] = False,
    text: Annotated[
        bool, typer.Option("--text/--no-text", help="Look for on-screen text, if rapidocr is there.")
    ] = True,
    shards: Annotated[
        bool, typer.Option("--shards", help="Also cut the clips into tar shards of mp4 and json, below shards/.")
    ] = False,
    workers: Workers = 1,
    ray_address: RayAddress = None,
) -> None:
    """Keep the clips of a folder of videos that a recipe keeps.

    Writes clips.csv (which `asva data prepare --table` reads), reasons.csv, counts.json, recipe.yaml and
    measurements.parquet, from which --again judges anew with other thresholds. A run that was stopped, however, goes on
    behind the last finished file. With several workers, or a cluster, the same files come out.

    Examples:

      asva curate --recipe open-asva --never datasets/AVSync15/videos raw curated

      asva curate --workers 8 raw curated

      asva curate --again --set filters.flow.max=1.5 curated stricter

      asva curate --again --reviewed --shards curated final
    """
    _check_extra()
    if reviewed and not again:
        raise RequestError("`--reviewed` needs --again and the folder of the run that was reviewed.")
    from asva_curate import judge, load_recipe, shard_clips, write_results

    rules = load_recipe(recipe, dict(map(_change, change or [])))
    if not out.parent.is_dir():
        raise RequestError(f"Folder '{out.parent}' does not exist: make it (mkdir -p) or write elsewhere.")
    records = None if again and not never else out / RECORDS
    scores = [] if again else _scores(rules, text)
    with Stages() as stages:
        folders = [*(never or []), *([] if again else [folder])]
        looked = _measured(folders, rules, scores, records, stages, workers, ray_address)
        measured = _Stored(folder / "measurements.parquet") if again else looked.pop()
        tests = [item for found in looked for item in found]
        _note_unreadable(tests)
        stages.stage("judging", 1)
        settled = judge(measured, rules, tests)
        if reviewed:
            settled = _after_review(settled, folder)
        out.mkdir(exist_ok=True)
        counts = write_results(out, measured, settled, rules)
        skipped = _not_judged(measured, rules)
        if shards:
            stages.stage("cutting clips", max(1, sum(clip.kept for verdict in settled for clip in verdict.clips)))
            cut = shard_clips(settled, out / "shards", workers=workers, ray_address=ray_address, on_done=stages.step)
        if records is not None:
            shutil.rmtree(records, ignore_errors=True)
    for kind, reasons in counts.items():
        total = sum(reasons.values())
        table(
            (kind, "", f"of {total}"),
            [(name, count, f"{count / max(1, total):.1%}") for name, count in reasons.items()],
        )
    if shards and cut["failed"]:
        note(f"{sum(cut['failed'].values())} clips could not be cut: {', '.join(cut['failed'])}")
    if skipped:
        note(f"not judged, because they have no bounds or nothing measured them: {', '.join(skipped)}")
    typer.echo(f"{sum(clip.kept for verdict in settled for clip in verdict.clips)} clips in {out / 'clips.csv'}")


def _check_extra() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("cv2", "pyarrow", "yaml") if find_spec(name) is None]
    if missing:
        raise RequestError(f"Curation needs {', '.join(missing)}: pip install 'asva-kit[curation]'.")


def _change(text: str) -> tuple[str, Any]:
    import yaml

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise RequestError(f"`--set` must be name=value, such as filters.flow.max=2, got '{text}'.")
    return name, yaml.safe_load(value)


def _after_review(settled: list[Any], folder: Path) -> list[Any]:
    from asva_curate import apply_reviews, read_reviews

    reviews = read_reviews(folder)
    if not reviews:
        raise RequestError(f"Nobody has reviewed '{folder}': asva data review {folder}")
    return apply_reviews(settled, reviews)


def _scores(rules: Any, wanted: bool) -> list[str]:
    """What the recipe asks for and can be judged here: on-screen text, where its detector is installed; local sync."""
    from importlib.util import find_spec

    asked = {rule.measure for rule in rules.filters if rule.active}
    scores = [SYNC] if SYNC in asked else []
    if not wanted or "text" not in asked:
        return scores
    if find_spec("rapidocr") is None:
        note("on-screen text is not looked for: pip install 'asva-kit[curation]'")
        return scores
    return [*scores, "text"]


def _make_scores(names: list[str]) -> dict[str, Any]:
    from asva_curate import FitScore, TextCover

    made = {SYNC: lambda: FitScore(_local_sync), "text": TextCover}
    return {name: made[name]() for name in names}


def _local_sync(frames: Any, fps: float, waveform: Any, sample_rate: int) -> float:
    from asva_metrics import local_sync

    return local_sync(waveform, sample_rate, frames, fps).excess


def _plan(scores: list[str]) -> Any:
    """Excerpts as finely as the scores need: synchrony lives in single frames, text in single pictures."""
    from asva_curate import Plan

    return Plan(excerpt_fps=30.0, **({} if "text" in scores else {"excerpt_side": 128})) if SYNC in scores else Plan()


def _measured(
    folders: list[Path],
    rules: Any,
    scores: list[str],
    records: Path | None,
    stages: Stages,
    workers: int,
    ray_address: str | None,
) -> list[Any]:
    """Measurements of the videos of each folder; test videos first, since little of them is needed."""
    from asva_curate import check_measurable, measure_files, sources
    from asva_data.listing import video_files

    sets = [(folder, sources(video_files(folder), folder)) for folder in folders]
    for folder, files in sets:
        if not files:
            raise RequestError(f"'{folder}' holds no videos.")
    if records is None:
        return []
    check_measurable(rules, scores)
    records.parent.mkdir(exist_ok=True)
    stages.stage("measuring videos", sum(len(files) for _, files in sets))
    return measure_files(
        sets,
        records,
        plan=_plan(scores),
        make_scores=partial(_make_scores, scores) if scores else None,
        scores=scores,
        workers=workers,
        ray_address=ray_address,
        on_done=stages.step,
    )


class _Stored:
    """The measurements of an earlier run, read whenever they are walked through."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Any]:
        from asva_curate.curation.table import iter_measurements

        return iter_measurements(self.path)


def _note_unreadable(tests: list[Any]) -> None:
    failed = [item for item in tests if not item.ok]
    if failed:
        note(f"{len(failed)} of {len(tests)} test videos cannot be read: {failed[0].failure}")


def _not_judged(measured: Iterable[Any], rules: Any) -> list[str]:
    """Names of the filters that no file could be judged by; some files tell, since all are measured alike."""
    good = list(islice((item for item in measured if item.ok), 100))
    return [rule.name for rule in rules.filters if good and not any(rule.applies(item) for item in good)]
