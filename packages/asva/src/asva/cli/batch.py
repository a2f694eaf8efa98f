"""`asva sample --batch`: all rows are checked, then made one by one by as many processes as are started."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from asva.batch import Kept, Row, TableError, Workshop, read_rows
from asva.cli.door import UsageProblem, describe, is_disk_full, say_error
from asva.cli.job import Job, read_job
from asva.cli.rows import read_options
from asva.cli.terminal import note

PATIENCE = 2.0  # seconds to wait at a time for a video that another process makes
MOST_TOLD = 10  # rows that are wrong


@dataclass(frozen=True, kw_only=True)
class Task:
    """A row that can be made.

    Attributes:
        row: Of the table or folder.
        output: Name of the video below the output folder, with forward slashes.
        job: What it is made of, with its files in their final places.
        key: Name of the job, which another row, option or content of a file changes.
    """

    row: Row
    output: str
    job: Job
    key: str

    @property
    def models(self) -> str:
        """What has to be loaded."""
        request = self.job.request
        return repr([request.method, request.model, request.interpolator, request.image_model, request.dtype])


@dataclass
class Tally:
    """How a batch went.

    Attributes:
        total: Rows.
        made: By this process.
        before: Rows that were done when it began.
        seconds: That this process has been making videos.
    """

    total: int
    made: int = 0
    before: int = 0
    seconds: float = field(default=0.0)


def make_batch(source: Path, folder: Path, given: Mapping[str, Any]) -> int:
    """Make a video of every row that is not done yet.

    Args:
        source: Table or folder.
        folder: For the videos.
        given: All options of the command line; those of a row count before them.

    Returns:
        Exit code: 0 if every row is done, else 1.

    Raises:
        UsageProblem: If a row cannot be made; nothing is made then.
        OSError: If the disk is full; what was done stays.
    """
    rows = read_rows(source)
    _make_folder(source, folder)
    shop = Workshop(folder)
    given = dict(given) | {"device": _device_of_rank(str(given["device"]))}
    tasks = check_rows(rows, given, shop)
    tally = Tally(len(tasks), before=sum(shop.is_done(task.output, task.key) for task in tasks))
    if tally.before:
        note(f"{tally.before} of {tally.total} videos were made before: going on.", quiet=True)
    _make_all(tasks, shop, tally)
    return _report(tasks, shop, tally)


def _make_folder(source: Path, folder: Path) -> None:
    if source.is_dir() and folder.resolve().is_relative_to(source.resolve()):
        raise UsageProblem(f"`--output` must lie outside of the folder of `--batch`, got '{folder}'.")
    if folder.exists() and not folder.is_dir():
        raise UsageProblem(f"`--output` must be a folder with `--batch`, got the file '{folder}'.")
    if not folder.absolute().parent.is_dir():
        raise UsageProblem(f"Folder '{folder.parent}' does not exist: make it (mkdir -p) or write elsewhere.")
    folder.mkdir(exist_ok=True)


def _device_of_rank(device: str) -> str:
    """A launcher's processes share the GPUs; any other device is as it was given."""
    rank = os.environ.get("LOCAL_RANK")
    if rank is None or device != "auto":
        return device
    import torch

    count = torch.cuda.device_count()
    return f"cuda:{int(rank) % count}" if count else device


def check_rows(rows: list[Row], given: Mapping[str, Any], shop: Workshop) -> list[Task]:
    """Every row as a task, those that need the same models side by side.

    Raises:
        UsageProblem: Naming the first rows that are wrong.
    """
    tasks, wrong, outputs = [], [], {}
    for row in rows:
        try:
            task = _task(row, given, shop)
            other = outputs.setdefault(task.output.casefold(), row.name)  # some disks do not tell A from a
            if other is not row.name:
                raise UsageProblem(f"`output` must be another than that of {other}, got '{task.output}'.")
            tasks.append(task)
        except Exception as error:  # the parser's are of no common class
            wrong.append(f"{row.name}: {describe(error)}")
    if wrong:
        for line in wrong[1:MOST_TOLD]:
            say_error(line)
        more = f" ({len(wrong)} of {len(rows)} rows are wrong; nothing was made.)" if len(wrong) > 1 else ""
        raise TableError(wrong[0][:1].upper() + wrong[0][1:] + more)
    order = {models: place for place, models in enumerate(dict.fromkeys(task.models for task in tasks))}
    return sorted(tasks, key=lambda task: order[task.models])


