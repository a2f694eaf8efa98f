"""Names, folders and hub ids become one local folder that a pipeline loads."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from asva_pipelines.loading.hub import Confirm, gather, snapshot
from asva_pipelines.method import Method, NamedModel
from asva_pipelines.methods import METHODS, MODELS, find_model
from asva_weights import ModelError

if TYPE_CHECKING:
    from asva_weights.release import Family


# Raise it when the converters write something else: folders converted before are then made anew.
_CONVERSION = 1

Say = Callable[[str], None] | None


def cache_folder() -> Path:
    """Folder of converted models: ``ASVA_CACHE``, else ``asva`` in the user's cache folder."""
    chosen = os.environ.get("ASVA_CACHE")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "asva")


def resolve_model(
    name: str | os.PathLike[str],
    *,
    confirm: Confirm = None,
    on_progress: Say = None,
) -> Path:
    """Find a model and return the folder to load it from.

    Args:
        name: One of :data:`asva_pipelines.MODELS`: ``tiny`` (bundled), ``keyvid`` (released weights) and so on; a
            folder (in this project's form, or holding the released files of a model under their released names), or a
            hub id ``owner/name``.
        confirm: Asked before anything is downloaded; without it nothing ever is.
        on_progress: Told, in words, what a conversion is doing.

    Returns:
        A folder with ``model_index.json``. Released files are converted once into :func:`cache_folder` and reused.

    Raises:
        ModelError: If there is no such model, it is incomplete or damaged, or a download was not confirmed.
    """
    text = os.fspath(name)
    if (named := find_model(text)) is not None:
        return _named(*named, confirm, on_progress)
    folder = Path(text).expanduser()
    if folder.is_dir():
        return _folder(folder, confirm, on_progress)
    if folder.is_file():
        raise ModelError(f"Model '{text}' is a single file: pass its folder, or convert it (`asva models convert`).")
    if text.count("/") == 1 and not text.startswith((".", "/", "~")):
        return snapshot(text, confirm)
    raise ModelError(f"Model '{text}' is neither a name ({_names()}), nor a folder, nor a hub id.{_guess(text)}")


def _named(method: Method, model: NamedModel, confirm: Confirm, say: Say) -> Path:
    if model.folder is not None:
        if (model.folder / "model_index.json").is_file():
            return model.folder
        raise ModelError(f"The bundled model '{model.name}' is absent: install the package of `{method.name}` again.")
    if model.by_hand:
        raise ModelError(
            f"Model '{model.name}' cannot be downloaded from here: {model.by_hand}, and pass the folder as the model. "
            f"`asva models info {model.name}` lists what is known of sizes and licences."
        )
    found, family = (
        gather(model.name, model.files, confirm, converted={cache_folder(): model.converted}),
        method.family_of_files,
    )
    if model.place:
        path = model.files[0].path
        found = family.find(found[path].parents[path.count("/")] / model.place, None, {}) or {}
    return _converted(model.name, family, found, say)


def _folder(folder: Path, confirm: Confirm, say: Say) -> Path:
    if (folder / "model_index.json").is_file():
        return folder
    from asva_pipelines.loading.families import find_family

    family, found = find_family(folder)
    if family.name not in METHODS:
        raise ModelError(
            f"Folder '{folder}' holds {family.title}, which makes no video by itself: `asva models convert` makes a "
            f"folder of it."
        )
    name = folder.resolve().name
    return _converted(name, family, gather(name, family.elsewhere, confirm, found), say)


def _converted(name: str, family: Family, found: dict[str, Path], say: Say) -> Path:
    """Convert once: the folder is named after the files, so other files give another folder."""
    target = cache_folder() / f"{name}-{_fingerprint(found)}"
    if (target / "model_index.json").is_file():
        return target
    from asva_pipelines.loading.convert import convert_files

    return convert_files(family, found, target, on_progress=say)


def _fingerprint(found: dict[str, Path]) -> str:
    facts = [(name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in sorted(found.items())]
    return hashlib.sha256(repr((_CONVERSION, facts)).encode()).hexdigest()[:12]


def _names() -> str:
    return ", ".join(f"'{name}'" for name in MODELS)


def _guess(text: str) -> str:
    close = difflib.get_close_matches(text, MODELS, n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
