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
    from asva_pipelines import NamedModel
    from asva_weights import DownloadPlan

models_app = typer.Typer(no_args_is_help=True, help="List, describe and convert models.")


@models_app.command("list")
def list_models() -> None:
    """List the models that have a name, whether they are on this machine, and the methods without such a model."""
    from asva_pipelines import METHODS, MODELS

    for model in MODELS.values():
        typer.echo(f"{model.name} ({_state(model)}): {model.summary}\n  licence: {model.licence}")
    for method in (method for method in METHODS.values() if not method.models):
        takes = "takes a folder or hub id as `--model`" if method.needs_model else "needs no model"
        typer.echo(f"--method {method.name} ({takes}): {method.summary}")


def _state(model: NamedModel) -> str:
    from asva_pipelines.loading.hub import cached_files

    if model.folder is not None:
        return "here" if (model.folder / "model_index.json").is_file() else "absent"
    if model.by_hand:
        return "to be fetched by hand"
    return "not on this machine" if cached_files(model.files)[1] else "here"


@models_app.command("info")
def info(name: Annotated[str, typer.Argument(help="A name, or a folder of a model.")]) -> None:
    """Say what a model is made of, what would be downloaded, and under which licences.

    Example:

      asva models info keyvid
    """
    from asva_pipelines import MODELS, resolve_model

    model = MODELS.get(name)
    if model is not None:
        typer.echo(f"{model.name}: {model.summary}\nlicence: {model.licence}")
        if model.folder is None:
            return _released_info(model)
    elif (source := Path(name) / "source.json").is_file():
        _origin_info(source)
        if not source.with_name("model_index.json").is_file():  # an encoder
            return
    _folder_info(resolve_model(name))


def _origin_info(source: Path) -> None:
    origin = json.loads(source.read_text(encoding="utf-8"))
    typer.echo(f"converted from the released {origin['family']}\nlicence: {origin['licence']}")


def _released_info(model: NamedModel) -> None:
    from asva_pipelines.loading.hub import cached_files

    missing = () if model.by_hand else cached_files(model.files)[1]
    for file in model.files:
        typer.echo(f"{'to fetch by hand' if model.by_hand else 'to download' if file in missing else 'here'}: {file}")
    for text in (model.by_hand, model.remark):
        if text:
            typer.echo(f"{text[0].upper()}{text[1:].removesuffix('.')}.")
    typer.echo("A folder with these files, under these names, works as `--model`.")


def _folder_info(folder: Path) -> None:
    from asva_pipelines.loading.folders import component_sizes

    rows = [(name, f"{count / 1e6:.2f} M", f"{size / 1e6:.1f} MB") for name, count, size in component_sizes(folder)]
    table(("part", "parameters", "size"), rows)


@models_app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Folder with files under their released names, or one file.")],
    destination: Annotated[Path, typer.Argument(help="Folder to write; it must not exist.")],
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
    """Convert released files to a folder that `--model` loads, or an encoder's file to a folder of its own.

    KeyVID, DynamiCrafter 512, AVSyncD, MTV, ImageBind's audio encoder and BEATs are told apart by files. Every key
    and shape is checked. Files are memory-mapped, so that a part is in memory only while it is written.

    Example:

      hf download RyanWW/KeyVID --local-dir KeyVID

      asva models convert KeyVID keyvid-converted
    """
    from asva_pipelines import METHODS, convert_model
    from asva_weights import ModelError

    if destination.exists():
        raise RequestError(f"'{destination}' exists: name another folder.")
    given = {"imagebind_huge.pth": imagebind, "stable-diffusion-v1-5": stable_diffusion}
    given |= {"CogVideoX-5b": cogvideox, "wav2vec2-base-960h": wav2vec}
    given = {name: path for name, path in given.items() if path is not None}
    for path in (source, *given.values()):
        if not path.exists():
            raise ModelError(f"'{path}' does not exist.")
    family = convert_model(source, destination, given=given, on_progress=note)
    use = f"asva sample --model {destination} ..." if family.name in METHODS else f"{family.title} in {destination}"
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
