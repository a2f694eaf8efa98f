"""The page, on this machine alone: a secret in its address, clips by their keys, decisions saved, then shown."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asva_data import MediaError
from asva_pages.review.session import Session

HOST = "127.0.0.1"
MOST = 4096
"""Bytes of a decision."""
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
TYPES = {"review.css": "text/css", "review.js": "text/javascript"}


class Guard:
    """Lets through what knows the secret and came by an address of this machine; adds headers that forbid the rest."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *((a.encode(), b.encode()) for a, b in HEADERS.items())]
            await send(message)

        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").rpartition(":")[0]
        word = scope["path"].split("/")[1] if scope["path"].startswith("/") else ""
        known = secrets.compare_digest(word.encode(errors="replace"), self.token.encode())
        if not known or host not in (HOST, "localhost"):
            return await PlainTextResponse("not found", 404)(scope, receive, send_with_headers)
        return await self.app(scope, receive, send_with_headers)


def make_review_app(session: Session, token: str) -> ASGIApp:
    """The page and what it asks for, all below ``/<token>/``.

    Args:
        session: What is looked at, and by whom.
        token: The secret.
    """

    def page(request: Request) -> Response:
        return HTMLResponse(_text("review.html"))

    def asset(request: Request) -> Response:
        name = request.path_params["name"]
        return Response(_text(name), media_type=TYPES[name]) if name in TYPES else _missing()

    def state(request: Request) -> Response:
        return JSONResponse(session.state())

    def clip(request: Request) -> Response:
        return _of_clip(lambda key: FileResponse(session.copy(key), media_type="video/mp4"), request)

    def curves(request: Request) -> Response:
        return _of_clip(lambda key: JSONResponse(session.curves(key)), request)

    async def decide(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > MOST:
                return JSONResponse({"error": "too large"}, 413)
        try:
            return JSONResponse({"decision": await run_in_threadpool(session.save, json.loads(body))})
        except OSError as error:
            return JSONResponse({"error": f"it could not be saved: {error.strerror}"}, 507)
        except ValueError as error:  # no JSON, or no decision
            return JSONResponse({"error": str(error)}, 422)

    routes = [
        Route("/", page),
        Route("/state", state),
        Route("/decisions", decide, methods=["POST"]),
        Route("/clips/{key}", clip),
        Route("/curves/{key}", curves),
        Route("/{name}", asset),
    ]
    return Guard(Starlette(routes=[Mount(f"/{token}", routes=routes)]), token)


def serve_review(session: Session, *, port: int = 0, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve the page on 127.0.0.1 until it is interrupted.

    Args:
        session: What is looked at, and by whom.
        port: Where; 0 for any that is free.
        on_ready: Called with the address once it can be opened.

    Raises:
        MediaError: If the port is taken.
    """
    import uvicorn

    token = secrets.token_urlsafe(24)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise MediaError(f"`port` must be free, got {port}: {error}; 0 takes any that is.") from error
        listener.listen()
        settings: dict[str, Any] = {"log_level": "error", "access_log": False, "timeout_graceful_shutdown": 1}
        server = uvicorn.Server(uvicorn.Config(make_review_app(session, token), lifespan="off", ws="none", **settings))
        if on_ready is not None:
            on_ready(f"http://{HOST}:{listener.getsockname()[1]}/{token}/")
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # how it is meant to end
            pass


def _of_clip(answer: Callable[[str], Response], request: Request) -> Response:
    try:
        return answer(request.path_params["key"])
    except KeyError:
        return _missing()
    except MediaError as error:
        return JSONResponse({"error": str(error)}, 415)


def _missing() -> Response:
    return PlainTextResponse("not found", 404)


@cache
def _text(name: str) -> str:
    return (files("asva_pages.review") / "page" / name).read_text(encoding="utf-8")
