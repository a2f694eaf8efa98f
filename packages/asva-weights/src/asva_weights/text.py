"""Tables, lists and JSON that others wrote: no more is read than allowed, and one line says what is wrong in which."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asva_weights.limits import limits


@contextmanager
def reading(path: Path, rule: str, error: type[ValueError] = ValueError) -> Generator[None]:
    """Whatever goes wrong in the block becomes ``<rule>, got <path>: <reason>``; lines that name the file stay.

    Args:
        path: What is read.
        rule: What it must be, such as "`table` must have id and path in each row".
        error: Class of what is raised.
    """
    try:
        yield
    except Exception as problem:
        if isinstance(problem, error) and path.name in str(problem):
            raise
        reason = " ".join((str(problem) or type(problem).__name__).split())[:300].rstrip(".")
        raise error(f"{rule}, got {path}: {reason}.") from problem


def read_text(path: Path) -> str:
    """UTF-8 text, with or without a byte order mark.

    Raises:
        ValueError: If it is a pipe or a device, too large, or something else.
        OSError: If it is not there.
    """
    if path.exists() and not path.is_file():
        raise ValueError("it is a folder, a pipe or a device")
    if path.stat().st_size > limits().text:
        raise ValueError(f"it has more than {limits().text >> 20} MiB")
    return path.read_text(encoding="utf-8-sig")


def text_lines(path: Path) -> io.StringIO:
    """The lines of a text, which end at line feeds alone; errors as of :func:`read_text`."""
    return io.StringIO(read_text(path))


def read_table(path: Path) -> list[dict[str, Any]]:
    """Rows of a ``.csv`` with a header or of a ``.jsonl`` by column.

    Raises:
        ValueError: If it is neither, or a row is no object or has more cells than the header.
        csv.Error: If it is no CSV.
        OSError: If it is not there.
    """
    if path.suffix not in (".csv", ".jsonl"):
        raise ValueError("it ends in neither .csv nor .jsonl")
    lines = text_lines(path)
    rows = list(csv.DictReader(lines)) if path.suffix == ".csv" else [json.loads(x) for x in lines if x.strip()]
    if not all(isinstance(row, dict) and None not in row for row in rows):
        raise ValueError("a row is no object, or has more cells than the header")
    return rows
