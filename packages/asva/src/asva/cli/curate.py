"""`asva curate`: measure videos once, keep what a recipe keeps, and say why the rest was dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli.door import UsageProblem
from asva.cli.progress import Stages
from asva.cli.terminal import note, table


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
    text: Annotated[
        bool, typer.Option("--text/--no-text", help="Look for on-screen text, if rapidocr is there.")
    ] = True,
) -> None:
    """Keep the clips of a folder of videos that a recipe keeps.

    Writes clips.csv (which `asva data prepare --table` reads), reasons.csv, counts.json, recipe.yaml and
    measurements.parquet, from which --again judges anew with other thresholds.

    Examples:

      asva curate --recipe open-asva --never datasets/AVSync15/videos raw curated

      asva curate --again --set filters.flow.max=1.5 curated stricter
    """
    _check_extra()
    from asva_data.curation import load_recipe, settle, write_results

    rules = load_recipe(recipe, dict(map(_change, change or [])))
    if not out.parent.is_dir():
        raise UsageProblem(f"Folder '{out.parent}' does not exist: make it (mkdir -p) or write elsewhere.")
    with Stages() as stages:
        measured, verdicts = _again(folder, rules) if again else _look(folder, rules, text, stages)
        tests = [item for tested in never or [] for item in _measured(tested, stages)]
        settled = settle(measured, verdicts, rules, tests)
        out.mkdir(exist_ok=True)
        counts = write_results(out, measured, settled, rules)
    for kind, reasons in counts.items():
        total = sum(reasons.values())
        table(
            (kind, "", f"of {total}"),
            [(name, count, f"{count / max(1, total):.1%}") for name, count in reasons.items()],
        )
    good = [item for item in measured if item.ok]
    skipped = [rule.name for rule in rules.filters if good and not any(rule.applies(item) for item in good)]
    if skipped:
        note(f"not judged, because they have no bounds or nothing measured them: {', '.join(skipped)}")
    typer.echo(f"{sum(clip.kept for verdict in settled for clip in verdict.clips)} clips in {out / 'clips.csv'}")


def _check_extra() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("cv2", "pyarrow", "yaml") if find_spec(name) is None]
    if missing:
        raise UsageProblem(f"Curation needs {', '.join(missing)}: pip install 'asva-kit[curation]'.")


def _change(text: str) -> tuple[str, Any]:
    import yaml

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageProblem(f"`--set` must be name=value, such as filters.flow.max=2, got '{text}'.")
    return name, yaml.safe_load(value)


def _scores(rules: Any, wanted: bool) -> dict[str, Any]:
    """What can be judged here: on-screen text, where its detector is installed and the recipe asks for it."""
    from importlib.util import find_spec

    if not wanted or not any(rule.measure == "text" and rule.active for rule in rules.filters):
        return {}
    if find_spec("rapidocr") is None:
        note("on-screen text is not looked for: pip install 'asva-kit[curation]'")
        return {}
    from asva_data.curation import TextCover

    return {"text": TextCover()}


def _look(folder: Path, rules: Any, text: bool, stages: Stages) -> tuple[list[Any], list[Any]]:
    from asva_data.curation import curate as run
    from asva_data.curation import sources
    from asva_data.listing import video_files

    files = sources(video_files(folder), folder)
    if not files:
        raise UsageProblem(f"'{folder}' holds no videos.")
    scores = _scores(rules, text)
    stages.stage("measuring videos", len(files))
    results = []
    for done, result in enumerate(run(files, rules, scores=scores), start=1):
        results.append(result)
        stages.step(done)
    return [measured for measured, _ in results], [verdict for _, verdict in results]


def _again(folder: Path, rules: Any) -> tuple[list[Any], list[Any]]:
    from asva_data.curation import decide, read_measurements

    measured = read_measurements(folder / "measurements.parquet")
    return measured, [decide(item, rules) for item in measured]


def _measured(folder: Path, stages: Stages) -> list[Any]:
    from asva_data.curation import measure_safely
    from asva_data.listing import video_files

    paths = video_files(folder)
    stages.stage(f"measuring {folder.name}", max(1, len(paths)))
    measured = []
    for done, path in enumerate(paths, start=1):
        measured.append(measure_safely(path))
        stages.step(done)
    failed = [item for item in measured if not item.ok]
    if failed:
        note(f"{len(failed)} of {len(paths)} test videos in {folder} cannot be read: {failed[0].failure}")
    return [item for item in measured if item.ok]
