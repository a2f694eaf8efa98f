"""The rows of a batch as tasks: each read as a command line, and all checked before the first is made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asva_pipelines.batch.table import Row, TableError
from asva_pipelines.make.errors import RequestError, describe
from asva_pipelines.make.job import Job
from asva_pipelines.notes import note_failure

MOST_TOLD = 10  # rows that are wrong

ReadJob = Callable[[Mapping[str, Any], Path], Job]
"""From the values of a row and the path of its video to a job."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A row that can be made.

    Attributes:
        row: Of the table or folder.
        output: Name of the video below the output folder, with forward slashes.
        job: What it is made of.
        done: Whether it is there, made of this very job.
    """

    row: Row
    output: str
    job: Job
    done: bool

    def __str__(self) -> str:
        return f"{self.row.name} ({self.output})"

    @property
    def models(self) -> str:
        """What has to be loaded."""
        request = self.job.request
        told = [request.method, request.model, request.interpolator, request.image_model, request.dtype]
        return repr([*told, request.prepared])


def check_rows(rows: list[Row], read: ReadJob, folder: Path) -> list[Task]:
    """Every row as a task, those that need the same models side by side.

    Raises:
        RequestError: Naming the first rows that are wrong.
    """
    tasks, wrong, outputs = [], [], {}
    for row in rows:
        try:
            task = _task(row, read, folder)
            other = outputs.setdefault(task.output.casefold(), row.name)  # some disks do not tell A from a
            if other is not row.name:
                raise RequestError(f"`output` must be another than that of {other}, got '{task.output}'.")
            tasks.append(task)
        except Exception as error:  # the parser's are of no common class
            wrong.append(f"{row.name}: {describe(error)}")
    if wrong:
        for line in wrong[1:MOST_TOLD]:
            note_failure(line)
        more = f" ({len(wrong)} of {len(rows)} rows are wrong; nothing was made.)" if len(wrong) > 1 else ""
        raise TableError(wrong[0][:1].upper() + wrong[0][1:] + more)
    order = {models: place for place, models in enumerate(dict.fromkeys(task.models for task in tasks))}
    return sorted(tasks, key=lambda task: order[task.models])


def _task(row: Row, read: ReadJob, folder: Path) -> Task:
    if "output" not in row.values:
        raise RequestError("`output` must be given: the name of the video in the output folder.")
    output = _inside(str(row.values["output"]), folder)
    job = read(row.values, folder / output)
    job.check()
    made_of = _recorded(job)
    ours = made_of.get("sha256") == job.digest()
    there = [path for path in job.targets.values() if path.exists()]
    if there and not (ours or job.overwrite):
        if made_of:
            raise RequestError(
                f"'{output}' was made by other options or files than these: pass --overwrite to make it anew, or "
                "another `output`."
            )
        raise RequestError(f"'{there[-1]}' exists: pass --overwrite or another name.")
    # A run that was killed may have left the record without its video, or beside the one before.
    done = ours and job.video.is_file() and job.video.stat().st_size == made_of.get("video_bytes")
    return Task(row=row, output=output, job=replace(job, overwrite=job.overwrite or ours), done=done)


def _inside(output: str, folder: Path) -> str:
    """Name of an output below the folder."""
    path = Path(output)
    try:
        below = (folder / path).resolve().relative_to(folder.resolve())
    except ValueError:
        below = None
    if below is None or path.is_absolute() or any(part.startswith(".") for part in below.parts):
        raise RequestError(f"`output` must be a name in the output folder, such as dogs/a.mp4, got '{output}'.")
    return below.as_posix()


def _recorded(job: Job) -> dict[str, Any]:
    """The job of which the video was made that is there, by its record."""
    try:
        return dict(json.loads(job.targets["json"].read_text(encoding="utf-8"))["job"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
