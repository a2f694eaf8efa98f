"""What every request passes: the right host, the page itself as origin or a secret in the path, and headers."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse

# The page may use nothing but what its server sends.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
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
        token: A secret with which every path must begin, or nothing is here. Without one, what changes something must
            come from the page itself.
    """

    def __init__(self, app: Any, hosts: tuple[str, ...], token: str = "") -> None:
        self._app, self._hosts, self._token = app, hosts, token

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

        headers = Headers(scope=scope)
        problem = self._of_host(headers) or ("" if self._token else self._of_origin(scope["method"], headers))
        if self._token and (problem or not self._knows(scope["path"])):
            return await PlainTextResponse("not found", 404)(scope, receive, send_guarded)
        if problem:
            return await JSONResponse({"error": problem}, 403)(scope, receive, send_guarded)
        await self._app(scope, receive, send_guarded)

    def _knows(self, path: str) -> bool:
        word = path.split("/")[1] if path.startswith("/") else ""
        return secrets.compare_digest(word.encode(errors="replace"), self._token.encode())

    def _of_host(self, headers: Headers) -> str:
        try:
            name = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        except ValueError:
            return "The request is damaged."
        known = "*" in self._hosts or name in {one.strip("[]") for one in self._hosts}
        return "" if known else "This page is not here under that name."

    @staticmethod
    def _of_origin(method: str, headers: Headers) -> str:
        if method in _READING:
            return ""
        try:
            origin = urlsplit(headers.get("origin", "")).netloc
        except ValueError:
            return "The request is damaged."
        # Browsers send it with everything but reading; what comes without is no page of this server.
        return "" if origin == headers.get("host", "") else "Only the page itself may ask for that."
