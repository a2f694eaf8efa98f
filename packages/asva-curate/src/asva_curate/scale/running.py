"""A run over many files: what is left to do, by whom, and when to stop."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from asva_curate.scale.journal import Records
from asva_curate.scale.worker import Item, Outcome, Work, Worker
from asva_data import MediaError

__all__ = ["Item", "item_key", "run_items"]

LARGEST_BLOCK = 16


def item_key(path: str | os.PathLike, root: str | os.PathLike, *more: object) -> str:
    """The name of a file in the records: it follows its place below `root`, its size and what else tells it apart.

    A file that has changed in size is another one; moving the whole folder changes nothing.
    """
    path = Path(path)
    words = (path.relative_to(root).as_posix(), path.stat().st_size, *more)
    return hashlib.sha256("\n".join(map(str, words)).encode(errors="surrogateescape")).hexdigest()[:16]


def run_items(
    items: Sequence[Item],
    folder: str | os.PathLike,
    make_work: Callable[[], Work],
    settings: Any,
    *,
    workers: int = 1,
    ray_address: str | None = None,
    gpus: float = 0.0,
    attempts: int = 3,
    max_bytes: int = 1 << 30,
    on_done: Callable[[int], None] | None = None,
) -> Records:
    """Work on every item that has no record yet.

    One worker without an address works in this process; more, or a cluster, work by Ray Data. Whatever is killed, and
    whenever, the next call goes on behind the last finished item.

    Args:
        items: All items of the run, whether done or not.
        folder: For the records; on a cluster every machine must see it. It is made if only its last part is missing.
        make_work: Makes the work, in the process that does it; it must be picklable.
        settings: What the records depend on, as JSON can hold it; another run may not go on with them.
        workers: Processes; on a cluster at most as many as it has CPUs (or GPUs).
        ray_address: Of a Ray cluster, such as "auto" or "host:6379".
        gpus: Of each worker, where the cluster has any.
        attempts: How often a file may kill its worker before it is given up.
        max_bytes: A journal is closed once it holds this much.
        on_done: Called with the number of items that are done.

    Returns:
        The records of all items, and perhaps of others.

    Raises:
        MediaError: If there are records of other settings, or workers are asked for and Ray is missing.
        OSError: If the disk is full; what was done stays.
    """
    if workers < 1:
        raise MediaError(f"`workers` must be at least 1, got {workers}.")
    folder = Path(folder)
    _same_settings(folder, settings)
    records = Records(folder)
    todo = [item for item in items if item.key not in records]
    done = len(items) - len(todo)
    if on_done is not None:
        on_done(done)
    for outcome in _outcomes(todo, folder, make_work, workers, ray_address, gpus, attempts, max_bytes):
        if outcome.stop:
            raise OSError(outcome.stop, os.strerror(outcome.stop), str(folder))
        done += 1
        if on_done is not None:
            on_done(done)
    return Records(folder) if todo else records


def _outcomes(
    todo: list[Item],
    folder: Path,
    make_work: Callable[[], Work],
    workers: int,
    ray_address: str | None,
    gpus: float,
    attempts: int,
    max_bytes: int,
) -> Iterator[Outcome]:
    if not todo:
        return
    for left in folder.glob("trying-*"):  # of a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    run = secrets.token_hex(8)
    trying = folder / f"trying-{run}"
    trying.mkdir()
    size = min(LARGEST_BLOCK, max(1, len(todo) // (workers * 16)))
    blocks = [todo[first : first + size] for first in range(0, len(todo), size)]
    arguments = (str(folder.resolve()), run, make_work, attempts, max_bytes)
    if workers == 1 and ray_address is None:
        worker = Worker(*arguments)
        for block in blocks:
            yield from worker.process(block)
    else:
        from asva_curate.scale.on_ray import process

        yield from process(blocks, arguments, workers, ray_address, gpus)
    shutil.rmtree(trying, ignore_errors=True)


def _same_settings(folder: Path, settings: Any) -> None:
    """Write the settings where there are none, or see that they are the same."""
    path, text = folder / "settings.json", json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if not path.is_file():
        folder.mkdir(exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    elif path.read_text(encoding="utf-8") != text:
        raise MediaError(f"`settings` must be those of the records in {folder}: take them away, or write elsewhere.")
