"""The families of released models, and which of them a file or folder is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from asva_audio.released import BEATS, IMAGEBIND_AUDIO
from asva_pipelines.methods import METHODS
from asva_weights import ModelError
from asva_weights.checkpoint import read_content
from asva_weights.release import Family, Files

ENCODERS = (IMAGEBIND_AUDIO, BEATS)


def method_families() -> tuple[Family, ...]:
    """Those that become a model of a method."""
    return tuple(family for method in METHODS.values() if (family := method.family_of_files) is not None)


def find_family(source: Path, given: Mapping[str, Path] | None = None) -> tuple[Family, Files]:
    """Tell which family of released models a file or folder is.

    An encoder beside a model is one of its parts: KeyVID and AVSyncD take ImageBind from there.

    Args:
        source: A folder with files under their released names, or a single file.
        given: Files that stand elsewhere, by their names.

    Returns:
        The family, and its files by their released names.

    Raises:
        ModelError: If it is of no family or of several, or a file is missing.
    """
    given = {name: Path(path) for name, path in (given or {}).items()}
    if source.is_file():
        content = read_content(source)
    elif source.is_dir():
        content = None
        if (source / "model_index.json").is_file():
            raise ModelError(f"Folder '{source}' is a model of this project's form already: pass it as `--model`.")
    else:
        raise ModelError(f"'{source}' does not exist: pass a folder with released files, or one file.")
    groups = (method_families(), ENCODERS)
    for group in groups:
        found = [(family, files) for family in group if (files := family.find(source, content, given)) is not None]
        if len(found) > 1:
            names = " and ".join(family.title for family, _ in found)
            raise ModelError(f"Folder '{source}' holds {names}: pass one of the files, or a folder of its own.")
        if found:
            return found[0]
    wanted = "; ".join(f"{family.title}: {family.wants}" for group in groups for family in group)
    raise ModelError(f"'{source}' holds no model: neither `model_index.json` nor released files. Known are {wanted}.")
