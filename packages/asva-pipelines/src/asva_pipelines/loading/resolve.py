"""Names, folders and hub ids become one local folder that a pipeline loads."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from asva_audio.released import IMAGEBIND
from asva_pipelines.loading.catalog import AVSYNCD_FILES, HUB_MODELS, MODELS
from asva_pipelines.loading.hub import cached_files, download, snapshot
from asva_weights import DownloadPlan, ModelError

if TYPE_CHECKING:
    from asva_weights.release import Family

__all__ = ["cache_folder", "resolve_model", "tiny_folder"]

# Raise it when the converters write something else: folders converted before are then made anew.
_CONVERSION = 1
# The same models under the ids that they have on the hub.
_REPOS = {entries[0].repo: name for name, entries in HUB_MODELS.items()}

Say = Callable[[str], None] | None


def cache_folder() -> Path:
    """Folder of converted models: ``ASVA_CACHE``, else ``asva`` in the user's cache folder."""
    chosen = os.environ.get("ASVA_CACHE")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "asva")


def tiny_folder() -> Path:
    """Folder of the model that comes with this package."""
    return Path(str(files("asva_pipelines").joinpath("models", "tiny")))


def resolve_model(
    name: str | os.PathLike[str],
    *,
    confirm: Callable[[DownloadPlan], bool] | None = None,
    on_progress: Say = None,
) -> Path:
    """Find a model and return the folder to load it from.

    Args:
        name: ``tiny`` (bundled), ``keyvid``, ``dynamicrafter`` or ``dynamicrafter-interp`` (released weights), a
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
    text = _REPOS.get(text, text)
    folder = Path(text).expanduser()
    if text == "tiny":
        return _tiny()
    if text in HUB_MODELS:
        return _released(text, confirm, on_progress)
    if text == "avsyncd":
        raise ModelError(_avsyncd_by_hand())
    if folder.is_dir():
        return _folder(folder, on_progress)
    if folder.is_file():
        raise ModelError(f"Model '{text}' is a single file: pass its folder, or convert it (`asva models convert`).")
    if text.count("/") == 1 and not text.startswith((".", "/", "~")):
        return snapshot(text, confirm)
    raise ModelError(f"Model '{text}' is neither a name ({_names()}), nor a folder, nor a hub id.{_guess(text)}")


def _tiny() -> Path:
    folder = tiny_folder()
    if not (folder / "model_index.json").is_file():
        raise ModelError("The bundled model 'tiny' is absent from this installation: install `asva-pipelines` again.")
    return folder


def _released(model: str, confirm: Callable[[DownloadPlan], bool] | None, say: Say) -> Path:
    from asva_pipelines.loading.families import family_of

    found, missing = cached_files(model)
    if missing:
        found = download(DownloadPlan(model=model, files=missing), confirm)
    return _converted(model, family_of(model.removesuffix("-interp")), found, say)


def _avsyncd_by_hand() -> str:
    """AVSyncD lies where no program may fetch it."""
    unet, stable_diffusion, imagebind = AVSYNCD_FILES
    return (
        f"Model 'avsyncd' cannot be downloaded from here: its weights are on Google Drive and have no hub id. Put into "
        f"one folder `{unet.path}` ({unet.repo}), `stable-diffusion-v1-5/` with vae, text_encoder, tokenizer and "
        f"scheduler (hub id {stable_diffusion.repo}) and `{IMAGEBIND}` ({imagebind.repo}), and pass the folder as the "
        f"model. `asva models info avsyncd` lists sizes and licences."
    )


def _folder(folder: Path, say: Say) -> Path:
    if (folder / "model_index.json").is_file():
        return folder
    from asva_pipelines.loading.families import PIPELINES, find_family

    family, found = find_family(folder)
    if family not in PIPELINES:
        raise ModelError(
            f"Folder '{folder}' holds {family.title}, which makes no video by itself: `asva models convert` makes a "
            f"folder of it."
        )
    return _converted(folder.resolve().name, family, found, say)


def _converted(name: str, family: Family, found: dict[str, Path], say: Say) -> Path:
    """Convert once: the folder is named after the files, so other files give another folder."""
    target = cache_folder() / f"{name}-{_fingerprint(found)}"
    if (target / "model_index.json").is_file():
        return target
    from asva_pipelines.loading.convert import convert_files

    # The released files stay where they are: nothing of them need be kept here to give them back.
    return convert_files(family, found, target, keep_unused=False, on_progress=say)


def _fingerprint(found: dict[str, Path]) -> str:
    facts = [(name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in sorted(found.items())]
    return hashlib.sha256(repr((_CONVERSION, facts)).encode()).hexdigest()[:12]


def _names() -> str:
    return ", ".join(f"'{entry.name}'" for entry in MODELS)


def _guess(text: str) -> str:
    close = difflib.get_close_matches(text, [entry.name for entry in MODELS], n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
