"""Stages, steps and time left of a long command, on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Stages:
    """Shows each stage with a bar on a terminal, and as one line each where stderr is a file."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.seconds: dict[str, float] = {}
        self._stage, self._since = "", 0.0
        self._console = Console(file=sys.stderr, highlight=False, markup=False, quiet=quiet)
        self._bars = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = None

    def __enter__(self) -> Stages:
        self._bars.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._close()
        self._bars.stop()

    def stage(self, name: str, total: int = 1) -> None:
        """Begin a stage of ``total`` steps; the one before it is over."""
        if name == self._stage:
            return
        self._close()
        self._stage, self._since = name, time.monotonic()
        self._task = self._bars.add_task(name, total=total)

    def step(self, done: int) -> None:
        """Say how many steps of the stage are done."""
        self._bars.update(self._task, completed=done)

    def _close(self) -> None:
        if not self._stage:
            return
        took = time.monotonic() - self._since
        self.seconds[self._stage] = round(self.seconds.get(self._stage, 0.0) + took, 3)
        task = self._bars.tasks[-1]
        self._bars.update(task.id, completed=task.total)
        if self._bars.disable:
            steps = f", {task.total:g} steps" if task.total and task.total > 1 else ""
            self._console.print(f"{self._stage}{steps}: {took:.1f} s")
        self._stage = ""
