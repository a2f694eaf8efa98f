"""The door of the command line: expected errors leave as one red line, Ctrl-C as 130, a traceback only on `--debug`."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from asva.cli.terminal import show_remarks
from asva_pipelines.make import errors

INTERRUPTED = 130


class Door(TyperGroup):
    """The root command group; every way out of a command passes through here."""

    def main(
        self,
        args: Any = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line; ``--debug`` may stand anywhere in it."""
        words = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in words or bool(os.environ.get("ASVA_DEBUG"))
        words = [word for word in words if word != "--debug"]
        extra |= {"complete_var": complete_var, "windows_expand_args": windows_expand_args}
        code = self._run(words, prog_name or "asva", debug, extra)
        if standalone_mode:
            sys.exit(code)
        return code

    def _run(self, words: list[str], prog_name: str, debug: bool, extra: dict[str, Any]) -> int:
        show_remarks()
        try:
            with warnings.catch_warnings():
                if not debug:  # remarks of the libraries, of no use to whoever makes a video
                    warnings.simplefilter("ignore")
                code = super().main(args=words, prog_name=prog_name, standalone_mode=False, **extra)
            return code if isinstance(code, int) else 0
        except Exception as error:
            if debug:
                traceback.print_exc()
            return report(error)

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command; an interruption becomes one line and exit code 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say_error("Interrupted; no file was left half-written.")
            raise typer.Exit(INTERRUPTED) from None


def report(error: Exception) -> int:
    """Say one line about an error and return the exit code that goes with it."""
    if not (_of_the_parser(error) and not error.format_message()):  # no message: the help was shown instead
        say_error(describe(error))
    return 2 if _is_usage(error) else 1


def describe(error: Exception) -> str:
    """One line that names the thing and, where it is known, the fix."""
    if _of_the_parser(error):
        command = getattr(getattr(error, "ctx", None), "command_path", "asva")
        return f"{error.format_message().rstrip('.')}. See `{command} --help`."
    return errors.describe(error)


def say_error(text: str) -> None:
    """Write one red line to stderr."""
    typer.secho(" ".join(text.split()), fg="red", err=True)


def _is_usage(error: Exception) -> bool:
    return isinstance(error, errors.RequestError) or _of_the_parser(error)


def _of_the_parser(error: Exception) -> bool:
    """Whether the parser of the command line raised it; its classes lie in click or in typer, by version."""
    return hasattr(error, "format_message")
