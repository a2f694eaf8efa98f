"""What the servers of all pages answer alike: JSON that comes, files of a page that go, refusals."""

from __future__ import annotations

import asyncio
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

KINDS = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
ASKING = 10.0
"""Seconds that a request without a file may take."""


class Refused(Exception):
    """What somebody sent cannot be taken.

    Args:
        status: Of the answer.
        line: What to tell them.
    """

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status, self.line = status, line


async def answer_refused(request: Request, error: Any) -> Response:
    """A refusal as JSON."""
    del request
    return JSONResponse({"error": error.line}, error.status)


async def read_json(request: Request, most: int) -> dict[str, Any]:
    """The JSON object that a request brings.

    Raises:
        Refused: If it is none, has more than `most` bytes or takes too long to come.
    """
    text = b""
    try:
        async with asyncio.timeout(ASKING):
            async for chunk in request.stream():
                text += chunk
                if len(text) > most:
                    raise Refused(413, "That is too much.")
    except TimeoutError:
        raise Refused(408, "The request took too long to come.") from None
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused(400, "The request must be JSON.") from None
    if not isinstance(body, dict):
        raise Refused(400, "The request must be a JSON object.")
    return body


def page_file(page: str, name: str) -> Response:
    """A file of a page, or one that all pages share.

    Raises:
        Refused: If there is none.
    """
    home, kind = files("asva_pages"), KINDS.get(Path(name).suffix)
    for folder in (home / page / "page", home / "page"):
        if kind and name == Path(name).name and (folder / name).is_file():
            return Response((folder / name).read_bytes(), media_type=kind, headers={"Cache-Control": "no-cache"})
    raise Refused(404, "There is no such file.")
