"""A page, served until it is interrupted."""

from __future__ import annotations

import socket
from typing import Any

import uvicorn

from asva_pages.connections import TimedProtocol
from asva_pipelines.make.errors import RequestError

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ANYWHERE = ("0.0.0.0", "::", "")


def listen(host: str, port: int) -> socket.socket:
    """Socket that listens; made before anything is loaded, so that a port in use is told at once.

    Raises:
        RequestError: If the address is not free on this machine.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise RequestError(
            f"`--host` and `--port` must be free on this machine, got {host} {port}: {reason}."
        ) from None
    return listening


def is_local(host: str) -> bool:
    """Whether only this machine can ask."""
    return f"[{host}]" in _LOOPBACK or host in _LOOPBACK


def hosts_of(host: str) -> tuple[str, ...]:
    """Names under which a page may be asked for that listens there; ``*`` is any."""
    return ("*",) if host in _ANYWHERE else (*_LOOPBACK, host)


def address_of(listening: socket.socket, host: str) -> str:
    """What a browser opens, without a path."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


def serve(app: Any, listening: socket.socket) -> None:
    """Serve an application until it is interrupted."""
    how: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False, "ws": "none"}
    try:
        uvicorn.Server(uvicorn.Config(app, http=TimedProtocol, timeout_graceful_shutdown=1, **how)).run([listening])
    except KeyboardInterrupt:  # how it is meant to end
        pass
