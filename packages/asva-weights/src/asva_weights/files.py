"""Files written whole or not at all, and records of how they were made."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

_PACKAGES = (
    "asva-kit asva-audio asva-baselines asva-curate asva-data asva-dit asva-eval asva-interp asva-keyframe "
    "asva-metrics asva-pages asva-pipelines asva-train asva-unet asva-weights "
    "accelerate av diffusers huggingface-hub matplotlib numpy opencv-python-headless pillow safetensors "
    "tokenizers torch torchaudio torchvision transformers"
).split()
# A list of numbers that was broken into lines; a newline never stands inside a JSON string.
_NUMBERS = re.compile(r"\[\n([^\[\]{}\"]*)\]")


@contextmanager
def staged(*targets: Path) -> Generator[list[Path]]:
    """Write several files so that all of them appear, complete, or none does.

    The files are written in a hidden folder beside the first target and moved to their names at the end. Such a folder
    that a killed process has left there is removed.

    Args:
        targets: The final names; their folders must exist.

    Yields:
        One path per target to write to, with the same file name.
    """
    prefix = f".asva-{targets[0].name}-"
    for left in targets[0].parent.glob(f"{glob.escape(prefix)}*"):
        with _held(left) as free:
            if free:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=targets[0].parent) as folder, _held(Path(folder)):
        drafts = [Path(folder, str(number), target.name) for number, target in enumerate(targets)]
        for draft in drafts:
            draft.parent.mkdir()
        try:
            yield drafts
        except (OSError, ValueError) as error:
            raise _about_targets(error, dict(zip(map(str, drafts), map(str, targets), strict=True))) from None
        for draft, target in zip(drafts, targets, strict=True):
            _move(draft, target)


@contextmanager
def _held(folder: Path) -> Generator[bool]:
    """Mark a folder as in use until the block or the process ends; False if another process holds it."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):  # Windows, or just removed
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)


@contextmanager
def full_disk_named(path: Path) -> Generator[None]:
    """The errors of their own that torch and safetensors have for a disk that is full become the system's."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        said = re.search(r"os error (\d+)", str(error))
        if said is None and not re.search("PytorchStreamWriter|unexpected pos|write failed", str(error)):
            raise
        number = int(said[1]) if said else errno.ENOSPC
        raise OSError(number, os.strerror(number), str(path)) from error


def _about_targets(error: Exception, names: dict[str, str]) -> Exception:
    """The same error about the final names, which are the ones that the user knows."""
    if isinstance(error, OSError) and error.errno is not None:
        name = names.get(str(error.filename), error.filename)
        return type(error)(error.errno, error.strerror, name)
    text = str(error)
    if not any(draft in text for draft in names):
        return error
    for draft, target in names.items():
        text = text.replace(draft, target)
    return type(error)(text)


def _move(draft: Path, target: Path) -> None:
    try:
        os.replace(draft, target)
    except OSError:  # another file system: copy beside the target first, so that the last step is a rename
        beside = target.with_name(f".{target.name}.part")
        try:
            shutil.copyfile(draft, beside)
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)


def json_text(record: Any, *, indent: int | None = 2) -> str:
    """A record as JSON; numpy values and paths are turned into plain ones."""
    text = json.dumps(record, indent=indent, ensure_ascii=False, default=_plain, allow_nan=False)
    return _NUMBERS.sub(_on_one_line, text)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record as indented UTF-8 JSON, see :func:`json_text`.

    Bytes of file names that are no UTF-8 become JSON escapes, which are read back as the same name.
    """
    path.write_text(json_text(record) + "\n", encoding="utf-8", errors="backslashreplace")


def _on_one_line(match: re.Match[str]) -> str:
    return "[" + " ".join(match[1].split()) + "]"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if hasattr(value, "detach"):
        return value.detach().cpu().tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"A record cannot hold a {type(value).__name__}.")


def package_versions() -> dict[str, str]:
    """Versions of Python and of every package that can change the pixels."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
