"""`asva models`: which models there are, what they need, and how foreign files become a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asva.cli.door import UsageProblem
from asva.cli.terminal import note, table

if TYPE_CHECKING:
    from asva.models import DownloadPlan

models_app = typer.Typer(no_args_is_help=True, help="List, describe and convert models.")


@models_app.command("list")
def list_models() -> None:
    """List the models that have a name, and whether they are on this machine."""
    from asva.models import MODELS

    for entry in MODELS:
        typer.echo(f"{entry.name} ({_state(entry.name)}): {entry.summary}\n  licence: {entry.licence}")


def _state(name: str) -> str:
    from asva.models.hub import cached_keyvid
    from asva.models.resolve import tiny_folder

    if name == "tiny":
        return "here" if (tiny_folder() / "model_index.json").is_file() else "absent"
    return "not on this machine" if cached_keyvid()[1] else "here"


@models_app.command("info")
def info(name: Annotated[str, typer.Argument(help="A name, or a folder of a model.")]) -> None:
    """Say what a model is made of, what would be downloaded, and under which licences.

    Example:

      asva models info keyvid
    """
    from asva.models import MODELS, resolve_model

    entry = next((entry for entry in MODELS if entry.name == name), None)
    if entry is not None:
        typer.echo(f"{entry.name}: {entry.summary}\nlicence: {entry.licence}")
    if name == "keyvid":
        return _keyvid_info()
    _folder_info(resolve_model(name))


def _keyvid_info() -> None:
    from asva.models.catalog import KEYVID_FILES, TOKENIZER_FILES
    from asva.models.hub import cached_keyvid

    missing = cached_keyvid()[1]
    for file in KEYVID_FILES + TOKENIZER_FILES:
        typer.echo(f"{'to download' if file in missing else 'here'}: {file}")
    typer.echo(
        "The motion localizer of KeyVID was not released: the bundled one places the keyframes, unless "
        "`--keyframes` or `--uniform` is given. A folder with these files, under these names, works as `--model` too."
    )


def _folder_info(folder: Path) -> None:
    from asva.models.memory import component_sizes

    rows = [(name, f"{count / 1e6:.2f} M", f"{size / 1e6:.1f} MB") for name, count, size in component_sizes(folder)]
    table(("part", "parameters", "size"), rows)


@models_app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Folder with the released files under their names on the hub.")],
    destination: Annotated[Path, typer.Argument(help="Folder to write; it must not exist.")],
) -> None:
    """Convert released KeyVID checkpoints to a folder that `--model` loads.

    Every key and shape is checked. Files are memory-mapped, so that a part is in memory only while it is written.

    Example:

      hf download RyanWW/KeyVID --local-dir KeyVID

      asva models convert KeyVID keyvid-converted
    """
    from asva.models import ModelError, convert_keyvid
    from asva.models.hub import keyvid_in_folder

    if destination.exists():
        raise UsageProblem(f"'{destination}' exists: name another folder.")
    if not source.is_dir():
        raise ModelError(f"Folder '{source}' does not exist.")
    found = keyvid_in_folder(source)
    if found is None:
        raise ModelError(f"Folder '{source}' holds no released KeyVID files: see `asva models info keyvid`.")
    convert_keyvid(found, destination, on_progress=note)
    typer.echo(f"Converted: asva sample --model {destination} ...")


def agree(plan: DownloadPlan, *, yes: bool) -> bool:
    """Print what must be downloaded, how much, under which licences; then ask, unless ``--yes`` was given."""
    note(f"Model '{plan.model}' needs files that are not on this machine, {plan.gigabytes:.1f} GB:")
    for file in plan.files:
        note(f"  {file}")
    if yes:
        return True
    return _can_ask() and typer.confirm("Download them?", err=True)


def _can_ask() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
