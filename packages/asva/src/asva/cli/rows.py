"""A row of a batch, read as `asva sample` reads its command line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from asva.cli.sample_options import SampleOptions, takes_sample_options
from asva_pipelines.make.errors import RequestError

if TYPE_CHECKING:
    from asva_pipelines.make.job import Job

# They are of the whole batch, or agree to something.
_ELSEWHERE = ("batch", "workers", "ray-address", "gpus", "json", "yes", "help")
_TRUTH = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}


def read_row(given: SampleOptions, values: Mapping[str, Any], output: Path) -> Job:
    """The job of a row: its options count before those of the command line.

    Args:
        given: The options of the command line.
        values: See :func:`read_options`.
        output: The video.
    """
    from asva.cli.job import read_job

    return read_job(replace(given, **read_options(values) | {"output": output}))


def read_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options by the names of their parameters, as `asva sample` would be given them.

    Args:
        values: By the names of options without dashes, as text, numbers, truth values, or lists where an option may
            stand more than once.

    Raises:
        RequestError: If an option is unknown or a value of a wrong kind.
    """
    known = {name[2:]: param for param in _command().params for name in param.opts if name.startswith("--")}
    words, flags = [], {}
    for name, value in values.items():
        param = known.get(name)
        if param is None or name in _ELSEWHERE:
            raise RequestError(_unknown(name, [one for one in known if one not in _ELSEWHERE]))
        if getattr(param, "is_flag", False):
            flags[param.name] = _truth(name, value)
        else:
            words += [f"--{name}={word}" for word in _words(name, value, repeated=bool(param.multiple))]
    try:
        return _command().main(args=words, prog_name="asva sample", standalone_mode=False) | flags
    except Exception as error:
        if hasattr(error, "format_message"):  # the parser's, whose classes lie in click or in typer, by version
            raise RequestError(f"{error.format_message().rstrip('.')}. See `asva sample --help`.") from None
        raise


@cache
def _command() -> Any:
    """`asva sample`, but all it does is to give back what it was told."""

    @takes_sample_options
    def told(ctx: typer.Context, options: SampleOptions) -> dict[str, Any]:
        named = (name for name in ctx.params if ctx.get_parameter_source(name).name == "COMMANDLINE")
        return {name: getattr(options, name) for name in named}

    app = typer.Typer(add_completion=False)
    app.command()(told)
    return typer.main.get_command(app)


def _unknown(name: str, known: list[str]) -> str:
    if name in _ELSEWHERE:
        return f"`{name}` must be given on the command line, not in a row."
    close = difflib.get_close_matches(name, known, n=1)
    more = f" Did you mean '{close[0]}'?" if close else " See `asva sample --help`."
    return f"'{name}' is no option of asva sample.{more}"


def _truth(name: str, value: Any) -> bool:
    truth = _TRUTH.get(str(value).strip().lower())
    if truth is None:
        raise RequestError(f"`{name}` must be true or false, got '{value}'.")
    return truth


def _words(name: str, value: Any, *, repeated: bool) -> list[str]:
    values = value if isinstance(value, list) and repeated else [value]
    if any(isinstance(one, bool) or not isinstance(one, str | int | float) for one in values):
        kinds = "text, a number, or a list of these" if repeated else "text or a number"
        raise RequestError(f"`{name}` must be {kinds}, got {value!r}.")
    return [str(one) for one in values]
