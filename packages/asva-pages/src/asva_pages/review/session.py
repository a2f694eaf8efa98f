"""One reviewer's look through a curated set: clips, small copies of them, decisions that are checked and saved."""

from __future__ import annotations

import math
import os
import tempfile
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

from asva_curate import (
    Decision,
    DecisionLog,
    Measurements,
    Results,
    Verdict,
    clip_key,
    disputed,
    merge_reviews,
    read_reviews,
)
from asva_curate.review.decisions import KINDS
from asva_data import MediaError
from asva_data.preview import write_preview
from asva_pages.copies import Copies

COPIES = 64
"""Small copies that are held at a time."""
LEAST = 0.1
"""Seconds that a trimmed clip must last."""
SLACK = 1e-3


class Session:
    """What the page shows and what it may do.

    Files are named by the keys of clips alone, so that nothing but the clips of the set can be asked for.

    Args:
        folder: Results of `asva curate`.
        reviewer: Who looks.
        only_disputed: Show only the clips on which others disagree.

    Raises:
        MediaError: If the folder holds no results, or none of its clips is to be looked at.
    """

    def __init__(self, folder: str | os.PathLike, reviewer: str, *, only_disputed: bool = False) -> None:
        self.results, self.log = Results(folder), DecisionLog(folder, reviewer)
        others = {name: found for name, found in read_reviews(folder).items() if name != reviewer}
        wanted = set(disputed(others)) if only_disputed else None
        self.clips = {
            key: (place, verdict.path, verdict.label, clip)
            for place, verdict in enumerate(self.results.verdicts)
            for key, clip in _clips(verdict)
            if wanted is None or key in wanted
        }
        if not self.clips:
            what = "a clip on which reviewers disagree" if only_disputed else "a clip that was kept"
            raise MediaError(f"`folder` must hold {what}, got none in {folder}.")
        self._home = tempfile.TemporaryDirectory(prefix="asva-review-")
        self._copies, self._saving = Copies(Path(self._home.name), COPIES), threading.Lock()
        self._block = lru_cache(maxsize=2)(self._read_block)

    def close(self) -> None:
        """Take the small copies away and write reviewed.csv with all reviewers' decisions."""
        self._home.cleanup()
        merge_reviews(self.results.folder)

    def state(self) -> dict[str, Any]:
        """All clips with what was decided, as JSON can hold them."""
        return {
            "reviewer": self.log.reviewer,
            "clips": [
                {
                    "key": key,
                    "name": Path(path).name,
                    "path": path,
                    "label": label,
                    "start": clip.start,
                    "end": clip.end,
                    "decision": self._decision(key),
                }
                for key, (_, path, label, clip) in self.clips.items()
            ],
        }

    def save(self, asked: Any) -> dict[str, Any] | None:
        """Check a decision as the page sends it and write it down.

        Returns:
            What now holds for the clip.

        Raises:
            MediaError: If it is no decision on a clip of the set.
        """
        asked = asked if isinstance(asked, dict) else {}
        if str(asked.get("key")) not in self.clips or asked.get("kind") not in KINDS:
            raise MediaError("`decision` must have the `key` of a clip and a `kind` of keep, drop or open.")
        key, kind = str(asked["key"]), asked["kind"]
        clip = self.clips[key][3]
        start, end = (asked.get(name, getattr(clip, name)) for name in ("start", "end"))
        if not (_number(start) and _number(end) and clip.start - SLACK <= start and end <= clip.end + SLACK):
            raise MediaError(f"`start` and `end` must be seconds from {clip.start:g} to {clip.end:g}.")
        if kind == "keep" and end - start < LEAST:
            raise MediaError(f"`end` must be at least {LEAST} s behind `start`.")
        with self._saving:
            self.log.save(key, Decision(kind, round(start, 3), round(end, 3)))
        return self._decision(key)

    def copy(self, key: str) -> Path:
        """A small copy of a clip, made when it is first asked for.

        Raises:
            KeyError: If there is no such clip.
            MediaError: If its file cannot be read.
        """
        _, path, _, clip = self.clips[key]
        seconds = clip.end - clip.start
        return self._copies.get(key, lambda target: write_preview(path, target, start=clip.start, seconds=seconds))

    def curves(self, key: str) -> dict[str, list[list[float]]]:
        """Loudness and change of the picture along a clip: pairs of seconds from its start and value.

        Raises:
            KeyError: If there is no such clip.
        """
        place, _, _, clip = self.clips[key]
        measured = self._measured(place)
        found = {}
        for name in ("level", "pixel"):
            if name in measured.curves:
                curve = measured.curves[name]
                inside = (curve.begins >= clip.start - SLACK) & (curve.ends <= clip.end + SLACK)
                times = (curve.begins + curve.ends)[inside] / 2 - clip.start
                found[name] = [[round(a, 3), round(b, 3)] for a, b in zip(times, curve.values[inside], strict=True)]
        return found

    def _measured(self, place: int) -> Measurements:
        return self._block(place // 1000)[place % 1000]

    def _read_block(self, number: int) -> list[Measurements]:
        """A thousand files of the table, which stores them so."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.results.folder / "measurements.parquet") as table:
            return [Measurements.from_row(row) for row in table.read_row_group(number).to_pylist()]

    def _decision(self, key: str) -> dict[str, Any] | None:
        found = self.log.decisions.get(key)
        return found._asdict() if found else None


def _clips(verdict: Verdict) -> list[tuple[str, Any]]:
    return [(clip_key(verdict.path, clip.start, clip.end), clip) for clip in verdict.clips if clip.kept]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
