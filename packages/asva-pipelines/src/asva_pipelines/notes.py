"""Remarks for whoever asked for something: warnings need attention, infos do not; nothing is printed here."""

from __future__ import annotations

import logging

_log = logging.getLogger("asva")


def note(text: str, *, quiet: bool = False) -> None:
    """Say something that is not a result; ``quiet`` is for what needs no attention."""
    _log.log(logging.INFO if quiet else logging.WARNING, "%s", text)


def note_failure(text: str) -> None:
    """Say that one of several things failed."""
    _log.error("%s", " ".join(text.split()))


def gigabytes(count: int) -> str:
    """Bytes in words."""
    return f"{count / 1e9:.2f} GB"
