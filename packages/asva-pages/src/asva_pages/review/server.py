"""The page, on this machine alone: a secret in its address, clips by their keys, decisions saved, then shown."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from asva_data import MediaError
from asva_pages.guard import Guard
from asva_pages.requests import Refused, answer_refused, page_file, read_json
from asva_pages.review.session import Session
from asva_pages.serving import address_of, hosts_of, listen, serve

HOST = "127.0.0.1"
MOST = 4096
"""Bytes of a decision."""


def make_review_app(session: Session, token: str) -> ASGIApp:
    """The page and what it asks for, all below ``/<token>/``.

    Args:
        session: What is looked at, and by whom.
        token: The secret.
    """

    def page(request: Request) -> Response:
        return page_file("review", request.path_params.get("name", "review.html"))

    def state(request: Request) -> Response:
        return JSONResponse(session.state())

    def clip(request: Request) -> Response:
        return _of_clip(lambda key: FileResponse(session.copy(key), media_type="video/mp4"), request)

    def curves(request: Request) -> Response:
        return _of_clip(lambda key: JSONResponse(session.curves(key)), request)

    async def decide(request: Request) -> Response:
        asked = await read_json(request, MOST)
        try:
            return JSONResponse({"decision": await run_in_threadpool(session.save, asked)})
        except OSError as error:
            raise Refused(507, f"it could not be saved: {error.strerror}") from None
        except MediaError as error:
            raise Refused(422, str(error)) from None

    routes = [
        Route("/", page),
        Route("/state", state),
        Route("/decisions", decide, methods=["POST"]),
        Route("/clips/{key}", clip),
        Route("/curves/{key}", curves),
        Route("/{name}", page),
    ]
    app = Starlette(routes=[Mount(f"/{token}", routes=routes)], exception_handlers={Refused: answer_refused})
    return Guard(app, hosts_of(HOST), token)


def serve_review(session: Session, *, port: int = 0, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve the page on 127.0.0.1 until it is interrupted.

    Args:
        session: What is looked at, and by whom.
        port: Where; 0 for any that is free.
        on_ready: Called with the address once it can be opened.

    Raises:
        RequestError: If the port is taken.
    """
    token = secrets.token_urlsafe(24)
    with listen(HOST, port) as listening:
        if on_ready is not None:
            on_ready(f"{address_of(listening, HOST)}/{token}/")
        serve(make_review_app(session, token), listening)


def _of_clip(answer: Callable[[str], Response], request: Request) -> Response:
    try:
        return answer(request.path_params["key"])
    except KeyError:
        raise Refused(404, "There is no such clip.") from None
    except MediaError as error:
        raise Refused(415, str(error)) from None
