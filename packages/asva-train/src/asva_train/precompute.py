"""Latents and tokens of a folder of videos, computed once and stored in shards (safetensors in tar)."""

from __future__ import annotations

import csv
import io
import json
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asva_train.clips import FolderClips
from asva_train.draws import generator_at
from asva_train.encoders import EncoderPlan, Encoders, plan_encoders
from asva_train.errors import RunError
from asva_train.fields import DataRecipe
from asva_train.stored_clips import FORMAT, OF_CLIPS, read_index

RECORDS = ".records"


def precompute(
    data: DataRecipe,
    model: Path,
    output: Path,
    *,
    recipe: Any = None,
    passes: int = 1,
    device: str = "auto",
    on_done: Callable[[int, int], None] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Encode pieces of the videos of a folder; a call that was stopped goes on behind the last finished piece.

    Args:
        data: Which videos and pieces: those that a training from the videos sees in its first `passes` epochs.
        model: Folder of a model.
        output: Folder of the shards; it is made if only its last part is missing.
        recipe: The training whose tokens are wanted; without one, those that the model's own method hears and reads.
        passes: Pieces of each video.
        device: Where the encoders run.
        on_done: Called with the number of pieces that are done, and of all.
        options: Of :func:`asva_curate.run_items`, such as ``workers``.

    Returns:
        The index, as it is written to ``index.json``.

    Raises:
        RunError: If the folder holds shards of other settings, the training needs the videos themselves, or an encoder
            is missing.
        ModelError: If there is no recipe and the model is of no method.
    """
    from asva_curate import Records, run_items, seal

    plan = plan_encoders(model, recipe)
    settings = {"data": _settings(data), "encoders": plan.hashes(), "tokens": plan.tokens.record(), "passes": passes}
    clips = FolderClips(data)
    items = _items(clips, passes)
    _prepare(output, settings)
    records, done = output / RECORDS, Records(output, ("shard",))
    left = [item for item in items if item.key not in done]
    if left or not (output / "index.json").is_file():
        _write(output / "nothing.safetensors", _bytes(Encoders(plan).nothing(data)))
        make = partial(make_work, _without_entries(clips), plan, device)
        first = len(items) - len(left)
        report = None if on_done is None else lambda count: on_done(first + count, len(items))
        run_items(left, records, make, settings, on_done=report, **options)
        seal(records, output, {item.key for item in items})
    index = _index(output, items, clips, settings, Records(records, ("failed",)))
    shutil.rmtree(records, ignore_errors=True)
    return index


def make_work(clips: FolderClips, plan: EncoderPlan, device: str) -> Callable[[Any], dict[str, Any]]:
    """The work of one process: the sample of an item."""
    import cv2

    from asva_data import probe
    from asva_data.folder import Entry
    from asva_pipelines.loading.load import choose_device

    cv2.setNumThreads(1)  # its optical flow differs now and then where threads share a picture
    place = choose_device(device)
    if place.type == "cpu":
        torch.set_num_threads(1)  # sums in one order, so that any number of workers gives the same bytes
    encode = Encoders(plan, place)

    def work(item: Any) -> dict[str, Any]:
        facts, path = item.facts, Path(item.path)
        entry = Entry(path, probe(path), facts["caption"])
        clip = clips.clip_of(clips.folder.piece(entry, facts["place"], facts["pass"]), facts["index"])
        known = {"path": facts["name"], "caption": clip.caption, "class_name": item.label}
        numbers = {name: facts[name] for name in ("place", "pass")}
        return {"safetensors": _bytes(encode(clip)), "png": _png(clip.frames[0]), "json": known | numbers}

    return work


def _items(clips: FolderClips, passes: int) -> list[Any]:
    """Every piece, with its place in the run in which a training would see it."""
    from asva_curate import Item, item_key

    root, count, seed = clips.folder.root, len(clips.folder), clips.recipe.seed
    items = []
    for number in range(passes):
        order = torch.randperm(count, generator=generator_at(seed, number)).tolist()
        index_of = {place: number * count + at for at, place in enumerate(order)}
        for place, entry in enumerate(clips.folder.entries):
            facts = {"place": place, "pass": number, "index": index_of[place], "caption": entry.caption}
            facts["name"] = entry.path.relative_to(root).as_posix()
            key = item_key(entry.path, root, number, place)
            items.append(Item(key, str(entry.path.resolve()), entry.path.parent.name, facts))
    return items


def _without_entries(clips: FolderClips) -> FolderClips:
    """The same for a worker, which is told its files one by one."""
    from copy import copy

    clips = copy(clips)
    clips.folder = copy(clips.folder)
    clips.folder.entries = []
    return clips


def _settings(data: DataRecipe) -> dict[str, Any]:
    values = asdict(data)
    return {name: str(v) if isinstance(v := values[name], Path) else v for name in (*OF_CLIPS, "seed")}


def _prepare(output: Path, settings: dict[str, Any]) -> None:
    if not output.parent.is_dir():
        raise RunError(f"`output` must lie in an existing folder, got {output}.")
    if (output / "index.json").is_file() and read_index(output)["settings"] != settings:
        raise RunError(f"`output` must be a new folder or one of the same model, clips and passes, got {output}.")
    if output.is_dir() and not (output / RECORDS).is_dir() and not (output / "index.json").is_file():
        if any(output.iterdir()):
            raise RunError(f"`output` must be a new or empty folder, got {output}, which holds other things.")
    output.mkdir(exist_ok=True)


def _index(
    output: Path, items: Sequence[Any], clips: FolderClips, settings: dict[str, Any], failed: Any
) -> dict[str, Any]:
    """Write what is there: ``samples.csv``, ``failures.csv`` and, last, ``index.json``."""
    from asva_curate import scan

    shards = sorted(output.glob("shard-*.tar"))
    places = {key: files for shard in shards for key, files in scan(shard)[0].items()}
    rows = [("key", "shard", "pass", "place", "class", "caption", "path", "offset", "size", "png_offset", "png_size")]
    failures = [(path.relative_to(clips.folder.root).as_posix(), "", reason) for path, reason in clips.folder.broken]
    for item in items:
        facts = item.facts
        if item.key in places:
            spans = [places[item.key][ending][1:] for ending in ("safetensors", "png")]
            shard = places[item.key]["json"].journal.name
            known = (facts["pass"], facts["place"], item.label, facts["caption"], facts["name"])
            rows.append((item.key, shard, *known, *spans[0], *spans[1]))
        else:
            failures.append((facts["name"], facts["pass"], failed.facts(item.key)["failure"]))
    reasons = Counter(reason.split(", got ")[0] for _, _, reason in failures)
    index = {
        "format": FORMAT,
        "settings": settings,
        "counts": {"stored": len(rows) - 1, "failed": len(failures), "reasons": dict(sorted(reasons.items()))},
        "class_names": list(clips.class_names),
        "shards": [path.name for path in shards],
    }
    _write(output / "samples.csv", _table(rows))
    _write(output / "failures.csv", _table([("path", "pass", "reason"), *failures]))
    _write(output / "index.json", (json.dumps(index, indent=2, ensure_ascii=False) + "\n").encode())
    return index


def _bytes(tensors: dict[str, Tensor]) -> bytes:
    from safetensors.torch import save

    return save(tensors)


def _png(frame: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _table(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(errors="backslashreplace")  # names that are no UTF-8 are among the failures


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
