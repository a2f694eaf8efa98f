"""Clips that are kept, cut and stored in shards with an index of what is there and why the rest is not."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from asva_curate.curation.verdict import Verdict, clip_key
from asva_data import MediaError
from asva_data.datasets.shards import find_members
from asva_data.draft import draft_of
from asva_data.many import store_many
from asva_data.prepare import write_part

HEAD = ("key", "shard", "path", "start", "end", "label")


def shard_clips(verdicts: Sequence[Verdict], folder: str | os.PathLike, **options: Any) -> dict[str, Any]:
    """Cut every clip that is kept into shards of samples ``mp4`` and ``json`` (WebDataset's convention).

    A call that was stopped goes on behind the last stored clip; another list of clips needs another folder.

    Args:
        verdicts: Of every file, settled.
        folder: Of the shards; it is made if only its last part is missing.
        options: Of :func:`asva_data.many.store_many`, such as ``workers``.

    Returns:
        The index, as it is written to ``index.json``: how many clips, how many failed for which reason, which shards.

    Raises:
        MediaError: If the folder holds shards of other clips.
    """
    folder = Path(folder)
    clips = {
        clip_key(verdict.path, clip.start, clip.end): {
            "path": verdict.path,
            "start": round(clip.start, 3),
            "end": round(clip.end, 3),
            "label": verdict.label,
        }
        for verdict in verdicts
        for clip in verdict.clips
        if clip.kept
    }
    others = len(find_members(sorted(folder.glob("shard-*.tar"))).keys() - clips.keys())
    if others:
        raise MediaError(f"`folder` must be new or hold shards of the same clips, got {others} others in {folder}.")
    failures = store_many(clips, folder, make_cutter, **options)
    return _index(folder, clips, failures)


def make_cutter() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The work: one clip, cut to the frame."""

    def work(clip: dict[str, Any]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as home:
            target = Path(home) / "clip.mp4"
            write_part(Path(clip["path"]), target, clip["start"], clip["end"] - clip["start"])
            return {"mp4": target.read_bytes(), "json": clip}

    return work


def _index(folder: Path, clips: dict[str, dict[str, Any]], failures: dict[str, str]) -> dict[str, Any]:
    """Write ``samples.csv`` and, last, ``index.json``."""
    shards = sorted(folder.glob("shard-*.tar"))
    places = find_members(shards)
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(HEAD)
    for key, clip in clips.items():
        if key in places:
            times = (f"{clip[name]:.3f}" for name in ("start", "end"))
            rows.writerow((key, places[key]["json"].shard.name, clip["path"], *times, clip["label"]))
    index = {
        "clips": len(places),
        "failed": dict(sorted(Counter(reason.split(", got ")[0] for reason in failures.values()).items())),
        "shards": {path.name: path.stat().st_size for path in shards},
    }
    for name, content in {
        "samples.csv": text.getvalue(),
        "index.json": json.dumps(index, indent=2, ensure_ascii=False) + "\n",
    }.items():
        data = content.encode("utf-8", "surrogateescape")
        with draft_of(folder / name) as part:
            part.write_bytes(data)
    return index
