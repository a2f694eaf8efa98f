"""Released files: in a folder, in the hub's cache, or on the hub after a confirmation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from asva_weights import DownloadPlan, ModelError, RemoteFile, file_digest

# Weights of a model lie in the folders of its parts; beside them there may be others, in other precisions.
_WANTED = ["*.json", "*/*.safetensors", "*.txt"]
_UNWANTED = ["*.fp16.*", "*.non_ema.*"]
Confirm = Callable[[DownloadPlan], bool] | None
_REFUSALS = {
    401: "the hub asks who you are: log in with `hf auth login`, and accept the model's licence on its page",
    403: "the hub denies it: accept the model's licence on its page",
    404: "the hub does not have it",
    429: "the hub has had too many requests: try again in a few minutes",
}


def gather(
    model: str,
    files: Iterable[RemoteFile],
    confirm: Confirm,
    found: Mapping[str, Path] | None = None,
    converted: Mapping[Path, float] | None = None,
) -> dict[str, Path]:
    """All files of a model: those found already, those in the hub's cache, and the rest downloaded if the user agrees.

    Args:
        model: Its name.
        files: Those that it needs.
        confirm: Asked before anything is downloaded; without it nothing ever is.
        found: Those found already, by name.
        converted: Gigabytes that the conversion will write, by the folder it writes to.

    Raises:
        ModelError: If nobody agreed, a disk is too small, the hub cannot be reached, or a file has another hash.
    """
    here, missing = cached_files(file for file in files if file.path not in (found or {}))
    fetched = download(DownloadPlan(model=model, files=missing), confirm, converted) if missing else {}
    return {**(found or {}), **here, **fetched}


def cached_files(files: Iterable[RemoteFile]) -> tuple[dict[str, Path], tuple[RemoteFile, ...]]:
    """Look released files up in the hub's cache: those found, those missing."""
    paths = {file: cached_file(file) for file in files}
    found = {file.path: path for file, path in paths.items() if path is not None}
    return found, tuple(file for file, path in paths.items() if path is None)


def cached_folder(repo: str, path: str) -> Path | None:
    """Folder of a hub model in the hub's cache, if the file of that path below it is there."""
    file = cached_file(RemoteFile(repo=repo, path=path, gigabytes=0.0, licence=""))
    return None if file is None else file.parents[path.count("/")]


def cached_file(file: RemoteFile) -> Path | None:
    """Where a file is in the hub's cache, if it is."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(file.repo, file.path, revision=file.revision)
    return Path(path) if isinstance(path, str) else None


def download(plan: DownloadPlan, confirm: Confirm, converted: Mapping[Path, float] | None = None) -> dict[str, Path]:
    """Fetch the files of a plan, if the user agrees; see :func:`gather`."""
    _agree(plan, confirm, converted)
    try:
        return {file.path: _fetched(file) for file in plan.files}
    except ModelError:
        raise
    except _hub_errors() as error:
        raise _unreachable(plan.model, error) from error


def _fetched(file: RemoteFile) -> Path:
    """One file, which is thrown away if its hash is another than is known, or than the hub itself names."""
    path = _taken_up_again(file)
    # Large files lie in the cache under their SHA-256; the hub's client compares nothing but sizes.
    stated = path.readlink().name if path.is_symlink() else ""
    expected = file.sha256 or (stated if re.fullmatch("[0-9a-f]{64}", stated) else None)
    if expected is not None and (got := file_digest(path)) != expected:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise ModelError(
            f"File '{file.path}' of {file.repo} must have the SHA-256 {expected}, got {got}: it was damaged on its way "
            f"or changed there, and was deleted."
        )
    return path


def _taken_up_again(file: RemoteFile, breaks: int = 5) -> Path:
    """One file; where the connection breaks in the middle the rest is asked for, as the hub's client does since 2.0."""
    from huggingface_hub import __version__, hf_hub_download

    while True:
        try:
            return Path(hf_hub_download(file.repo, file.path, revision=file.revision))
        except _hub_errors() as error:
            breaks -= 1
            again = int(__version__.partition(".")[0]) < 2 and breaks > 0
            if not again or type(error).__name__ not in ("ReadError", "RemoteProtocolError"):
                raise


