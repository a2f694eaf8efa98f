"""`asva data`: make data, check it, look at it, and bring it into form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asva.cli.datasets import check, prepare, split
from asva.cli.options import Json, Seed
from asva.cli.precompute import motion, precompute, stems
from asva.cli.progress import ShownStages as Stages
from asva.cli.reviewing import report, review
from asva.cli.terminal import print_json

data_app = typer.Typer(no_args_is_help=True, help="Make data, check it, look at it, bring it into form.")


@data_app.callback()
def data() -> None:
    """Make data, check it, look at it, bring it into form."""


@data_app.command(no_args_is_help=True)
def synth(
    folder: Annotated[Path, typer.Argument(help="Folder to write to; it is made if only its last part is missing.")],
    num: Annotated[int, typer.Option("--num", "-n", min=1, help="How many clips.")] = 16,
    seed: Seed = 0,
    first: Annotated[int, typer.Option(min=0, help="Index of the first clip.")] = 0,
    size: Annotated[int, typer.Option(min=32, help="Height and width in pixels, even.")] = 64,
    json: Json = False,
) -> None:
    """Write clips of the synthetic world: an mp4 each, and a JSON with everything that is true about it.

    The same seed and index give the same clip. A run that was stopped goes on where it was.

    Example:

      asva data synth --num 16 --seed 7 clips
    """
    from asva_data import write_world

    with Stages() as stages:
        stages.stage("drawing clips", num)
        paths = write_world(folder, num, seed, start=first, size=size, on_clip=lambda done, path: stages.step(done))
    if json:
        print_json({"folder": folder, "clips": paths})
    else:
        typer.echo(f"{len(paths)} clips in {folder}")


data_app.command(no_args_is_help=True)(check)
data_app.command(no_args_is_help=True)(prepare)
data_app.command(no_args_is_help=True)(split)
data_app.command(no_args_is_help=True)(motion)
data_app.command(no_args_is_help=True)(stems)
data_app.command(no_args_is_help=True)(precompute)
data_app.command(no_args_is_help=True)(report)
data_app.command(no_args_is_help=True)(review)
