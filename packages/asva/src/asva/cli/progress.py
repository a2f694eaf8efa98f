"""Stages, steps and time left of a long command, on stderr."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from asva_pipelines.make.stages import Stages


class ShownStages(Stages):
    """Shows each stage with a bar on a terminal, and as one line each where stderr is a file."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(file=sys.stderr, highlight=False, markup=False)
        self._bars = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: Any = None

    def __enter__(self) -> ShownStages:
        self._bars.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        super().__exit__(kind, error, trace)
        self._bars.stop()

    def stage(self, name: str, total: int = 1) -> None:
        """Begin a stage of ``total`` steps; the one before it is over."""
        if name != self._stage:
            super().stage(name, total)
            self._task = self._bars.add_task(name, total=total)

    def step(self, done: int) -> None:
        """Say how many steps of the stage are done."""
        self._bars.update(self._task, completed=done)

    def _close(self) -> float:
        name, took = self._stage, super()._close()
        if name:
            task = self._bars.tasks[-1]
            self._bars.update(task.id, completed=task.total)
            if self._bars.disable:
                steps = f", {task.total:g} steps" if task.total and task.total > 1 else ""
                self._console.print(f"{name}{steps}: {took:.1f} s")
        return took
