"""Released files become a folder that pipelines load."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from asva_pipelines.loading.families import find_family
from asva_pipelines.loading.hub import Confirm, gather
from asva_pipelines.methods import METHODS
from asva_weights.release import Family, Files, Release, Say
from asva_weights.storage import SOURCE, check_space, fresh, network_size

STORED = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_SHARD = "2GB"
Progress = Callable[[str], None] | None


def convert_model(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    given: Mapping[str, Path] | None = None,
    dtype: str = "float32",
    confirm: Confirm = None,
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
        dtype: In which the weights are stored: ``float32`` as released, ``bfloat16`` or ``float16`` on half the disk.
        confirm: Asked before a small file of another home, a tokenizer, is downloaded; without it nothing ever is.
        on_progress: Told in words what is being done.

    Returns:
        The family that the files are of.

    Raises:
        ModelError: If the files are of no family or of several, one is missing, damaged, or holds code, a weight is
            missing, unknown or of another shape; or if the disk is too small.
        ValueError: If `dtype` is none of these.
    """
    if dtype not in STORED:
        raise ValueError(f"`dtype` must be one of {', '.join(STORED)}, got {dtype}.")
    family, files = find_family(Path(source), given)
    files = gather(Path(source).name, family.elsewhere, confirm, files)
    convert_files(family, files, Path(destination), dtype=dtype, on_progress=on_progress)
    return family


def convert_files(
    family: Family, files: Files, destination: Path, *, dtype: str = "float32", on_progress: Progress = None
) -> Path:
    """As :func:`convert_model`, of files that were found."""
    say = on_progress or (lambda text: None)
    say(f"Converting {family.title} to {destination}; this is done once. Licence: {family.licence}.")
    release = family.read(files, say)
    share = STORED[dtype].itemsize / torch.float32.itemsize
    check_space({destination.parent: share * network_size(release.networks.values())})
    with fresh(destination) as folder:
        _write_source(folder, family, files, _write(folder, release, STORED[dtype], say) | {"stored": dtype})
    return destination


def _write(folder: Path, release: Release, dtype: torch.dtype, say: Say) -> dict[str, Any]:
    for name, network in release.networks.items():
        say(f"writing {name}, {sum(value.numel() for value in network.parameters()) / 1e6:.1f} M parameters")
        whole = network if dtype == torch.float32 else torch.nn.Module.to(network, dtype)
        whole.save_pretrained(folder if release.finish is None else folder / name, max_shard_size=_SHARD)
        network.to("meta")  # what it holds in memory goes
    return {} if release.finish is None else release.finish(folder, say)


def _write_source(folder: Path, family: Family, files: Files, details: dict[str, Any]) -> None:
    """Where the folder comes from, for people and for the record beside a video."""
    method = METHODS.get(family.name)
    own = {name: method.licence_of(name) if method else None for name in files}
    source = {
        "family": family.name,
        "licence": family.licence,
        "files": {
            name: {"bytes": path.stat().st_size, "licence": own[name] or family.licence}
            for name, path in sorted(files.items())
        },
        **details,
        "converted_by": f"asva-pipelines {version('asva-pipelines')}",
    }
    (folder / SOURCE).write_text(json.dumps(source, indent=2) + "\n", encoding="utf-8")