def _task(row: Row, given: Mapping[str, Any], shop: Workshop) -> Task:
    options = dict(given) | read_options(row.values)
    if "output" not in row.values:
        raise UsageProblem("`output` must be given: the name of the video in the output folder.")
    output = _inside(str(row.values["output"]), shop.folder)
    job = read_job(options | {"output": shop.folder / output})
    job.check()
    key = hashlib.sha256(f"{job.digest()} {output}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
    task = Task(row=row, output=output, job=job, key=key)
    _check_place(task, shop)
    return task


def _inside(output: str, folder: Path) -> str:
    """Name of an output below the folder."""
    path = Path(output)
    try:
        below = (folder / path).resolve().relative_to(folder.resolve())
    except ValueError:
        below = None
    if below is None or path.is_absolute() or any(part.startswith(".") for part in below.parts):
        raise UsageProblem(f"`output` must be a name in the output folder, such as dogs/a.mp4, got '{output}'.")
    return below.as_posix()


def _check_place(task: Task, shop: Workshop) -> None:
    """Refuse to replace what is not this row's."""
    files = [path for path in task.job.targets.values() if path.exists()]
    if shop.is_ready(task.key) or not files or task.job.overwrite:
        return
    shop.records.refresh()  # another process may have finished it just now
    made_of = shop.records.done(task.output)
    if made_of is None:
        raise UsageProblem(f"'{files[-1]}' exists: pass --overwrite or another name.")
    if made_of != task.key:
        raise UsageProblem(
            f"'{task.output}' was made by other options or files than these: pass --overwrite to make it anew, or "
            "another `output`."
        )


def _make_all(tasks: list[Task], shop: Workshop, tally: Tally) -> None:
    kept, waiting, seconds = Kept(), tasks, 0.0
    while waiting:
        waiting = [task for task in waiting if not _settled(task, shop, tally, kept, seconds)]
        if waiting and not seconds:
            note(f"Waiting for {len(waiting)} that other processes make.", quiet=True)
        seconds = PATIENCE


def _settled(task: Task, shop: Workshop, tally: Tally, kept: Kept, seconds: float) -> bool:
    """Whether a video is done or has failed, by whomever; if it is free, this process makes it."""
    if shop.is_done(task.output, task.key):
        return True
    with shop.claim(task.output, seconds=seconds) as mine:
        if mine and not shop.is_done(task.output, task.key) and task.output not in shop.records.failed:
            _make(task, shop, tally, kept)
    return mine


def _make(task: Task, shop: Workshop, tally: Tally, kept: Kept) -> None:
    finished = tally.before + tally.made
    left = f", about {_minutes(tally, finished)} left" if tally.made else ""
    note(f"[{finished + 1} of {tally.total}] {task.output}{left}", quiet=True)
    began = time.monotonic()
    try:
        if not shop.is_ready(task.key):
            kept.begin()
            task.job.within(shop.prepare(task.key)).make(load=kept)
            shop.seal(task.key)
        shop.put(task.output, task.key)
    except Exception as error:  # whatever it is, the other rows shall be made
        if is_disk_full(error):
            raise
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            kept.clear()
        reason = describe(error).replace(str(shop.making(task.key)), str(task.job.video.parent))
        say_error(f"{task.row.name} ({task.output}): {reason}")
        shop.records.add(task.output, "failed", task.key, reason=reason)
        return
    tally.made += 1
    tally.seconds += time.monotonic() - began
    typer.echo(shop.folder / task.output)


def _minutes(tally: Tally, finished: int) -> str:
    seconds = (tally.total - finished) * tally.seconds / tally.made
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _report(tasks: list[Task], shop: Workshop, tally: Tally) -> int:
    failed = [task for task in tasks if task.output in shop.records.failed]
    others = tally.total - tally.before - tally.made - len(failed)
    parts = {"made": tally.made, "made before": tally.before, "made by other processes": others, "failed": len(failed)}
    told = ", ".join(f"{count} {words}" for words, count in parts.items() if count)
    note(f"{tally.total} videos: {told}.", quiet=True)
    for task in failed:
        say_error(f"{task.row.name} ({task.output}): {shop.records.failed[task.output]['reason']}")
    shop.tidy([task.output for task in tasks if task not in failed])
    return 1 if failed else 0
