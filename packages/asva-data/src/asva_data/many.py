"""Work on many items: in this process or by workers of Ray, with results in files that appear whole or not at all.

A run that was killed goes on behind its last stored item. An item that fails costs only itself; so does one that
kills its worker.
"""

from __future__ import annotations

import glob
import hashlib
import logging
import os
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from asva_data.clip import MediaError
from asva_data.datasets.shards import find_members, write_shards
from asva_data.draft import FULL

ATTEMPTS = 3  # of an item that kills its worker
STORE = 256 << 20  # bytes of Ray's shared memory on this machine
RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
LOCAL_RAY = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else workers are started by `uv run` where this process was
    "RAY_worker_niceness": "0",  # else 15: whatever runs beside it starves the workers
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
PER_SHARD, MOST_BYTES = 32, 256 << 20  # of a shard: 32 clips of latents at the released size are 100 MB
SAVE_EVERY = 60.0  # seconds: what a killed run loses at most
AHEAD = 32  # results for each worker that may wait for an earlier one

MakeWork = Callable[[], Callable[[Any], Any]]
"""Makes, in the process that does it, the work on one item; it must be picklable."""


class Outcome(NamedTuple):
    """What became of the item at a place of the list: the result of the work, or why there is none."""

    index: int
    result: Any
    failure: str = ""


def run_many(
    items: Sequence[Any],
    make_work: MakeWork,
    *,
    workers: int = 1,
    ray_address: str | None = None,
    gpus: float = 0.0,
    in_order: bool = False,
    on_start: Callable[[int], Any] = lambda number: None,
) -> Generator[Outcome]:
    """Work on every item; one worker without an address is this process, anything else is Ray.

    Args:
        items: What is worked on, one at a time.
        make_work: See :data:`MakeWork`.
        workers: Processes; on a cluster at most as many as it has CPUs (or GPUs).
        ray_address: Of a Ray cluster, such as "auto" or "host:6379".
        gpus: Of each worker, where Ray finds any.
        in_order: Whether outcomes come in the order of the items, or else as they are there.
        on_start: Called with the place of each item that is begun.

    Yields:
        The outcome of each item, once.

    Raises:
        MediaError: If Ray is missing, or cannot start, be reached or go on.
        OSError: If the disk is full.
    """
    if workers < 1:
        raise MediaError(f"`workers` must be at least 1, got {workers}.")
    if not items:
        return
    if workers > 1 or ray_address is not None:
        with ray_running(workers, ray_address):
            yield from _run_on_ray(items, make_work, workers, gpus, in_order, on_start)
        return
    work = make_work()
    for index, item in enumerate(items):
        on_start(index)
        yield Outcome(index, *_try(work, item))


def _try(work: Callable[[Any], Any], item: Any) -> tuple[Any, str]:
    try:
        return work(item), ""
    except Exception as error:  # whatever a decoder or a network finds wrong with this item
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        if isinstance(error, MemoryError):
            return None, "MemoryError: too large for this machine"
        return None, str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


class _Worker:
    """One process of Ray, which holds its models from item to item."""

    def __init__(self, make_work: MakeWork, folder: str) -> None:
        os.chdir(folder)  # to which paths are relative
        self.make_work, self.work = make_work, None

    def run(self, item: Any) -> tuple[Any, str]:
        self.work = self.work or self.make_work()
        return _try(self.work, item)


def _run_on_ray(
    items: Sequence[Any],
    make_work: MakeWork,
    workers: int,
    gpus: float,
    in_order: bool,
    on_start: Callable[[int], None],
) -> Generator[Outcome]:
    import ray
    from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError, RayError, RayTaskError

    has = ray.cluster_resources()
    gpus = gpus if has.get("GPU", 0) else 0.0
    room = int(has["GPU"] / gpus if gpus else has.get("CPU", 1))
    size = max(1, min(workers, room, len(items)))
    actor = ray.remote(num_cpus=1, num_gpus=gpus or None)(_Worker)
    idle = [actor.remote(make_work, os.getcwd()) for _ in range(size)]
    waiting, begun, killed = deque(range(len(items))), {}, Counter()
    ended: dict[int, tuple[Any, str]] = {}
    due = 0  # place of the item whose outcome comes next
    try:
        while due < len(items):
            while idle and waiting and (not in_order or waiting[0] < due + AHEAD * size):
                index, worker = waiting.popleft(), idle.pop()
                on_start(index)
                begun[worker.run.remote(items[index])] = index, worker
            (ready,), _ = ray.wait(list(begun))
            index, worker = begun.pop(ready)
            try:
                ended[index] = ray.get(ready)
                idle.append(worker)
            except (RayActorError, ObjectLostError, OutOfMemoryError):  # the worker is gone, and its item alone
                idle.append(actor.remote(make_work, os.getcwd()))
                killed[index] += 1
                if killed[index] < ATTEMPTS:
                    waiting.appendleft(index)
                else:
                    ended[index] = None, f"it killed its worker {ATTEMPTS} times"
            while (due in ended) if in_order else ended:
                index = due if in_order else next(iter(ended))
                due += 1
                yield Outcome(index, *ended.pop(index))
    except RayTaskError as error:
        raise error.cause from error
    except RayError as error:
        raise MediaError(f"`workers` could not go on: {_last_line(error)}") from error
    finally:
        for worker in (*idle, *(worker for _, worker in begun.values())):
            ray.kill(worker)  # else it holds its CPU as long as anybody holds the error


def item_key(path: str | os.PathLike, root: str | os.PathLike, *more: object) -> str:
    """The name of a file in shards: it follows its place below `root`, its size and what else tells it apart.

    A file that has changed in size is another one; moving the whole folder changes nothing.
    """
    path = Path(path)
    words = (path.relative_to(root).as_posix(), path.stat().st_size, *more)
    return hashlib.sha256("\n".join(map(str, words)).encode(errors="surrogateescape")).hexdigest()[:16]


