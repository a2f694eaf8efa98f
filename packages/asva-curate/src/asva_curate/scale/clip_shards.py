"""Clips that are kept, cut and stored in shards with an index of what is there and why the rest is not."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asva_curate.curation.verdict import Verdict, clip_key
from asva_curate.scale.journal import Records, scan
from asva_curate.scale.running import run_items
from asva_curate.scale.sealing import seal
from asva_curate.scale.worker import Item, Work
from asva_data import MediaError
from asva_data.prepare import write_part

RECORDS = ".records"
HEAD = ("key", "shard", "path", "start", "end", "label")


def shard_clips(verdicts: Sequence[Verdict], folder: str | os.PathLike, **options: Any) -> dict[str, Any]:
    """Cut every clip that is kept into shards of samples ``mp4`` and ``json`` (WebDataset's convention).

    A call that was stopped goes on behind the last finished clip; another list of clips needs another folder.

    Args:
        verdicts: Of every file, settled.
        folder: Of the shards; it is made if only its last part is missing.
        options: Of `run_items`, such as `workers`.

    Returns:
        The index, as it is written to ``index.json``: how many clips, how many failed for which reason, which shards.

    Raises:
        MediaError: If the folder holds shards of other clips.
    """
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    items = [_item(verdict, clip) for verdict in verdicts for clip in verdict.clips if clip.kept]
    keys = {item.key for item in items}
    done = Records(folder, ("shard",))
    others = sum(key not in keys for key in done)
    if others:
        raise MediaError(f"`folder` must be new or hold shards of the same clips, got {others} others in {folder}.")
    records = folder / RECORDS
    run_items([item for item in items if item.key not in done], records, make_cutter, {"clips": 1}, **options)
    shards = seal(records, folder, keys)
    index = _index(folder, items, shards, Records(records, ("failed",)))
    shutil.rmtree(records, ignore_errors=True)
    return index


def make_cutter() -> Work:
    """The work: one clip, cut to the frame."""

    def work(item: Item) -> dict[str, Any]:
        facts = item.facts
        with tempfile.TemporaryDirectory() as home:
            target = Path(home) / "clip.mp4"
            write_part(Path(facts["cwd"]) / item.path, target, facts["start"], facts["end"] - facts["start"])
            data = target.read_bytes()
        known = {"path": item.path, "start": facts["start"], "end": facts["end"], "label": item.label}
        return {"mp4": data, "json": known}

    return work


def _item(verdict: Verdict, clip: Any) -> Item:
    facts = {"start": round(clip.start, 3), "end": round(clip.end, 3), "cwd": os.getcwd()}
    return Item(clip_key(verdict.path, clip.start, clip.end), verdict.path, verdict.label, facts)


def _index(folder: Path, items: Sequence[Item], shards: Sequence[Path], failed: Records) -> dict[str, Any]:
    """Write ``samples.csv`` and, last, ``index.json``."""
    of_shard = {key: path.name for path in shards for key in scan(path)[0]}
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(HEAD)
    for item in items:
        if item.key in of_shard:
            times = (f"{item.facts[name]:.3f}" for name in ("start", "end"))
            rows.writerow((item.key, of_shard[item.key], item.path, *times, item.label))
    reasons = Counter(
        failed.facts(item.key)["failure"].split(", got ")[0] for item in items if item.key not in of_shard
    )
    index = {
        "clips": len(of_shard),
        "failed": dict(sorted(reasons.items())),
        "shards": {path.name: path.stat().st_size for path in shards},
    }
    _write(folder / "samples.csv", text.getvalue())
    _write(folder / "index.json", json.dumps(index, indent=2, ensure_ascii=False) + "\n")
    return index


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(text.encode("utf-8", "surrogateescape"))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
