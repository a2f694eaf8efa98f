"""What every request passes: the right host, the right origin, and headers that let the page use nothing but itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_READING = ("GET", "HEAD")


class Guard:
    """Refuses what another site let a browser send, and asks browsers to refuse the rest.

    Args:
        app: What stands behind it.
        hosts: Names under which the page may be asked for, without ports; ``*`` is any.
    """

    def __init__(self, app: Any, hosts: tuple[str, ...]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass it on, or answer it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        problem = self._problem(scope["method"], Headers(scope=scope))
        if problem:
            return await JSONResponse({"error": problem}, 403)(scope, receive, send_guarded)
        await self._app(scope, receive, send_guarded)

    def _problem(self, method: str, headers: Headers) -> str:
        host = headers.get("host", "")
        try:
            name, origin = urlsplit(f"//{host}").hostname or "", urlsplit(headers.get("origin", "")).netloc
        except ValueError:
            return "The request is damaged."
        if "*" not in self._hosts and name not in {one.strip("[]") for one in self._hosts}:
            return "This page is not here under that name."
        if method in _READING:
            return ""
        # Browsers send it with everything but reading; what comes without is no page of this server.
        return "" if origin == host else "Only the page itself may ask for that."