def store_many(
    items: Mapping[str, Any],
    folder: str | os.PathLike,
    make_work: MakeWork,
    *,
    per_shard: int = PER_SHARD,
    on_done: Callable[[int], Any] = lambda number: None,
    **options: Any,
) -> dict[str, str]:
    """Work on every item that no shard of a folder holds yet, and store the samples in shards in the order of items.

    The shards are the same bytes by any number of workers, and however often the run was stopped in between.

    Args:
        items: By the keys of their samples, see `item_key`.
        folder: Of the shards; it is made if only its last part is missing.
        make_work: The work gives a sample: ending to bytes, or to a mapping that is written as JSON.
        per_shard: Samples of a shard.
        on_done: Called with the number of items that are done.
        options: Of `run_many`.

    Returns:
        Why items failed, by their keys; they are tried again by the next run.

    Raises:
        MediaError: If another run writes into the folder; see also `run_many`.
        OSError: If the disk is full; what is stored stays.
    """
    folder, failures = Path(folder), {}
    folder.mkdir(exist_ok=True)
    with only_run(folder):
        writer = _Writer(folder, per_shard)
        todo = [key for key in items if key not in writer.there]
        done = len(items) - len(todo)
        on_done(done)
        outcomes = run_many([items[key] for key in todo], make_work, in_order=True, **options)
        with closing(writer), closing(outcomes):
            for number, (index, sample, failure) in enumerate(outcomes, start=done + 1):
                if failure:
                    failures[todo[index]] = failure
                else:
                    writer.add(todo[index], sample)
                on_done(number)
    return failures


class _Writer:
    """Fills shards one after the other; until the last one is full it is now and then replaced by a longer one."""

    def __init__(self, folder: Path, per_shard: int) -> None:
        self.folder, self.per_shard = folder, per_shard
        shards = sorted(folder.glob("shard-*.tar"))
        self.there = find_members(shards)
        self.number, self.unsaved = 0, 0
        self.samples: dict[str, Mapping[str, Any]] = {}
        if shards:
            self.number = int(shards[-1].stem.removeprefix("shard-"))
            last = {key: files for key, files in self.there.items() if next(iter(files.values())).shard == shards[-1]}
            self.samples = {key: {name: file.read() for name, file in files.items()} for key, files in last.items()}
        self._next_if_full()
        self.saved = time.monotonic()

    def add(self, key: str, sample: Mapping[str, bytes | Mapping[str, Any]]) -> None:
        self.samples[key] = sample
        self.unsaved += 1
        if self._is_full() or time.monotonic() - self.saved > SAVE_EVERY:
            self.close()
            self._next_if_full()

    def close(self) -> None:
        """Write what is not written yet."""
        if self.unsaved:
            write_shards(self.folder, self.samples.items(), first=self.number, max_bytes=sys.maxsize)
            self.unsaved, self.saved = 0, time.monotonic()

    def _is_full(self) -> bool:
        size = sum(len(data) for files in self.samples.values() for data in files.values())
        return len(self.samples) >= self.per_shard or size >= MOST_BYTES

    def _next_if_full(self) -> None:
        if self._is_full():
            self.number, self.samples = self.number + 1, {}


@contextmanager
def only_run(target: Path) -> Generator[None]:
    """Refuse another run on a folder or a file while this one lasts, however it ends.

    What a run that was killed has left there under a temporary name is removed first.

    Raises:
        MediaError: If there is another run.
    """
    inside = target.is_dir()
    lock = FileLock(target / ".lock" if inside else target.with_name(f".{target.name}.lock"), blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise MediaError(
            f"`{'folder' if inside else 'output'}` must be written by one run at a time, got {target}, "
            "where another is at work."
        ) from None
    except OSError as error:  # of the lock's name, which says nothing to a user
        raise type(error)(error.errno, error.strerror, str(target)) from None
    try:
        _remove_drafts(target)
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _remove_drafts(target: Path) -> None:
    """What :func:`asva_data.draft.draft_of` has left of a file, or of all below a folder."""
    inside = target.is_dir()
    below, name = ("**/", "*") if inside else ("", glob.escape(target.name))
    for left in [*(target if inside else target.parent).glob(f"{below}.{name}.*.part")]:
        left.unlink(missing_ok=True)


@contextmanager
def ray_running(workers: int, address: str | None) -> Generator[None]:
    """Ray, as it runs already, as the cluster at an address, or as one of this machine alone that ends with the run.

    Raises:
        MediaError: If there is no Ray, or it cannot start or be reached.
    """
    if find_spec("ray") is None:
        raise MediaError(
            f"`workers` must be 1 without Ray, got {workers}: pip install 'asva-data[scale]' (or asva-kit[scale])."
        )
    for name, value in (RAY | ({} if address else LOCAL_RAY)).items():
        os.environ.setdefault(name, value)
    _reach(address)
    import ray

    if ray.is_initialized():
        yield
        return
    local: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": STORE}
    try:
        ray.init(
            address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **({} if address else local)
        )
    except Exception as error:  # a busy machine, on which Ray does not start in time, gives one of the bare class
        place = f"`ray_address` must lead to a Ray cluster, got {address}" if address else "`workers` need Ray"
        raise MediaError(f"{place}: {_last_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _reach(address: str | None) -> None:
    """See that somebody listens at host:port; Ray itself would try for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon:  # none, or "auto"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, ValueError, OverflowError) as error:
        raise MediaError(f"`ray_address` must lead to a Ray cluster, got {address}: {error}.") from error


def _last_line(error: Exception) -> str:
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
