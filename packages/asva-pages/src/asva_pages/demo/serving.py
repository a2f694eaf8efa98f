"""The page, served until it is interrupted."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from dataclasses import replace

from asva_pages.demo.app import make_app
from asva_pages.demo.settings import Settings
from asva_pages.serving import address_of, hosts_of, is_local, serve
from asva_pipelines.loading.folders import method_of_model
from asva_pipelines.make.errors import RequestError


def serve_demo(
    settings: Settings, listening: socket.socket, host: str, *, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve the page until it is interrupted.

    Args:
        settings: Of the server; `hosts` follow from `host`.
        listening: See :func:`asva_pages.listen`.
        host: The address as it was asked for.
        on_ready: Called with the address of the page; where other machines may ask, a secret is part of it.

    Raises:
        RequestError: If the model cannot make a video of a picture and one sound.
    """
    method = method_of_model(settings.folder)
    if not method.needs_picture or method.needs_prompt:
        raise RequestError(f"`--model` must make a video of a picture and one sound, got one for {method.name}.")
    key = "" if is_local(host) else secrets.token_urlsafe(24)
    if on_ready is not None:
        on_ready(address_of(listening, host) + (key and f"/?key={key}"))
    serve(make_app(replace(settings, hosts=hosts_of(host), key=key)), listening)
