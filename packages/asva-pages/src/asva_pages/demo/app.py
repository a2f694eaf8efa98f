"""The application of `asva demo`: which request does what, for whom, and how it is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asva_pages.demo.guard import Guard
from asva_pages.demo.html import static
from asva_pages.demo.server import Server
from asva_pages.demo.sessions import Session
from asva_pages.demo.settings import Settings
from asva_pages.demo.uploads import Refused
from asva_pages.demo.workers import Unable

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
    # What was not read of an upload is not read any more.
    headers = {"Connection": "close"} if request.method == "PUT" else {}
    return JSONResponse({"error": error.line}, error.status, headers)


async def _unable(request: Request, error: Exception) -> Response:
    del request
    return JSONResponse({"error": str(error)}, 422)


async def _http(request: Request, error: Any) -> Response:
    del request
    return JSONResponse({"error": f"{error.detail}."}, error.status_code)


async def _gone(request: Request, error: Exception) -> Response:
    del request, error
    return Response(status_code=499)
