"""`asva demo`: the page, served."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated

import typer

from asva.cli import options
from asva.cli.terminal import print_json
from asva_pipelines.make.errors import RequestError
from asva_pipelines.notes import note

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}


def demo(
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in, by the key in the address.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")] = 7860,
    model: options.Model = "tiny",
    device: options.Device = "auto",
    dtype: options.DtypeOption = options.Dtype.auto,
    offload: options.OffloadOption = options.Offload.auto,
    workers: Annotated[int, typer.Option(min=1, help="Videos made at once; each has the model in its memory.")] = 1,
    max_upload: Annotated[str, typer.Option(help="Largest file that is taken, such as 200MB.")] = "200MB",
    max_seconds: Annotated[float, typer.Option(min=0.1, help="Longest sound that is taken.")] = 60.0,
    keep: Annotated[float, typer.Option(min=0.1, help="Minutes after which files of those who left are removed.")] = 60,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Serve a page: upload or record a sound, choose a picture, move keyframes, watch the video.

    Several people may use it at once: videos wait in a queue, and everyone sees only their own files, which are removed
    when they are gone and when the server ends. Nothing is fetched from elsewhere.

    Examples:

      asva demo

      asva demo --model keyvid --device cuda --offload model --max-seconds 20

      asva demo --host 0.0.0.0 --port 8000 --workers 2
    """
    from asva.cli.models import agree
    from asva_pages import Limits, Settings, listen, serve_demo
    from asva_pipelines import resolve_model

    limits = Limits(upload=parse_bytes(max_upload), seconds=max_seconds, keep=60 * keep)
    with listen(host, port) as listening:
        settings = Settings(
            model=model,
            folder=resolve_model(model, confirm=lambda plan: agree(plan, yes=yes), on_progress=note),
            device=device,
            dtype=str(dtype),
            offload=str(offload),
            workers=workers,
            limits=limits,
        )
        serve_demo(settings, listening, host, on_ready=partial(_say, json=json))
    note("Ended.", quiet=True)


def _say(address: str, *, json: bool) -> None:
    if json:
        print_json({"address": address}, indent=None)
    else:
        typer.echo(address)
    note("Ctrl-C ends it.", quiet=True)


def parse_bytes(text: str) -> int:
    """Bytes from ``200MB``.

    >>> parse_bytes("200MB"), parse_bytes("1.5 gb"), parse_bytes("512")
    (200000000, 1500000000, 512)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]b)?", text.strip().lower())
    count = round(float(match[1]) * _UNITS[match[2] or ""]) if match else 0
    if not count:
        raise RequestError(f"`--max-upload` must be a size such as 200MB or 1GB, got '{text}'.")
    return count
