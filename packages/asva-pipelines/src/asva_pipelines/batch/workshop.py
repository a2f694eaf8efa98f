"""Where the videos of a batch are made: each by one process, whole or not at all, whatever is killed and when."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from asva_pipelines.batch.records import Records

RECORD, WORK = "batch.jsonl", ".batch"


class Workshop:
    """The folder of a batch: finished videos, their record, and a hidden folder for those being made.

    A video is made in ``.batch/JOB/making``, which is renamed to ``.batch/JOB/ready`` when everything is whole; then
    its files are moved to their places, and then it is recorded. Whoever finds a folder that is ready goes on from
    there, so that nothing is made twice. The system frees the locks of processes that end, however they end.

    Args:
        folder: For the videos; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / WORK
        self.work.mkdir(exist_ok=True)
        self.records = Records(folder / RECORD, self.work / "record.lock")

    @contextmanager
    def claim(self, output: str, *, seconds: float = 0.0) -> Iterator[bool]:
        """Whether this process may make an output; nobody else may then, until it is through.

        Args:
            output: Its name below the folder, with forward slashes.
            seconds: To wait at most for another process.
        """
        lock = FileLock(self._lock(output), timeout=seconds)
        if not self._acquire(lock):
            yield False
            return
        try:
            self.records.refresh()
            yield True
        finally:
            lock.release()

    def _acquire(self, lock: FileLock) -> bool:
        while True:
            self.work.mkdir(exist_ok=True)
            try:
                lock.acquire()
            except Timeout:
                return False
            except FileNotFoundError:  # a process that found everything done has just taken the folder away
                continue
            return True

    def is_done(self, output: str, job: str) -> bool:
        """Whether a video of this job is in its place."""
        return self.records.done(output) == job and (self.folder / output).is_file()

    def is_ready(self, job: str) -> bool:
        """Whether a video is whole, but perhaps not in its place or not recorded."""
        return self._ready(job).is_dir()

    def prepare(self, job: str) -> Path:
        """Folder to make a video in, without what a process left there that was killed."""
        making = self.making(job)
        making.mkdir(parents=True, exist_ok=True)
        for left in making.iterdir():
            if not left.is_dir():
                left.unlink()
            elif not left.name.endswith(".part"):  # finished windows of a long video stay
                shutil.rmtree(left)
        return making

    def making(self, job: str) -> Path:
        """Folder to make a video in."""
        return self.work / job / "making"

    def seal(self, job: str) -> None:
        """Say that all files are whole."""
        os.replace(self.making(job), self._ready(job))

    def put(self, output: str, job: str) -> None:
        """Move the files of a sealed video to their places, the video last, and record it."""
        place = (self.folder / output).parent
        place.mkdir(parents=True, exist_ok=True)
        video = Path(output).name
        for file in sorted(self._ready(job).iterdir(), key=lambda file: file.name == video):
            if file.is_file():
                os.replace(file, place / file.name)
        self.records.add(output, "done", job)
        shutil.rmtree(self.work / job, ignore_errors=True)

    def tidy(self, outputs: list[str]) -> None:
        """Take away locks of outputs that are done, and the hidden folder if nothing else is in it."""
        for output in outputs:
            with suppress(OSError):
                self._lock(output).unlink(missing_ok=True)
        with suppress(OSError):
            if not [path for path in self.work.iterdir() if path.name != "record.lock"]:
                shutil.rmtree(self.work)

    def _ready(self, job: str) -> Path:
        return self.work / job / "ready"

    def _lock(self, output: str) -> Path:
        return self.work / f"{hashlib.sha256(output.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}.lock"
