"""Connections that ask for nothing: those that keep half a request open are closed."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS = 10.0  # seconds that the headers of a request may take
HALF_OPEN = 64  # connections of one address that have not asked for anything yet


class TimedProtocol(H11Protocol):
    """HTTP/1.1 of uvicorn, which by itself waits for ever for the rest of a request's headers."""

    waiting: ClassVar[Counter[str]] = Counter()
    due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Count the time from here on; one too many of an address is closed at once."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._watch()
        if self.waiting[self.address] > HALF_OPEN:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Stop counting once the headers are there, and begin again with the next request."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting."""
        super().connection_lost(exc)
        self._stop()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self.due is None:
            self.due = self.loop.call_later(HEADERS, self.transport.abort)
            self.waiting[self.address] += 1

    def _stop(self) -> None:
        if self.due is not None:
            self.due.cancel()
            self.due = None
            self.waiting[self.address] -= 1
