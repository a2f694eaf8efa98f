"""The record of a batch: a line for each video that was made or failed, only ever added to."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock


class Records:
    """Lines of JSON in one file, to which any number of processes add.

    A line that was cut short by the end of its writer is passed over, and the next one begins on a line of its own.

    Args:
        path: The file; it is made with the first line.
        lock: File that is locked while a line is added.

    Attributes:
        last: What was said last about each output.
        failed: What was said since this began about outputs that failed.
    """

    def __init__(self, path: Path, lock: Path) -> None:
        self.path, self._lock, self._read = path, lock, 0
        self.last: dict[str, dict[str, Any]] = {}
        self.failed: dict[str, dict[str, Any]] = {}
        self.refresh()
        self.failed.clear()

    def refresh(self) -> None:
        """Take in whole lines that were added meanwhile."""
        if not self.path.is_file():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        text = text[: text.rfind(b"\n") + 1]
        self._read += len(text)
        for line in text.splitlines():
            try:
                told = json.loads(line)
                output, state = told["output"], told["state"]
            except (ValueError, TypeError, KeyError):
                continue
            self.last[output] = told
            self.failed.pop(output, None)
            if state == "failed":
                self.failed[output] = told

    def done(self, output: str) -> str | None:
        """Digest of the job of which an output was made last; None if it was not."""
        told = self.last.get(output, {})
        return str(told.get("job")) if told.get("state") == "done" else None

    def add(self, output: str, state: str, job: str, **more: Any) -> None:
        """Add a line, which is on the disk when this returns."""
        told = {"output": output, "state": state, "job": job, **more}
        told |= {"process": os.getpid(), "at": datetime.now(UTC).isoformat(timespec="seconds")}
        line = json.dumps(told, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        with FileLock(self._lock), self.path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self.refresh()
