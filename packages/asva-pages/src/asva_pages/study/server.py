"""The page of a study: a secret in its address, raters by the names they give, videos by keys that say nothing."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from asva_data import MediaError
from asva_pages.guard import Guard
from asva_pages.requests import Refused, answer_refused, page_file, read_json
from asva_pages.serving import address_of, hosts_of, serve
from asva_pages.study.raters import Raters

LARGEST = 10_000
"""Bytes of answers."""


def make_study_app(raters: Raters, token: str, hosts: tuple[str, ...]) -> ASGIApp:
    """The page and what it asks for, all below ``/<token>/``.

    Args:
        raters: Everyone who rates.
        token: The secret.
        hosts: Names under which the page may be asked for, without ports; ``*`` is any.
    """

    def page(request: Request) -> Response:
        return page_file("study", request.path_params.get("name", "study.html"))

    async def enter(request: Request) -> Response:
        asked = await read_json(request, LARGEST)
        return JSONResponse(await _told(raters.enter, str(asked.get("rater", "")).strip()))

    async def state(request: Request) -> Response:
        return JSONResponse(await _told(raters.state, request.path_params["rater"]))

    async def answer(request: Request) -> Response:
        asked = await read_json(request, LARGEST)
        await _told(raters.save, request.path_params["rater"], asked)
        return JSONResponse({})

    async def video(request: Request) -> Response:
        return FileResponse(await _told(raters.video, request.path_params["key"]), media_type="video/mp4")

    routes = [
        Route("/", page),
        Route("/raters", enter, methods=["POST"]),
        Route("/raters/{rater}", state),
        Route("/raters/{rater}/answers", answer, methods=["POST"]),
        Route("/videos/{key}", video),
        Route("/{name}", page),
    ]
    app = Starlette(routes=[Mount(f"/{token}", routes=routes)], exception_handlers={Refused: answer_refused})
    return Guard(app, hosts, token)


def serve_study(
    raters: Raters, listening: socket.socket, host: str, *, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve the page until it is interrupted.

    Args:
        raters: Everyone who rates.
        listening: See :func:`asva_pages.listen`.
        host: The address as it was asked for.
        on_ready: Called with the address of the page, which raters open.
    """
    token = secrets.token_urlsafe(24)
    if on_ready is not None:
        on_ready(f"{address_of(listening, host)}/{token}/")
    serve(make_study_app(raters, token, hosts_of(host)), listening)


async def _told(do: Callable[..., Any], *given: Any) -> Any:
    """What it returns; what goes wrong is told."""
    try:
        return await run_in_threadpool(do, *given)
    except KeyError:
        raise Refused(404, "There is no such thing here.") from None
    except MediaError as error:
        raise Refused(422, str(error)) from None
    except OSError as error:
        raise Refused(507, f"it could not be saved: {error.strerror}") from None
