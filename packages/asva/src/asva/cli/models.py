"""`asva models`: which models there are, what they need, and how foreign files become a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asva.cli.terminal import table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import note

if TYPE_CHECKING:
    from asva_weights import DownloadPlan

models_app = typer.Typer(no_args_is_help=True, help="List, describe and convert models.")


@models_app.command("list")
def list_models() -> None:
    """List the models that have a name, and whether they are on this machine."""
    from asva_pipelines import MODELS

    for entry in MODELS:
        typer.echo(f"{entry.name} ({_state(entry.name)}): {entry.summary}\n  licence: {entry.licence}")


def _state(name: str) -> str:
    from asva_pipelines.loading.catalog import HUB_MODELS
    from asva_pipelines.loading.hub import cached_files
    from asva_pipelines.loading.resolve import tiny_folder

    if name == "tiny":
        return "here" if (tiny_folder() / "model_index.json").is_file() else "absent"
    if name not in HUB_MODELS:
        return "on no hub"
    return "not on this machine" if cached_files(name)[1] else "here"


@models_app.command("info")
def info(name: Annotated[str, typer.Argument(help="A name, or a folder of a model.")]) -> None:
    """Say what a model is made of, what would be downloaded, and under which licences.

    Example:

      asva models info keyvid
    """
    from asva_pipelines import MODELS, resolve_model
    from asva_pipelines.loading.catalog import HUB_MODELS

    entry = next((entry for entry in MODELS if entry.name == name), None)
    if entry is not None:
        typer.echo(f"{entry.name}: {entry.summary}\nlicence: {entry.licence}")
    if name in HUB_MODELS:
        return _hub_info(name)
    if name == "avsyncd":
        return _avsyncd_info()
    if entry is None and (source := Path(name) / "source.json").is_file():
        _origin_info(source)
        if not source.with_name("model_index.json").is_file():  # an encoder
            return
    _folder_info(resolve_model(name))


def _origin_info(source: Path) -> None:
    origin = json.loads(source.read_text(encoding="utf-8"))
    typer.echo(f"converted from the released {origin['family']}\nlicence: {origin['licence']}")


def _hub_info(name: str) -> None:
    from asva_pipelines.loading.catalog import HUB_MODELS
    from asva_pipelines.loading.hub import cached_files

    missing = cached_files(name)[1]
    for file in HUB_MODELS[name]:
        typer.echo(f"{'to download' if file in missing else 'here'}: {file}")
    if name == "keyvid":
        typer.echo(
            "The motion localizer of KeyVID was not released: the bundled one places the keyframes, unless "
            "`--keyframes` or `--uniform` is given."
        )
    typer.echo("A folder with these files, under these names, works as `--model` too.")


def _avsyncd_info() -> None:
    from asva_pipelines.loading.catalog import AVSYNCD_FILES

    for file in AVSYNCD_FILES:
        typer.echo(f"to fetch by hand: {file}")
    typer.echo("A folder with these, under these names, works as `--model`.")


def _folder_info(folder: Path) -> None:
    from asva_pipelines.loading.memory import component_sizes

    rows = [(name, f"{count / 1e6:.2f} M", f"{size / 1e6:.1f} MB") for name, count, size in component_sizes(folder)]
    table(("part", "parameters", "size"), rows)


@models_app.command()
def convert(
    source: Annotated[
        Path, typer.Argument(help="Folder with files under their released names, or one file. With --back: the folder.")
    ],
    destination: Annotated[Path, typer.Argument(help="Folder (with --back also: file) to write; it must not exist.")],
    back: Annotated[
        bool, typer.Option("--back", help="Give the released files back, with their keys and values.")
    ] = False,
    lean: Annotated[
        bool, typer.Option("--lean", help="Leave out weights that no network uses; such a folder has no way back.")
    ] = False,
    imagebind: Annotated[Path | None, typer.Option(help="imagebind_huge.pth, where it is not in the folder.")] = None,
    stable_diffusion: Annotated[
        Path | None, typer.Option(help="Folder of Stable Diffusion 1.5 for AVSyncD, where it is not in the folder.")
    ] = None,
    cogvideox: Annotated[
        Path | None, typer.Option(help="Folder of CogVideoX 5B for MTV, where it is not in the folder.")
    ] = None,
    wav2vec: Annotated[
        Path | None, typer.Option(help="Folder of wav2vec2-base-960h for MTV, where it is not in the folder.")
    ] = None,
) -> None:
    """Convert released files to a folder that `--model` loads, or an encoder's file to a folder of its own; and back.

    KeyVID, DynamiCrafter 512, AVSyncD, MTV, ImageBind's audio encoder and BEATs are told apart by files. Every key
    and shape is checked. Files are memory-mapped, so that a part is in memory only while it is written.

    Example:

      hf download RyanWW/KeyVID --local-dir KeyVID

      asva models convert KeyVID keyvid-converted

      asva models convert --back keyvid-converted KeyVID-again
    """
    from asva_pipelines import convert_model, restore_model
    from asva_pipelines.loading.families import PIPELINES
    from asva_weights import ModelError

    if destination.exists():
        raise RequestError(f"'{destination}' exists: name another folder.")
    given = {"imagebind_huge.pth": imagebind, "stable-diffusion-v1-5": stable_diffusion}
    given |= {"CogVideoX-5b": cogvideox, "wav2vec2-base-960h": wav2vec}
    given = {name: path for name, path in given.items() if path is not None}
    if back and (lean or given):
        raise RequestError("`--back` takes no other option: what the folder kept is given back.")
    for path in (source, *given.values()):
        if not path.exists():
            raise ModelError(f"'{path}' does not exist.")
    if back:
        files = restore_model(source, destination, on_progress=note)
        typer.echo(f"Converted back: {', '.join(str(file) for file in files)}")
        return
    family = convert_model(source, destination, given=given, keep_unused=not lean, on_progress=note)
    use = f"asva sample --model {destination} ..." if family in PIPELINES else f"{family.title} in {destination}"
    typer.echo(f"Converted: {use}")


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
