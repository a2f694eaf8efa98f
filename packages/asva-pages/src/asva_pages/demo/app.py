"""The application of `asva demo`: which request does what, for whom, and how it is refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from asva_pages.demo.html import static
from asva_pages.demo.server import Server
from asva_pages.demo.sessions import Session
from asva_pages.demo.settings import Settings
from asva_pages.demo.workers import Unable
from asva_pages.guard import Guard
from asva_pages.requests import Refused, answer_refused

LINGER = 10.0  # seconds
Handler = Callable[[Request, Session], Awaitable[Response]]


def make_app(settings: Settings) -> Starlette:
    """The application, for any ASGI server; its files are removed when it ends."""
    server = Server(settings)
    mine = _for(server)
    app = Starlette(
        routes=[
            Route("/", server.page),
            Route("/static/{name}", static),
            Route("/examples/{name}.png", server.example_picture),
            Route("/api/state", mine(server.state)),
            Route("/api/examples/{name}", mine(server.take_example), methods=["POST"]),
            Route("/api/uploads/{kind}", mine(server.upload), methods=["PUT"]),
            Route("/api/uploads/{id}/preview", mine(server.preview)),
            Route("/api/uploads/{id}/original", mine(server.original)),
            Route("/api/jobs", mine(server.make), methods=["POST"]),
            Route("/api/jobs/{id}", mine(server.remove), methods=["DELETE"]),
            Route("/api/jobs/{id}/cancel", mine(server.cancel), methods=["POST"]),
            Route("/api/jobs/{id}/{what}", mine(server.result)),
        ],
        middleware=[Middleware(Guard, hosts=settings.hosts)],
        exception_handlers={Refused: _refused, Unable: _unable, HTTPException: _http, ClientDisconnect: _gone},
        lifespan=server.live,
    )
    app.state.server = server
    return app


def _for(server: Server) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """Handlers that answer only those who have a session, and know whose."""

    def mine(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            session = server.sessions.find(request.cookies.get(server.cookie))
            if session is None:
                raise Refused(401, "Your files were removed, as you were away for long: load the page again.")
            return await handler(request, session)

        return handle

    return mine


async def _refused(request: Request, error: Any) -> Response:
    if request.method != "PUT":
        return await answer_refused(request, error)
    most = 0 if request._stream_consumed else 2 * request.app.state.server.limits.upload
    return LastAnswer({"error": error.line}, error.status, most)


class LastAnswer(JSONResponse):
    """An answer before all of an upload was read: the rest is read and dropped, for a while, or it would be lost.

    A connection that is closed with unread bytes is reset, and with it goes what was on its way to the browser.

    Args:
        content: As JSON.
        status: Of the answer.
        most: Bytes that are dropped.
    """

    def __init__(self, content: Any, status: int, most: int) -> None:
        super().__init__(content, status)
        self.left = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, drop what comes, and close."""
        headers = [*self.raw_headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while self.left > 0 and (message := await receive()).get("more_body"):
                    self.left -= len(message["body"])
        await send({"type": "http.response.body"})


async def _unable(request: Request, error: Exception) -> Response:
    del request
    return JSONResponse({"error": str(error)}, 422)


async def _http(request: Request, error: Any) -> Response:
    del request
    return JSONResponse({"error": f"{error.detail}."}, error.status_code)


async def _gone(request: Request, error: Exception) -> Response:
    del request, error
    return Response(status_code=499)
