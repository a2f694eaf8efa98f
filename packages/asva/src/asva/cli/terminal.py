"""What the command line says: tables and results on stdout, notes and progress on stderr."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import typer


class Remarks(logging.Handler):
    """What the libraries say by the logger `asva`, on stderr: warnings in yellow, errors in red."""

    colours: ClassVar = {logging.WARNING: "yellow", logging.ERROR: "red"}

    def emit(self, record: logging.LogRecord) -> None:
        """Write one remark."""
        typer.secho(record.getMessage(), fg=self.colours.get(record.levelno), err=True)


def show_remarks() -> None:
    """Let the libraries' remarks be seen; once is enough."""
    log = logging.getLogger("asva")
    log.setLevel(logging.INFO)
    log.propagate = False
    if not any(isinstance(handler, Remarks) for handler in log.handlers):
        log.addHandler(Remarks())


def print_json(record: Any, *, indent: int | None = 2) -> None:
    """Print a result as JSON on stdout, where nothing else stands then."""
    from asva_weights.files import json_text

    text = json_text(record, indent=indent)
    typer.echo(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table on stdout; columns fold to the width of the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    drawn = Table(*head, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        drawn.add_row(*(str(cell) for cell in row))
    Console(markup=False, highlight=False).print(drawn)
