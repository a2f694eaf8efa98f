"""The command `asva`."""

from asva.cli.commands import app, main

__all__ = ["app", "main"]
