"""What the command line says: tables and results on stdout, notes and progress on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer


def note(text: str, *, quiet: bool = False) -> None:
    """Say something on stderr that is not a result; ``quiet`` is without colour, for what needs no attention."""
    typer.secho(text, fg=None if quiet else "yellow", err=True)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout; columns fold to the width of the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    drawn = Table(*head, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        drawn.add_row(*(str(cell) for cell in row))
    Console(markup=False, highlight=False).print(drawn)


def gigabytes(count: int) -> str:
    """Bytes in words."""
    return f"{count / 1e9:.2f} GB"
