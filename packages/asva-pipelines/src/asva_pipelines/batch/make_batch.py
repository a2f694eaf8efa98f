"""`asva sample --batch`: all rows are checked, then made one by one, here or by workers of Ray."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asva_data.many import only_run, run_many
from asva_pipelines.batch.table import Row, read_rows
from asva_pipelines.batch.tasks import ReadJob, Task, check_rows
from asva_pipelines.loading.load import load_pipeline
from asva_pipelines.loading.memory import release_memory
from asva_pipelines.make.errors import RequestError, describe, is_disk_full, is_out_of_memory
from asva_pipelines.notes import note, note_failure


def make_batch(source: Path, folder: Path, read: ReadJob, on_made: Callable[[Path], None], **options: Any) -> int:
    """Make a video of every row that is not done yet, as its own record tells.

    Args:
        source: Table or folder.
        folder: For the videos; on a cluster the same one on every machine.
        read: From the values of a row, and the path of its video, to a job.
        on_made: Told of each video that was made.
        options: Of :func:`asva_data.many.run_many`, such as ``workers``.

    Returns:
        Exit code: 0 if every row is done, else 1.

    Raises:
        RequestError: If a row cannot be made; nothing is made then.
        MediaError: If another run makes videos in the folder, or Ray is missing or cannot go on.
        OSError: If the disk is full; what was done stays.
    """
    rows = read_rows(source)
    _make_folder(source, folder)
    return make_rows(rows, folder, read, on_made, **options)


def make_rows(rows: list[Row], folder: Path, read: ReadJob, on_made: Callable[[Path], None], **options: Any) -> int:
    """The same of rows that are read already, into a folder that is there."""
    with only_run(folder):
        tasks = check_rows(rows, read, folder)
        _sweep(tasks)
        todo = [task for task in tasks if not task.done]
        if len(todo) < len(tasks):
            note(f"{len(tasks) - len(todo)} of {len(tasks)} videos were made before: going on.", quiet=True)
        failures = _make_all(todo, len(tasks), on_made, options)
    counts = {
        "made": len(todo) - len(failures),
        "made before": len(tasks) - len(todo),
        "failed": len(failures),
    }
    told = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
    note(f"{len(tasks)} videos: {told}.", quiet=True)
    for failure in failures:
        note_failure(failure)
    return 1 if failures else 0


def _make_folder(source: Path, folder: Path) -> None:
    if source.is_dir() and folder.resolve().is_relative_to(source.resolve()):
        raise RequestError(f"`--output` must lie outside of the folder of `--batch`, got '{folder}'.")
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"`--output` must be a folder with `--batch`, got the file '{folder}'.")
    if not folder.absolute().parent.is_dir():
        raise RequestError(f"Folder '{folder.parent}' does not exist: make it (mkdir -p) or write elsewhere.")
    folder.mkdir(exist_ok=True)


def _sweep(tasks: list[Task]) -> None:
    """Take away the drafts of these videos that a run left behind which was killed."""
    names = {path.name for task in tasks for path in task.job.targets.values()}
    for folder in {task.job.video.parent for task in tasks}:
        for left in folder.glob(".asva-*"):
            if names.issuperset(draft.name for draft in left.glob("*/*")):
                shutil.rmtree(left, ignore_errors=True)


def _make_all(todo: list[Task], total: int, on_made: Callable[[Path], None], options: dict[str, Any]) -> list[str]:
    """Make videos; returns what failed and why, in the order of the tasks."""
    failures: dict[int, str] = {}
    began, ended, before = time.monotonic(), 0, total - len(todo)

    def say(index: int) -> None:
        number = f"[{before + ended + 1} of {total}]"
        if ended:
            seconds = (len(todo) - ended) * (time.monotonic() - began) / ended
            number += f", about {f'{seconds / 60:.0f} min' if seconds >= 90 else f'{seconds:.0f} s'} left:"
        note(f"{number} {todo[index].output}", quiet=True)

    for outcome in run_many(todo, _Maker, on_start=say, **options):
        ended, task = ended + 1, todo[outcome.index]
        if reason := outcome.failure or outcome.result:
            failures[outcome.index] = f"{task}: {reason}"
            note_failure(failures[outcome.index])
        else:
            on_made(task.job.video)
    return [failures[index] for index in sorted(failures)]


class _Maker:
    """Makes videos one by one, and keeps what was loaded for one for the next."""

    def __init__(self) -> None:
        self.loaded: dict[Any, Any] = {}
        self.used: set[Any] = set()  # by the video that is being made

    def __call__(self, task: Task) -> str:
        """Why there is no video; empty if there is one."""
        self.used.clear()
        try:
            task.job.video.parent.mkdir(parents=True, exist_ok=True)
            task.job.make(load=self.load)
        except Exception as error:  # whatever it is, the other rows shall be made
            if is_disk_full(error):
                raise
            if is_out_of_memory(error):
                self.used.clear()
                self._let_go()
            return describe(error)
        return ""

    def load(self, model: Any, **more: Any) -> Any:
        """As :func:`asva_pipelines.load_pipeline`, once for a model; what only the last video needed goes before."""
        key = (str(model), *sorted(more.items()))
        self.used.add(key)
        if key not in self.loaded:
            self._let_go()
            self.loaded[key] = load_pipeline(model, **more)
        return self.loaded[key]

    def _let_go(self) -> None:
        self.loaded = {key: pipeline for key, pipeline in self.loaded.items() if key in self.used}
        release_memory()
