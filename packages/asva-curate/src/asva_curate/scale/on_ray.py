"""Blocks of items on Ray Data: a pool of actors that each hold their models, fed no faster than they work."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from asva_curate.scale.worker import Item, Outcome, Worker
from asva_data import MediaError

DAY = 24 * 3600
STORE = 128 << 20  # bytes of Ray's shared memory on one machine: samples go to the disk and not through it


def process(
    blocks: Sequence[Sequence[Item]], arguments: tuple, workers: int, address: str | None, gpus: float
) -> Iterator[Outcome]:
    """Work on blocks; outcomes come in the order in which blocks are done.

    Raises:
        MediaError: If Ray cannot start, be reached or go on.
    """
    with started(workers, address):
        import ray
        from ray.data import ActorPoolStrategy

        has = ray.cluster_resources()
        gpus = gpus if has.get("GPU", 0) else 0.0
        room = int(has.get("GPU", 0) / gpus) if gpus else int(has.get("CPU", 1))
        size = max(1, min(workers, room, len(blocks)))
        rows = [{"block": json.dumps(block)} for block in blocks]
        done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            Worker,
            fn_constructor_args=arguments,
            batch_size=1,
            # Two blocks an actor: one to work on, one to wait for; the rest stays with the driver.
            compute=ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=2),
            num_cpus=1,
            num_gpus=gpus or None,
        )
        try:
            for row in done.iter_rows():
                yield Outcome(str(row["key"]), str(row["failure"]), int(row["stop"]))
        except ray.exceptions.RayError as error:
            raise MediaError(f"`workers` could not go on: {_last_line(error)}") from error


@contextmanager
def started(workers: int, address: str | None) -> Iterator[None]:
    """Ray, as it runs already, as the cluster at an address, or as one of this machine alone that ends with the run.

    Raises:
        MediaError: If there is no Ray, or it cannot start or be reached.
    """
    if find_spec("ray") is None:
        raise MediaError(
            f"`workers` must be 1 without Ray, got {workers}: pip install 'asva-data[scale]' (or asva-kit[scale])."
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address is None:
        # Else Ray packs the folder and starts every worker by `uv run` where this process was started so.
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        os.environ.setdefault("RAY_worker_niceness", "0")  # else 15: whatever runs beside it starves the workers
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    _reach(address)
    import ray
    import ray.data

    before = ray.is_initialized()
    if not before:
        local: dict[str, Any] = {"num_cpus": workers, "object_store_memory": STORE} if address is None else {}
        try:
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                **local,
            )
        except Exception as error:  # a busy machine, on which Ray does not start in time, gives one of the bare class
            place = f"`ray_address` must lead to a Ray cluster, got {address}" if address else "`workers` need Ray"
            raise MediaError(f"{place}: {_last_line(error)}") from error
    context, log = ray.data.DataContext.get_current(), logging.getLogger("ray.data")
    context.enable_progress_bars, context.print_on_execution_start = False, False
    context.execution_no_progress_timeout_s = DAY  # a block of films may take hours
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
        if not before:
            ray.shutdown()


def _reach(address: str | None) -> None:
    """See that somebody listens at host:port; Ray itself would try for minutes.

    Raises:
        MediaError: If nobody does.
    """
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon:  # none, or "auto"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, ValueError, OverflowError) as error:
        raise MediaError(f"`ray_address` must lead to a Ray cluster, got {address}: {error}.") from error


def _last_line(error: Exception) -> str:
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