def snapshot(repo: str, confirm: Confirm) -> Path:
    """Folder of a hub model in this project's form: from the cache, or downloaded if the user agrees.

    Raises:
        ModelError: If the model cannot be had, or is not one of this project's form.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repo, allow_patterns=_WANTED, ignore_patterns=_UNWANTED, local_files_only=True))
    except LocalEntryNotFoundError:
        folder = _fetch(repo, confirm)
    except _hub_errors() as error:
        raise _unreachable(repo, error) from error
    if not (folder / "model_index.json").is_file():
        raise ModelError(f"Hub model '{repo}' has no `model_index.json`: it is not a model of this form.")
    return folder


def _fetch(repo: str, confirm: Confirm) -> Path:
    from huggingface_hub import snapshot_download

    if confirm is None:
        raise ModelError(f"Model '{repo}' is not on this machine: download it first, or agree to the download.")
    try:
        _agree(DownloadPlan(model=repo, files=_listing(repo)), confirm)
        return Path(snapshot_download(repo, allow_patterns=_WANTED, ignore_patterns=_UNWANTED))
    except ModelError:
        raise
    except _hub_errors() as error:
        raise _unreachable(repo, error) from error


def _listing(repo: str) -> tuple[RemoteFile, ...]:
    """Weights of a hub model with sizes and the licence that its card names."""
    from huggingface_hub import HfApi
    from huggingface_hub.utils import filter_repo_objects

    info = HfApi().model_info(repo, files_metadata=True)
    licence = (info.card_data or {}).get("license") or "not stated"
    weights = filter_repo_objects(
        info.siblings or [],
        allow_patterns="*/*.safetensors",
        ignore_patterns=_UNWANTED,
        key=lambda file: file.rfilename,
    )
    return tuple(
        RemoteFile(repo=repo, path=file.rfilename, gigabytes=(file.size or 0) / 1e9, licence=str(licence))
        for file in weights
    )


def _hub_errors() -> tuple[type[Exception], ...]:
    """What the hub's client raises; a broken connection is an error of the HTTP library that it happens to use."""
    from huggingface_hub.errors import HfHubHTTPError

    return (OSError, ValueError, *HfHubHTTPError.__bases__)


def _agree(plan: DownloadPlan, confirm: Confirm, converted: Mapping[Path, float] | None = None) -> None:
    """Ask the user, and see to it that the disks can take all that will be written."""
    from huggingface_hub.constants import HF_HUB_CACHE

    from asva_weights.storage import check_space

    if confirm is not None and confirm(plan):
        sizes = {Path(HF_HUB_CACHE): plan.gigabytes, **(converted or {})}
        return check_space({folder: 1e9 * size for folder, size in sizes.items()})
    # Whoever was asked has seen the list already.
    listed = "" if confirm is not None else f" ({'; '.join(str(file) for file in plan.files)})"
    raise ModelError(
        f"Model '{plan.model}' needs a download of {plan.size} that was not agreed to{listed}. "
        f"Pass `--yes`, or put the files into the model's folder or the hub's cache."
    )


def _unreachable(model: str, error: Exception) -> ModelError:
    status = next((one for one in map(_status, (error, error.__cause__)) if one), None)
    if status in _REFUSALS:
        return ModelError(f"Model '{model}' could not be downloaded (HTTP {status}): {_REFUSALS[status]}.")
    reason = str(error).strip().split("\n")[0]
    return ModelError(
        f"Model '{model}' could not be downloaded ({reason}): check the name and the connection, "
        f"or pass a folder that holds the files."
    )


def _status(error: Any) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)
