"""`asva curate`: measure videos once, keep what a recipe keeps, and say why the rest was dropped."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from asva.cli.curate_scores import scores_for
from asva.cli.evaluate import named_paths, network_device
from asva.cli.options import Device, Json, RayAddress, Workers, parse_fields
from asva.cli.progress import ShownStages
from asva.cli.terminal import print_json, table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import note


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
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights",
            "-w",
            help="NAME=PATH of a network: imagebind, tokenizer, avsync (avsync-ac); demix, vocals, faces (demix).",
        ),
    ] = None,
    shards: Annotated[
        bool, typer.Option("--shards", help="Also cut the clips into tar shards of mp4 and json, below shards/.")
    ] = False,
    workers: Workers = 1,
    ray_address: RayAddress = None,
    device: Device = "auto",
    json: Json = False,
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

      asva curate --recipe avsync-ac -w imagebind=imagebind_huge.pth -w avsync=modules raw curated
    """
    if reviewed and not again:
        raise RequestError("`--reviewed` needs --again and the folder of the run that was reviewed.")
    from asva_curate import curate_folder, load_recipe

    rules = load_recipe(recipe, parse_fields(change))
    given = {name: Path(path) for name, path in named_paths(weights or [], "--weights")}
    with ShownStages() as stages:
        done = curate_folder(
            folder,
            out,
            rules,
            never=never or [],
            scores={} if again else scores_for(rules, given, text=text, device=network_device(device)),
            again=again,
            reviewed=reviewed,
            shards=shards,
            workers=workers,
            ray_address=ray_address,
            on_step=stages.at,
        )
    if done.unreadable:
        note(f"{len(done.unreadable)} test videos cannot be read: {next(iter(done.unreadable.values()))}")
    if done.not_cut:
        note(f"{sum(done.not_cut.values())} clips could not be cut: {', '.join(done.not_cut)}")
    if done.not_judged:
        note(f"not judged, because they have no bounds or nothing measured them: {', '.join(done.not_judged)}")
    if json:
        print_json(asdict(done) | {"folder": out})
        return
    for kind, reasons in done.counts.items():
        total = max(1, sum(reasons.values()))
        rows = [(name, count, f"{count / total:.1%}") for name, count in reasons.items()]
        table((kind, "", f"of {sum(reasons.values())}"), rows)
    typer.echo(f"{done.clips} clips in {out / 'clips.csv'}")
