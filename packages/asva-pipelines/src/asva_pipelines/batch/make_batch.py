"""`asva sample --batch`: all rows are checked, then made one by one by as many processes as are started."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from asva_pipelines.batch.kept import Kept
from asva_pipelines.batch.table import read_rows
from asva_pipelines.batch.tasks import ReadJob, Task, check_rows
from asva_pipelines.batch.workshop import Workshop
from asva_pipelines.make.errors import RequestError, describe, is_disk_full, is_out_of_memory
from asva_pipelines.notes import note, note_failure

PATIENCE = 2.0  # seconds to wait at a time for a video that another process makes


@dataclass
class Tally:
    """How a batch goes, of which other processes may make a part.

    Attributes:
        tasks: All rows.
        shop: Where they are made.
        made: By this process.
        before: Rows that were done when it began.
        since: When that was.
    """

    tasks: list[Task]
    shop: Workshop
    made: int = 0
    before: int = field(init=False)
    since: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.before = sum(self.shop.is_done(task.output, task.key) for task in self.tasks)

    @property
    def done(self) -> int:
        """Rows that are done, by whomever."""
        return sum(self.shop.records.done(task.output) == task.key for task in self.tasks)

    def told(self) -> str:
        """Number of the next video, and how long all that are left will take."""
        done, total = self.done, len(self.tasks)
        number = f"[{min(done + 1, total)} of {total}]"
        if done <= self.before:
            return number
        seconds = (total - done) * (time.monotonic() - self.since) / (done - self.before)
        return f"{number}, about {f'{seconds / 60:.0f} min' if seconds >= 90 else f'{seconds:.0f} s'} left:"


def make_batch(source: Path, folder: Path, read: ReadJob, on_made: Callable[[Path], None]) -> int:
    """Make a video of every row that is not done yet.

    Args:
        source: Table or folder.
        folder: For the videos.
        read: From the values of a row, and the path of its video, to a job.
        on_made: Told of each video that was made.

    Returns:
        Exit code: 0 if every row is done, else 1.

    Raises:
        RequestError: If a row cannot be made; nothing is made then.
        OSError: If the disk is full; what was done stays.
    """
    tally = begin(source, folder, read)
    _make_all(tally, on_made)
    return report(tally)


def begin(source: Path, folder: Path, read: ReadJob) -> Tally:
    """All rows, checked, and what of them is done; see :func:`make_batch`."""
    rows = read_rows(source)
    _make_folder(source, folder)
    shop = Workshop(folder)
    tally = Tally(check_rows(rows, read, shop), shop)
    if tally.before:
        note(f"{tally.before} of {len(tally.tasks)} videos were made before: going on.", quiet=True)
    return tally


def _make_folder(source: Path, folder: Path) -> None:
    if source.is_dir() and folder.resolve().is_relative_to(source.resolve()):
        raise RequestError(f"`--output` must lie outside of the folder of `--batch`, got '{folder}'.")
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"`--output` must be a folder with `--batch`, got the file '{folder}'.")
    if not folder.absolute().parent.is_dir():
        raise RequestError(f"Folder '{folder.parent}' does not exist: make it (mkdir -p) or write elsewhere.")
    folder.mkdir(exist_ok=True)


def _make_all(tally: Tally, on_made: Callable[[Path], None]) -> None:
    kept, waiting, seconds = Kept(), tally.tasks, 0.0
    while waiting:
        waiting = [task for task in waiting if not _settled(task, tally, kept, seconds, on_made)]
        if waiting and not seconds:
            note(f"Waiting for {len(waiting)} that other processes make.", quiet=True)
        seconds = PATIENCE


def _settled(task: Task, tally: Tally, kept: Kept, seconds: float, on_made: Callable[[Path], None]) -> bool:
    """Whether a video is done or has failed, by whomever; if it is free, this process makes it."""
    shop = tally.shop
    if shop.is_done(task.output, task.key):
        return True
    with shop.claim(task.output, seconds=seconds) as mine:
        if mine and not shop.is_done(task.output, task.key) and task.output not in shop.records.failed:
            _make(task, tally, kept, on_made)
    return mine


def _make(task: Task, tally: Tally, kept: Kept, on_made: Callable[[Path], None]) -> None:
    shop = tally.shop
    note(f"{tally.told()} {task.output}", quiet=True)
    try:
        if not shop.is_ready(task.key):
            kept.begin()
            task.job.within(shop.prepare(task.key)).make(load=kept)
            shop.seal(task.key)
        shop.put(task.output, task.key)
    except Exception as error:  # whatever it is, the other rows shall be made
        if is_disk_full(error):
            raise
        if is_out_of_memory(error):
            kept.clear()
        reason = describe(error).replace(str(shop.making(task.key)), str(task.job.video.parent))
        note_failure(f"{task.row.name} ({task.output}): {reason}")
        shop.records.add(task.output, "failed", task.key, reason=reason)
        return
    tally.made += 1
    on_made(shop.folder / task.output)


def report(tally: Tally) -> int:
    """Say how it went, with what failed at the end; returns the exit code."""
    shop = tally.shop
    failed = [task for task in tally.tasks if task.output in shop.records.failed]
    others = len(tally.tasks) - tally.before - tally.made - len(failed)
    parts = {"made": tally.made, "made before": tally.before, "made by other processes": others, "failed": len(failed)}
    told = ", ".join(f"{count} {words}" for words, count in parts.items() if count)
    note(f"{len(tally.tasks)} videos: {told}.", quiet=True)
    for task in failed:
        note_failure(f"{task.row.name} ({task.output}): {shop.records.failed[task.output]['reason']}")
    shop.tidy([task.output for task in tally.tasks if task not in failed])
    return 1 if failed else 0
