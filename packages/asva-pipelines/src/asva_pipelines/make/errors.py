"""Errors of requests, and any error in one line."""

from __future__ import annotations

import errno
from typing import TypeGuard

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class RequestError(ValueError):
    """A request that cannot be right whatever the files hold."""


def is_disk_full(error: BaseException) -> TypeGuard[OSError]:
    """Whether there was no room to write."""
    return isinstance(error, OSError) and error.errno in _DISK_FULL


def is_out_of_memory(error: BaseException) -> bool:
    """Whether main memory or that of a GPU ran out."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def describe(error: BaseException) -> str:
    """One line that names the thing and, where it is known, the fix."""
    if is_out_of_memory(error):
        return "Memory ran out: close other programs, pass `--offload model`, a smaller `--size` or another `--device`."
    if is_disk_full(error):
        where = f" for '{error.filename}'" if error.filename else ""
        return f"The disk is full{where} ({error.strerror}): free some space or write to another folder."
    if isinstance(error, OSError) and error.filename:
        return f"'{error.filename}': {error.strerror}."
    if isinstance(error, ValueError | OSError):
        return str(error) or type(error).__name__
    return f"Unexpected {type(error).__name__}: {error}. This is a defect; add `--debug` for the traceback."
