"""The folder of a server's files, held while the server lives; those of servers that were killed are removed."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from filelock import FileLock, Timeout

_NAME = "asva-demo-"


def new_home() -> Path:
    """A name that nobody can guess, below the system's folder for temporary files."""
    return Path(tempfile.gettempdir(), f"{_NAME}{secrets.token_hex(8)}")


@contextlib.contextmanager
def occupied(home: Path) -> Generator[None]:
    """Make the folder, and remove it in the end, after those that killed servers left.

    The lock lies beside the folder and is taken before there is one, so that no living server's folder is ever without.
    The system frees the locks of processes that end, however they end.

    Args:
        home: From :func:`new_home`.
    """
    _remove_abandoned(home.parent)
    try:
        with _lock_of(home):
            home.mkdir(mode=0o700)
            try:
                yield
            finally:
                shutil.rmtree(home, ignore_errors=True)
    finally:
        _lock_path(home).unlink(missing_ok=True)


def _remove_abandoned(parent: Path) -> None:
    for lock in parent.glob(f"{_NAME}*.lock"):
        home = lock.with_suffix("")
        if home.is_symlink() or not home.is_dir():
            continue
        with contextlib.suppress(Timeout, OSError), _lock_of(home):  # OSError: somebody else's
            shutil.rmtree(home, ignore_errors=True)
            lock.unlink(missing_ok=True)


def _lock_of(home: Path) -> FileLock:
    return FileLock(_lock_path(home), timeout=0, thread_local=False)


def _lock_path(home: Path) -> Path:
    return home.with_name(f"{home.name}.lock")
