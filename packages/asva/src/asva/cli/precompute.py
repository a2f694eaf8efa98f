"""`asva data precompute`: latents and tokens of videos, computed once for all trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from asva.cli.door import UsageProblem
from asva.cli.options import Device, Model, RayAddress, Workers, Yes
from asva.cli.progress import Stages
from asva.cli.terminal import note, table

FROM_MODEL = ("height", "width", "num_frames", "fps")


def precompute(
    folder: Annotated[Path, typer.Argument(help="Folder of videos with sound.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the shards.")],
    model: Model = "tiny",
    recipe: Annotated[
        str | None, typer.Option(help="Training recipe whose clips are wanted; by default the model's size and rate.")
    ] = None,
    passes: Annotated[int, typer.Option(min=1, help="Pieces of each video.")] = 1,
    fields: Annotated[
        list[str] | None, typer.Option("--set", help="A field of the clips, such as data.seed=3; may be repeated.")
    ] = None,
    workers: Workers = 1,
    ray_address: RayAddress = None,
    gpus: Annotated[float, typer.Option(min=0.0, help="GPUs of each worker, where Ray finds any.")] = 1.0,
    device: Device = "auto",
    yes: Yes = False,
) -> None:
    """Store latents, motion, and tokens of words, picture and sound, so that a training step runs the U-Net alone.

    Train with --set data.kind=latents --set data.root=SHARDS; encoders of another model are refused. A run that was
    stopped goes on behind the last finished piece.

    Example:

      asva data precompute raw --model tiny --output shards
    """
    from asva.cli.models import agree
    from asva.models import resolve_model
    from asva.training.precompute import precompute as run

    own = recipe is not None and Path(model).is_dir()  # also a folder that a training has not finished
    home = Path(model) if own else resolve_model(model, confirm=lambda plan: agree(plan, yes=yes))
    data = _data(folder, _fields(fields), recipe, home)
    with Stages() as stages:

        def on_done(done: int, total: int) -> None:
            stages.stage("encoding clips", total)
            stages.step(done)

        index = run(
            data,
            home,
            output,
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


def _data(folder: Path, fields: dict[str, Any], recipe: str | None, model: Path) -> Any:
    """The clips' recipe: of a training, or as the model makes its videos."""
    from dataclasses import replace

    from asva.models.folders import method_of_model, model_settings
    from asva.training import DataRecipe, load_recipe

    if recipe is not None:
        return replace(load_recipe(recipe, fields | {"data.kind": "folder"}).data, root=folder)
    settings = model_settings(model, method_of_model(model))
    names = {name: settings[name] for name in FROM_MODEL}
    own = {name.removeprefix("data."): value for name, value in fields.items()}
    try:
        return DataRecipe(**names | own | {"kind": "folder", "root": folder})
    except ValueError as error:
        reason = str(error).splitlines()
        raise UsageProblem(f"`--set` must name fields of the clips: {' '.join(reason[1:3])}") from error


def _fields(items: list[str] | None) -> dict[str, Any]:
    from asva.cli.train import _fields as named

    found = named(items)
    for name in found:
        if not name.startswith("data."):
            raise UsageProblem(f"`--set` must begin with data., such as data.seed=3, got '{name}'.")
    return found
