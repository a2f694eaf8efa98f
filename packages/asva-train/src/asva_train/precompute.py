"""Latents and tokens of a folder of videos, computed once and stored in shards (safetensors in tar)."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asva_data.datasets.shards import find_members
from asva_data.datasets.splits import Entry
from asva_data.many import item_key, store_many
from asva_pipelines.loading.load import choose_device
from asva_pipelines.notes import note
from asva_train.clips import FolderClips
from asva_train.control_clips import ControlPlan
from asva_train.draws import generator_at
from asva_train.encoders import EncoderPlan, plan_encoders
from asva_train.errors import RunError
from asva_train.fields import DataRecipe
from asva_train.stored_clips import FORMAT, OF_CLIPS, UNFINISHED, read_index
from asva_weights import staged

HEAD = ("key", "shard", "pass", "place", "class", "caption", "path", "offset", "size", "png_offset", "png_size")


def precompute(
    data: DataRecipe,
    model: Path,
    output: Path,
    *,
    recipe: Any = None,
    passes: int = 1,
    device: str = "auto",
    on_done: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> dict[str, Any]:
    """Encode pieces of the videos of a folder; a call that was stopped goes on behind the last stored piece.

    Args:
        data: Which videos and pieces: those that a training from the videos sees in its first `passes` epochs.
        model: Folder of a model.
        output: Folder of the shards; it is made if only its last part is missing.
        recipe: The training whose tokens are wanted; without one, those that the model's own method hears and reads.
        passes: Pieces of each video.
        device: Where the encoders run.
        on_done: Called with the number of pieces that are done, and of all.
        options: Of :func:`asva_data.many.store_many`, such as ``workers``.

    Returns:
        The index, as it is written to ``index.json``.

    Raises:
        RunError: If the folder holds shards of other settings, the training needs the videos themselves, or an encoder
            is missing.
        ModelError: If there is no recipe and the model is of no method.
        MediaError: If another run writes into the folder, or Ray is missing or cannot go on.
    """
    plan = plan_encoders(model, recipe)
    values = asdict(data)
    names = (*OF_CLIPS, "split", "captions", "stems", "voices", "seed")
    clip_settings = {name: str(v) if isinstance(v := values[name], Path) else v for name in names}
    settings = {"data": clip_settings, "encoders": plan.hashes(), "tokens": plan.tokens.record(), "passes": passes}
    clips = FolderClips(data)
    note(clips.remark, quiet=True)
    pieces = _pieces(clips, passes)
    _check(output, settings)
    if not (output / "nothing.safetensors").is_file():
        nothing = _save(plan.encoders().nothing(data))
        output.mkdir(exist_ok=True)
        _write(output / "index.json", _json({"format": UNFINISHED, "settings": settings}))
        _write(output / "nothing.safetensors", nothing)
    without = copy(clips)  # a worker is told its files one by one
    without.folder = copy(clips.folder)
    without.folder.entries = []
    make = partial(make_work, without, plan, device)
    failures = store_many(pieces, output, make, on_done=lambda count: on_done(count, len(pieces)), **options)
    return _finish(output, pieces, clips, settings, failures)


def make_work(
    clips: FolderClips, plan: EncoderPlan | ControlPlan, device: str
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The work of one process: the sample of a piece."""
    import cv2

    cv2.setNumThreads(1)  # its optical flow differs now and then where threads share a picture
    where = choose_device(device)
    if where.type == "cpu":
        torch.set_num_threads(1)  # sums in one order, so that any number of workers gives the same bytes
    encode = plan.encoders(where)

    def work(piece: dict[str, Any]) -> dict[str, Any]:
        entry = Entry(Path(piece["file"]), piece["class"], piece["caption"], *piece["part"])
        clip = clips.clip_of(clips.folder.piece(entry, piece["place"], piece["pass"]), piece["index"])
        known = {"path": piece["path"], "caption": clip.caption, "class_name": piece["class"]}
        numbers = {name: piece[name] for name in ("place", "pass")}
        return {"safetensors": _save(encode(clip)), "png": _png(clip.frames[0]), "json": known | numbers}

    return work


def _pieces(clips: FolderClips, passes: int) -> dict[str, dict[str, Any]]:
    """Every piece by its key, with its place in the run in which a training would see it."""
    root, count, pieces = clips.folder.root, len(clips.folder), {}
    for number in range(passes):
        order = torch.randperm(count, generator=generator_at(clips.recipe.seed, number)).tolist()
        index_of = {place: number * count + at for at, place in enumerate(order)}
        for place, entry in enumerate(clips.folder.entries):
            pieces[item_key(entry.path, root, number, place)] = {
                "file": str(entry.path.resolve()),
                "path": entry.path.relative_to(root).as_posix(),
                "class": entry.class_name,
                "caption": entry.caption,
                "part": (entry.start, entry.end),
                "place": place,
                "pass": number,
                "index": index_of[place],
            }
    return pieces


def _check(output: Path, settings: dict[str, Any]) -> None:
    """See that a folder is new, or that the same was begun there."""
    if not output.parent.is_dir():
        raise RunError(f"`output` must lie in an existing folder, got {output}.")
    if (output / "index.json").is_file():
        if read_index(output, (FORMAT, UNFINISHED))["settings"] != settings:
            raise RunError(f"`output` must be a new folder or one of the same model, clips and passes, got {output}.")
    elif output.is_dir() and any(path.name != ".lock" for path in output.iterdir()):
        raise RunError(f"`output` must be a new or empty folder, got {output}, which holds other things.")


def _finish(
    output: Path,
    pieces: Mapping[str, dict[str, Any]],
    clips: FolderClips,
    settings: dict[str, Any],
    failures: Mapping[str, str],
) -> dict[str, Any]:
    """Write what is there: ``samples.csv``, ``failures.csv`` and, last, ``index.json``."""
    shards = sorted(output.glob("shard-*.tar"))
    places = find_members(shards)
    rows = []
    for key in (key for key in pieces if key in places):
        known = [pieces[key][name] for name in HEAD[2:7]]
        spans = [number for ending in ("safetensors", "png") for number in places[key][ending][1:]]
        rows.append((key, places[key]["json"].shard.name, *known, *spans))
    root = clips.folder.root
    failed = [(path.relative_to(root).as_posix(), "", reason) for path, reason in clips.folder.broken]
    failed += [(pieces[key]["path"], pieces[key]["pass"], reason) for key, reason in failures.items()]
    reasons = Counter(reason.split(", got ")[0] for _, _, reason in failed)
    index = {
        "format": FORMAT,
        "settings": settings,
        "counts": {"stored": len(rows), "failed": len(failed), "reasons": dict(sorted(reasons.items()))},
        "class_names": list(clips.class_names),
        "shards": [path.name for path in shards],
    }
    _write(output / "samples.csv", _table([HEAD, *rows]))
    _write(output / "failures.csv", _table([("path", "pass", "reason"), *failed]))
    _write(output / "index.json", _json(index))
    return index


def _save(tensors: dict[str, torch.Tensor]) -> bytes:
    from safetensors.torch import save

    return save(tensors)


def _png(frame: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _table(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(errors="backslashreplace")  # names that are no UTF-8 are among the failures


def _write(path: Path, data: bytes) -> None:
    with staged(path) as (draft,):
        draft.write_bytes(data)
