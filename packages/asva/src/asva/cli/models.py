"""`asva models`: which models there are, what they need, and how foreign files become a folder."""

from __future__ import annotations

import sys
from functools import partial
from json import loads as read_json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from asva.cli import options
from asva.cli.terminal import print_json, table
from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import note

if TYPE_CHECKING:
    from asva_pipelines import NamedModel
    from asva_weights import DownloadPlan

models_app = typer.Typer(no_args_is_help=True, help="List, describe and convert models.")


@models_app.command("list")
def list_models(json: options.Json = False) -> None:
    """List the models that have a name, whether they are on this machine, and the methods without such a model."""
    from asva_pipelines import METHODS, MODELS
    from asva_weights.remote import size_text

    found = [_described(model) for model in MODELS.values()]
    others = [
        {"method": one.name, "summary": one.summary, "needs_model": one.needs_model}
        for one in METHODS.values()
        if not one.models
    ]
    if json:
        return print_json({"models": found, "methods": others})
    for one in found:
        size = "" if one["state"] == "here" else f", {size_text(one['gigabytes'])}"
        typer.echo(f"{one['name']} ({one['state']}{size}): {one['summary']}\n  licence: {one['licence']}")
    for one in others:
        takes = "takes a folder or hub id as `--model`" if one["needs_model"] else "needs no model"
        typer.echo(f"--method {one['method']} ({takes}): {one['summary']}")


@models_app.command("info")
def info(
    name: Annotated[str, typer.Argument(help="A name, or a folder of a model.")], json: options.Json = False
) -> None:
    """Say what a model is made of, what would be downloaded, and under which licences.

    Example:

      asva models info keyvid
    """
    record = _record(name)
    if json:
        return print_json(record)
    if "summary" in record:
        typer.echo(f"{record['name']}: {record['summary']}")
    elif "converted_from" in record:
        typer.echo(f"converted from the released {record['converted_from']}")
    if "licence" in record:
        typer.echo(f"licence: {record['licence']}")
    for file in record.get("files", ()):
        typer.echo(f"{file['state']}: {file['file']}")
    for text in record.get("remarks", ()):
        typer.echo(text)
    if "parts" in record:
        rows = [
            (
                one["name"],
                f"{one['parameters'] / 1e6:.2f} M",
                f"{one['bytes'] / 1e6:.1f} MB",
                ", ".join(one["precisions"]),
            )
            for one in record["parts"]
        ]
        table(("part", "parameters", "size", "stored as"), rows)


def _described(model: NamedModel) -> dict[str, Any]:
    from asva_pipelines.loading.hub import cached_files

    if model.folder is not None:
        state = "here" if (model.folder / "model_index.json").is_file() else "absent"
    elif model.by_hand:
        state = "to be fetched by hand"
    else:
        state = "not on this machine" if cached_files(model.files)[1] else "here"
    size = sum(file.gigabytes for file in model.files)
    return {"name": model.name, "state": state, "summary": model.summary, "licence": model.licence, "gigabytes": size}


def _record(name: str) -> dict[str, Any]:
    """Everything about a model by its name, or about a folder."""
    from asva_pipelines import MODELS, resolve_model
    from asva_pipelines.loading.folders import stored_parts

    model = MODELS.get(name)
    record: dict[str, Any] = {"name": name} if model is None else _described(model)
    if model is not None and model.folder is None:
        return record | _files(model)
    if model is None and (source := Path(name) / "source.json").is_file():
        origin = read_json(source.read_text(encoding="utf-8"))
        record |= {"converted_from": origin["family"], "licence": origin["licence"]}
        if not source.with_name("model_index.json").is_file():  # an encoder
            return record
    return record | {"parts": [part._asdict() for part in stored_parts(resolve_model(name))]}


def _files(model: NamedModel) -> dict[str, Any]:
    from asva_pipelines.loading.hub import cached_files

    missing = () if model.by_hand else cached_files(model.files)[1]
    states = [
        "to fetch by hand" if model.by_hand else "to download" if file in missing else "here" for file in model.files
    ]
    said = [f"{text[0].upper()}{text[1:].removesuffix('.')}." for text in (model.by_hand, model.remark) if text]
    return {
        "files": [{"state": state, "file": str(file)} for state, file in zip(states, model.files, strict=True)],
        "remarks": [*said, "A folder with these files, under these names, works as `--model`."],
    }


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
    dtype: Annotated[Literal["float32", "bfloat16", "float16"], typer.Option(help="In which weights are stored.")] = (
        "float32"
    ),
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Convert released files to a folder that `--model` loads, or an encoder's file to a folder of its own.

    KeyVID, DynamiCrafter 512, AVSyncD, MTV, ImageBind's audio encoder and BEATs are told apart by files. Every key
    and shape is checked. Files are memory-mapped, so that a part is in memory only while it is written. Half precision
    takes half the disk, and is what a GPU computes in anyway.

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
    asked = partial(agree, yes=yes)
    family = convert_model(source, destination, given=given, dtype=dtype, confirm=asked, on_progress=note)
    if json:
        return print_json({"family": family.name, "title": family.title, "model": destination})
    use = f"asva sample --model {destination} ..." if family.name in METHODS else f"{family.title} in {destination}"
    typer.echo(f"Converted: {use}")


def agree(plan: DownloadPlan, *, yes: bool) -> bool:
    """Print what must be downloaded, how much, under which licences; then ask, unless ``--yes`` was given."""
    note(f"Model '{plan.model}' needs files that are not on this machine, {plan.size}:")
    for file in plan.files:
        note(f"  {file}")
    if yes:
        return True
    return _can_ask() and typer.confirm("Download them?", err=True)


def _can_ask() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
