"""Released files become a folder, and the folder gives them back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from asva_pipelines.loading.catalog import MTV_CKPT, licence_of
from asva_pipelines.loading.families import FAMILIES, find_family
from asva_pipelines.loading.networks import read_networks
from asva_pipelines.loading.originals import original_files, size_of, unused_weights, write_originals
from asva_weights import ModelError
from asva_weights.release import Family, Files, Release, Say
from asva_weights.storage import SOURCE, check_space, fresh, network_size

__all__ = ["convert_files", "convert_model", "restore_model"]

_SHARD = "2GB"
Progress = Callable[[str], None] | None


def convert_model(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    given: Mapping[str, Path] | None = None,
    keep_unused: bool = True,
    on_progress: Progress = None,
) -> Family:
    """Convert released files of any family known here to a folder, every key and shape checked.

    Files are memory-mapped and parts are written one by one, so that little more than one shard of 2 GB is in memory.
    The folder appears when it is whole, or not at all.

    Args:
        source: A folder with files under their released names, or a single file.
        destination: The folder to write; models can be loaded from it with :func:`asva_pipelines.load_pipeline`,
            encoders with their class's ``from_pretrained``.
        given: Files that stand elsewhere: ``imagebind_huge.pth``, or the folder ``stable-diffusion-v1-5``.
        keep_unused: Also keep the weights that no network of ours uses, so that :func:`restore_model` can give the
            released files back.
        on_progress: Told in words what is being done.

    Returns:
        The family that the files are of.

    Raises:
        ModelError: If the files are of no family or of several, one is missing, damaged, or holds code, a weight is
            missing, unknown or of another shape; or if the disk is too small.
    """
    family, files = find_family(Path(source), given)
    convert_files(family, files, Path(destination), keep_unused=keep_unused, on_progress=on_progress)
    return family


def convert_files(
    family: Family, files: Files, destination: Path, *, keep_unused: bool = True, on_progress: Progress = None
) -> Path:
    """As :func:`convert_model`, of files that were found."""
    say = on_progress or (lambda text: None)
    say(f"Converting {family.title} to {destination}; this is done once. Licence: {family.licence}.")
    release = family.read(files, say)
    needed = network_size(release.networks.values())
    check_space(destination, needed)
    unused: dict[str, dict[str, Tensor]] = {}
    if keep_unused:
        unused = unused_weights(release, family.give_back(release.networks, list(release.originals)))
        check_space(destination, needed + size_of(unused))
    with fresh(destination) as folder:
        details = _write(folder, release, say)
        if keep_unused:
            say(f"keeping what the networks do not use, {size_of(unused) / 1e6:.1f} MB")
            write_originals(folder, release, unused)
        _write_source(folder, family, files, details)
    return destination


def _write(folder: Path, release: Release, say: Say) -> dict[str, Any]:
    for name, network in release.networks.items():
        say(f"writing {name}, {sum(value.numel() for value in network.parameters()) / 1e6:.1f} M parameters")
        network.save_pretrained(folder if release.finish is None else folder / name, max_shard_size=_SHARD)
    return {} if release.finish is None else release.finish(folder, say)


def _write_source(folder: Path, family: Family, files: Files, details: dict[str, Any]) -> None:
    """Where the folder comes from, for people, for the way back, and for the record beside a video."""
    source = {
        "family": family.name,
        "licence": family.licence,
        "files": {
            name: {"bytes": path.stat().st_size, "licence": licence_of(name) or family.licence}
            for name, path in sorted(files.items())
        },
        **details,
        "converted_by": f"asva-kit {version('asva-kit')}",
    }
    (folder / SOURCE).write_text(json.dumps(source, indent=2) + "\n", encoding="utf-8")


def restore_model(
    folder: str | os.PathLike[str], destination: str | os.PathLike[str], *, on_progress: Progress = None
) -> list[Path]:
    """Convert back: the released files with their keys and values, for use by the original code.

    Args:
        folder: Written by :func:`convert_model` (with ``keep_unused``).
        destination: The folder to write, in which the files have their released names; or, if there is but one, the
            file (a name with the released suffix).
        on_progress: Told in words what is being done.

    Returns:
        The files written.

    Raises:
        ModelError: If the folder was not converted, did not keep the unused weights, or is damaged; or if the disk is
            too small.
    """
    folder, destination = Path(folder), Path(destination)
    say = on_progress or (lambda text: None)
    family = _family_of(folder)
    say(f"Converting {family.title} back to {destination}. Licence: {family.licence}.")
    networks = read_networks(folder)
    try:
        files, texts = original_files(folder, lambda names: family.give_back(networks, names))
    except KeyError as error:
        raise ModelError(f"Folder '{folder}' lacks the part {error}: convert the released files again.") from error
    check_space(destination, size_of({name: state for name, (state, _) in files.items()}))
    single = len(files) == 1 and not texts and destination.suffix == Path(next(iter(files))).suffix
    with fresh(destination) as draft:
        for name, (state, settings) in files.items():
            say(f"writing {name}, {len(state)} weights")
            _write_file(draft / name, state, settings)
        for name, text in texts.items():
            (draft / name).write_text(text, encoding="utf-8")
        if single:
            os.replace(draft / next(iter(files)), destination)
            return [destination]
    return [destination / name for name in (*files, *texts)]


def _family_of(folder: Path) -> Family:
    try:
        name = json.loads((folder / SOURCE).read_text(encoding="utf-8"))["family"]
        return next(family for family in FAMILIES if family.name == name)
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise ModelError(
            f"'{folder}' was not written by `asva models convert`: only such a folder can be converted back."
        ) from error


def _write_file(path: Path, state: dict[str, Tensor], settings: dict[str, Any] | None) -> None:
    """As the original code reads it: Lightning's, DeepSpeed's, BEATs', or bare weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, path, metadata={"format": "pt"})
    elif settings is not None:
        torch.save({"cfg": settings, "model": state}, path)
    elif path.name == MTV_CKPT:
        torch.save({"module": state}, path)
    else:
        torch.save({"state_dict": state} if path.suffix == ".ckpt" else state, path)
