"""One worker: file after file, each result written at once, each failure a record, and no file that kills it twice."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from asva_curate.scale.journal import Journal
from asva_data.listing import printable

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors that are the disk's and not the file's."""

Work = Callable[["Item"], Mapping[str, bytes | Mapping[str, Any]]]
"""What is done with a file: its sample, which holds `json`."""


class Item(NamedTuple):
    """A file to work on.

    Attributes:
        key: Its name in the records, see `item_key`.
        path: Where it lies.
        label: Its class.
        facts: What else the work needs to know, as JSON can hold it.
    """

    key: str
    path: str
    label: str = ""
    facts: Mapping[str, Any] = {}


class Outcome(NamedTuple):
    """What became of an item: done, failed for a reason, or, for `stop` above 0, an error number that ends the run."""

    key: str
    failure: str = ""
    stop: int = 0


class Worker:
    """Works on blocks of items and appends their samples to a journal of its own.

    While a block is worked on, a small file names each item that was begun. A block that comes again, because its
    worker was killed, thus goes on behind what was finished, and an item that killed its worker `attempts` times is
    recorded as a failure.

    Args:
        folder: Of the records.
        run: Name of this run, by which the attempts of one run are told from those of another.
        make_work: Makes the work, in the process that does it.
        attempts: How often an item may kill its worker.
        max_bytes: A journal is closed once it holds this much.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        run: str,
        make_work: Callable[[], Work],
        attempts: int = 3,
        max_bytes: int = 1 << 30,
    ) -> None:
        self.folder, self.attempts, self.max_bytes = Path(folder), attempts, max_bytes
        self.trying = self.folder / f"trying-{run}"
        self.work = make_work()
        self.done, self.failed = Journal(self.folder), Journal(self.folder, "failed")

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list]:
        """As Ray Data calls it: `block` holds items as JSON."""
        blocks = [[Item(*item) for item in json.loads(str(text))] for text in batch["block"]]
        found = [outcome for block in blocks for outcome in self.process(block)]
        return {name: [getattr(outcome, name) for outcome in found] for name in Outcome._fields}

    def process(self, block: Iterable[Item]) -> Iterator[Outcome]:
        """Work on a block; what is the disk's fault ends it."""
        block = list(block)
        marks = self.trying / block[0].key
        begun = marks.read_text(encoding="utf-8").split() if marks.is_file() else []
        for item in block:
            tries = begun.count(item.key)
            if tries and item.key != begun[-1]:  # its worker went on to the next before it died
                yield Outcome(item.key)
                continue
            try:
                with marks.open("a", encoding="utf-8") as file:
                    file.write(f"{item.key}\n")
                yield self._one(item, tries)
            except OSError as error:
                yield Outcome(item.key, str(error), error.errno or errno.EIO)
                return
        marks.unlink(missing_ok=True)

    def _one(self, item: Item, tries: int) -> Outcome:
        failure = f"it killed its worker {tries} times" if tries >= self.attempts else ""
        if not failure:
            try:
                sample = self.work(item)
            except OSError as error:
                if error.errno in FULL:
                    raise
                failure = f"{type(error).__name__}: {error}"
            except MemoryError:
                failure = "MemoryError: too large for this machine"
            except ValueError as error:
                failure = str(error)
            except Exception as error:  # whatever a decoder or a network finds wrong with this file
                failure = f"{type(error).__name__}: {error}"
        if failure:
            self.failed.append(
                item.key, {"json": {"path": printable(item.path), "label": item.label, "failure": failure}}
            )
        else:
            if self.done.size >= self.max_bytes:
                self.done = Journal(self.folder)
            self.done.append(item.key, sample)
        return Outcome(item.key, failure)
