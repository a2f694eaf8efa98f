"""Names, folders and hub ids become one local folder that a pipeline loads."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from asva.models.catalog import KEYVID_REPO, MODELS, DownloadPlan, ModelError
from asva.models.hub import cached_keyvid, download, keyvid_in_folder, snapshot

__all__ = ["cache_folder", "resolve_model", "tiny_folder"]

# Raise it when the converters write something else: folders converted before are then made anew.
_CONVERSION = 1


def cache_folder() -> Path:
    """Folder of converted models: ``ASVA_CACHE``, else ``asva`` in the user's cache folder."""
    chosen = os.environ.get("ASVA_CACHE")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "asva")


def tiny_folder() -> Path:
    """Folder of the model that comes with this package."""
    return Path(str(files("asva").joinpath("models", "tiny")))


def resolve_model(
    name: str | os.PathLike[str],
    *,
    confirm: Callable[[DownloadPlan], bool] | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> Path:
    """Find a model and return the folder to load it from.

    Args:
        name: ``tiny`` (bundled), ``keyvid`` (released weights), a folder (in this project's form, or holding the
            released files under the names that they have on the hub), or a hub id ``owner/name``.
        confirm: Asked before anything is downloaded; without it nothing ever is.
        on_progress: Told, in words, what a conversion is doing.

    Returns:
        A folder with ``model_index.json``. Released files are converted once into :func:`cache_folder` and reused.

    Raises:
        ModelError: If there is no such model, it is incomplete or damaged, or a download was not confirmed.
    """
    text = os.fspath(name)
    folder = Path(text).expanduser()
    if text == "tiny":
        return _tiny()
    if text in {"keyvid", KEYVID_REPO}:
        return _keyvid(confirm, on_progress)
    if folder.is_dir():
        return _folder(folder, on_progress)
    if folder.is_file():
        raise ModelError(f"Model '{text}' is a single file: pass the folder that holds it and its second stage.")
    if text.count("/") == 1 and not text.startswith((".", "/", "~")):
        return snapshot(text, confirm)
    raise ModelError(f"Model '{text}' is neither a name ({_names()}), nor a folder, nor a hub id.{_guess(text)}")


def _tiny() -> Path:
    folder = tiny_folder()
    if not (folder / "model_index.json").is_file():
        raise ModelError("The bundled model 'tiny' is absent from this installation: install `asva-kit` again.")
    return folder


def _keyvid(confirm: Callable[[DownloadPlan], bool] | None, on_progress: Callable[[str], None] | None) -> Path:
    found, missing = cached_keyvid()
    if missing:
        found = download(DownloadPlan(model="keyvid", files=missing), confirm)
    return _converted("keyvid", found, on_progress)


def _folder(folder: Path, on_progress: Callable[[str], None] | None) -> Path:
    if (folder / "model_index.json").is_file():
        return folder
    found = keyvid_in_folder(folder)
    if found is None:
        raise ModelError(
            f"Folder '{folder}' holds no model: neither `model_index.json` nor the released KeyVID files. "
            f"`asva models info keyvid` lists the names they must have."
        )
    return _converted(folder.resolve().name, found, on_progress)


def _converted(name: str, found: dict[str, Path], on_progress: Callable[[str], None] | None) -> Path:
    """Convert once: the folder is named after the files, so other files give another folder."""
    target = cache_folder() / f"{name}-{_fingerprint(found)}"
    if (target / "model_index.json").is_file():
        return target
    from asva.models.keyvid import convert_keyvid

    return convert_keyvid(found, target, on_progress=on_progress)


def _fingerprint(found: dict[str, Path]) -> str:
    facts = [(name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in sorted(found.items())]
    return hashlib.sha256(repr((_CONVERSION, facts)).encode()).hexdigest()[:12]


def _names() -> str:
    return ", ".join(f"'{entry.name}'" for entry in MODELS)


def _guess(text: str) -> str:
    close = difflib.get_close_matches(text, [entry.name for entry in MODELS], n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
