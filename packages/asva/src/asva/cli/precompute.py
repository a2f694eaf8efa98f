"""`asva data precompute`: latents and tokens of videos, computed once for all trainings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli.options import Device, Gpus, Model, RayAddress, Workers, Yes
from asva.cli.progress import ShownStages as Stages
from asva.cli.terminal import table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import note

OF_CLIPS, OF_RECIPE = ("data.",), ("data.", "init.", "taps")
FROM_MODEL = ("height", "width", "num_frames", "fps")


def precompute(
    folder: Annotated[Path, typer.Argument(help="Folder of videos with sound.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the shards.")],
    model: Model = "tiny",
    recipe: Annotated[
        str | None,
        typer.Option(help="Training recipe whose clips and tokens are wanted; by default those of the model itself."),
    ] = None,
    passes: Annotated[int, typer.Option(min=1, help="Pieces of each video.")] = 1,
    fields: Annotated[
        list[str] | None,
        typer.Option("--set", help="A field of the clips (data.seed=3) or, with a recipe, init and taps."),
    ] = None,
    workers: Workers = 1,
    ray_address: RayAddress = None,
    gpus: Gpus = 1.0,
    device: Device = "auto",
    yes: Yes = False,
) -> None:
    """Store latents, motion, and tokens of words, picture and sound, so that a training step runs the U-Net alone.

    The recipe, or else the model's method, says how the sound is heard: keyframe and interp, avsyncd, i2vd (not at
    all) or audio-window (its taps). Train with --set data.kind=latents --set data.root=SHARDS; shards for another
    method, and encoders of another model, are refused. A run that was stopped goes on behind the last finished shard.

    Examples:

      asva data precompute raw --model tiny --output shards

      asva data precompute raw --model tiny --recipe tiny-avsyncd --output shards
    """
    from asva.cli.models import agree
    from asva_pipelines import resolve_model
    from asva_train import load_recipe
    from asva_train.precompute import precompute as run

    own = recipe is not None and Path(model).is_dir()  # also a folder that a training has not finished
    home = Path(model) if own else resolve_model(model, confirm=lambda plan: agree(plan, yes=yes))
    values = _fields(fields, OF_CLIPS if recipe is None else OF_RECIPE)
    training = None if recipe is None else load_recipe(recipe, values | {"data.kind": "folder"})
    data = _data(folder, values, home) if training is None else replace(training.data, root=folder)
    with Stages() as stages:

        def on_done(done: int, total: int) -> None:
            stages.stage("encoding clips", total)
            stages.step(done)

        index = run(
            data,
            home,
            output,
            recipe=training,
            passes=passes,
            device=device,
            workers=workers,
            ray_address=ray_address,
            gpus=gpus,
            on_done=on_done,
        )
    counts = index["counts"]
    if counts["reasons"]:
        table(("not stored", ""), counts["reasons"].items())
        note(f"{counts['failed']} could not be stored; all reasons are in {output / 'failures.csv'}")
    typer.echo(f"{counts['stored']} clips in {len(index['shards'])} shards in {output}")
    raise typer.Exit(0 if counts["stored"] else 1)


def _data(folder: Path, fields: dict[str, Any], model: Path) -> Any:
    """The clips' recipe as the model makes its videos."""
    from asva_pipelines.loading.folders import method_of_model, model_settings
    from asva_train import DataRecipe

    settings = model_settings(model, method_of_model(model))
    names = {name: settings[name] for name in FROM_MODEL}
    own = {name.removeprefix("data."): value for name, value in fields.items()}
    try:
        return DataRecipe(**names | own | {"kind": "folder", "root": folder})
    except ValueError as error:
        reason = str(error).splitlines()
        raise RequestError(f"`--set` must name fields of the clips: {' '.join(reason[1:3])}") from error


def _fields(items: list[str] | None, allowed: tuple[str, ...]) -> dict[str, Any]:
    from asva.cli.train import _fields as named

    found = named(items)
    for name in found:
        if not name.startswith(allowed):
            raise RequestError(f"`--set` must begin with {' or '.join(allowed)}, such as data.seed=3, got '{name}'.")
    return found
