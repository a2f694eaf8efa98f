"""What a reviewer decided, clip by clip: a log that grows by a line and is on disk before the page goes on."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from asva_curate.review.log import append_row, read_rows
from asva_data import MediaError

FOLDER = "review"
"""Below the results of a curation."""
KINDS = ("keep", "drop", "open")


class Decision(NamedTuple):
    """A decision about a clip.

    Attributes:
        kind: "keep" or "drop"; in a log also "open", which takes back what was decided.
        start: Seconds from the start of the file at which it now begins.
        end: Seconds at which it now ends.
    """

    kind: str
    start: float
    end: float


class DecisionLog:
    """The decisions of one reviewer, the last about a clip being the one that counts.

    Args:
        folder: Results of a curation; the log is ``review/<reviewer>.jsonl`` below it.
        reviewer: Letters, digits, ``.``, ``_`` and ``-``, at most 64.

    Raises:
        MediaError: If the name is none, or the log is damaged before its last line.
    """

    def __init__(self, folder: str | os.PathLike, reviewer: str) -> None:
        if not re.fullmatch(r"\w[\w.\-]{0,63}", reviewer):
            raise MediaError(f"`reviewer` must be letters, digits, '.', '_' or '-', at most 64, got {reviewer!r}.")
        self.reviewer, self.path = reviewer, Path(folder) / FOLDER / f"{reviewer}.jsonl"
        self.decisions = read_decisions(self.path) if self.path.is_file() else {}

    def save(self, key: str, decision: Decision) -> None:
        """Write a decision to the disk; it holds once this returns.

        Raises:
            MediaError: If it is of no known kind.
            OSError: If the disk is full or the like.
        """
        if decision.kind not in KINDS:
            raise MediaError(f"`decision` must be one of {', '.join(KINDS)}, got {decision.kind!r}.")
        at = datetime.now(UTC).isoformat(timespec="seconds")
        append_row(self.path, {"key": key, **decision._asdict(), "at": at})
        _take(self.decisions, key, decision)


def read_decisions(path: str | os.PathLike) -> dict[str, Decision]:
    """What a log says of each clip that is decided; lines that were cut off by a kill say nothing.

    Raises:
        MediaError: If a line is JSON and yet no decision.
    """
    found: dict[str, Decision] = {}
    for row in read_rows(Path(path)):
        try:
            decision = Decision(row["kind"], float(row["start"]), float(row["end"]))
            key = str(row["key"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise MediaError(f"`path` must be a log of decisions, got {path} with {row!r}.") from error
        _take(found, key, decision)
    return found


def _take(found: dict[str, Decision], key: str, decision: Decision) -> None:
    if decision.kind == "open":
        found.pop(key, None)
    else:
        found[key] = decision


def read_reviews(folder: str | os.PathLike) -> dict[str, dict[str, Decision]]:
    """The decisions of every reviewer of a curated set, by name and clip; empty if there are none."""
    logs = sorted((Path(folder) / FOLDER).glob("*.jsonl"))
    return {path.stem: read_decisions(path) for path in logs}
