"""The command `asva` and its subcommands; nothing heavy is imported before a command runs."""

from __future__ import annotations

import gc
import os
from importlib.metadata import version
from typing import Annotated

import typer

from asva.cli.bench import bench
from asva.cli.curate import curate
from asva.cli.data import data_app
from asva.cli.demix import demix
from asva.cli.demo import demo
from asva.cli.door import Door
from asva.cli.evaluate import evaluate
from asva.cli.keyframes import keyframes
from asva.cli.models import models_app
from asva.cli.offset import offset
from asva.cli.sample import sample
from asva.cli.study import study
from asva.cli.train import train_app
from asva.cli.validate import validate

app = typer.Typer(cls=Door, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
app.command(no_args_is_help=True)(sample)
app.command(no_args_is_help=True)(keyframes)
app.command(no_args_is_help=True)(evaluate)
app.command(no_args_is_help=True)(validate)
app.command(no_args_is_help=True)(study)
app.command(no_args_is_help=True)(offset)
app.command(no_args_is_help=True)(bench)
app.command(no_args_is_help=True)(demix)
app.command()(demo)
app.add_typer(train_app, name="train")
app.add_typer(data_app, name="data")
app.command(no_args_is_help=True)(curate)
app.add_typer(models_app, name="models")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"asva {version('asva-kit')}")
        raise typer.Exit()


@app.callback()
def asva(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """A picture and a sound become a video that moves in time with the sound.

    [bold]Start here:[/bold]

      asva sample --image ball.png --audio bounce.wav --output bounce.mp4

      asva keyframes bounce.wav --plot bounce.png

    Every command has its own [cyan]--help[/cyan] with examples.
    """


def main() -> None:
    """Run the command line of this process and exit with its code."""
    # Threads that spin while they wait are tens of times slower where other programs use the cores too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Imports leave half a million objects for good; to walk them all again and again is a tenth of a short command.
    gc.set_threshold(*gc.get_threshold()[:2], 1000)
    app()
