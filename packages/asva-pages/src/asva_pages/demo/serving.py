"""The page, served until it is interrupted."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import uvicorn

from asva_pages.demo.app import make_app
from asva_pages.demo.connections import TimedProtocol
from asva_pages.demo.settings import Settings
from asva_pipelines.loading.folders import method_of_model
from asva_pipelines.make.errors import RequestError

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ANYWHERE = ("0.0.0.0", "::", "")


def listen(host: str, port: int) -> socket.socket:
    """Socket that listens; made before a model is loaded, so that a port in use is told at once.

    Raises:
        RequestError: If the address is not free on this machine.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise RequestError(
            f"`--host` and `--port` must be free on this machine, got {host} {port}: {error.strerror}."
        ) from None
    return listening


def serve_demo(
    settings: Settings, listening: socket.socket, host: str, *, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve the page until it is interrupted.

    Args:
        settings: Of the server; `hosts` follow from `host`.
        listening: See :func:`listen`.
        host: The address as it was asked for.
        on_ready: Called with the address of the page; where other machines may ask, a secret is part of it.

    Raises:
        RequestError: If the model cannot make a video of a picture and one sound.
    """
    method = method_of_model(settings.folder)
    if method.name in ("mtv", "aadiff"):
        raise RequestError(f"`--model` must make a video of a picture and one sound, got one for {method.name}.")
    key = "" if host in ("127.0.0.1", "localhost", "::1") else secrets.token_urlsafe(24)
    settings = replace(settings, hosts=("*",) if host in _ANYWHERE else (*_LOOPBACK, host), key=key)
    if on_ready is not None:
        shown = f"[{host}]" if ":" in host else host
        on_ready(f"http://{shown}:{listening.getsockname()[1]}{key and f'/?key={key}'}")
    how: dict[str, Any] = {
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "http": TimedProtocol,
        "ws": "none",
    }
    config = uvicorn.Config(make_app(settings), **how)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:  # how it is meant to end
        pass
