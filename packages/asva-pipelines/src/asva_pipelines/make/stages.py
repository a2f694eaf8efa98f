"""Stages and steps of long work, and the seconds that each took."""

from __future__ import annotations

import time
from types import TracebackType


class Stages:
    """Is told what is being done, and shows nothing; who wants to show it overrides the methods.

    Attributes:
        seconds: That each stage took, by its name.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage, self._since = "", 0.0

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._close()

    def stage(self, name: str, total: int = 1) -> None:
        """Begin a stage of ``total`` steps; the one before it is over."""
        if name == self._stage:
            return
        self._close()
        self._stage, self._since = name, time.monotonic()

    def step(self, done: int) -> None:
        """Say how many steps of the stage are done."""

    def at(self, name: str, done: int, total: int) -> None:
        """Say how far a stage is, which begins with that if it has not."""
        self.stage(name, total)
        self.step(done)

    def _close(self) -> float:
        """End the stage; returns its seconds."""
        if not self._stage:
            return 0.0
        took = time.monotonic() - self._since
        self.seconds[self._stage] = round(self.seconds.get(self._stage, 0.0) + took, 3)
        self._stage = ""
        return took
