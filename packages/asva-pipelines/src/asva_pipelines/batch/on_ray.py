"""`asva sample --batch` by workers of Ray: on this machine, or on the machines of a cluster that share the folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from asva_pipelines.batch.make_batch import PATIENCE, Tally, begin, make_batch, report
from asva_pipelines.batch.tasks import ReadJob
from asva_pipelines.notes import note

RETRIES = 3  # of a worker that is killed; the one that follows goes on


def make_batch_on_ray(
    source: Path,
    folder: Path,
    read: ReadJob,
    on_made: Callable[[Path], None],
    *,
    workers: int,
    address: str | None,
    gpus: float,
) -> int:
    """Make a video of every row that is not done yet; each worker takes what is free, as any process may.

    Args:
        source: Table or folder, under this path on every machine.
        folder: For the videos; the same one on every machine, where file locks work.
        read: See :func:`asva_pipelines.batch.make_batch.make_batch`; it must be picklable.
        on_made: See there.
        workers: At most.
        address: Of the cluster; None is this machine alone.
        gpus: Of each worker, where Ray finds any.

    Returns:
        Exit code: 0 if every row is done, else 1.

    Raises:
        RequestError: If a row cannot be made; nothing is made then.
        MediaError: If Ray cannot start, be reached or go on.
        OSError: If the disk is full; what was done stays.
    """
    from asva_curate.scale.on_ray import started
    from asva_data import MediaError

    tally = begin(source, folder, read)
    missing = len(tally.tasks) - tally.before
    if not missing:
        return report(tally)
    with started(workers, address):
        import ray

        gpus = gpus if ray.cluster_resources().get("GPU", 0) else 0.0
        work = ray.remote(num_cpus=1, num_gpus=gpus or None, max_retries=RETRIES)(_work)
        paths = (str(source.resolve()), str(folder.resolve()), os.getcwd())
        running = [work.remote(*paths, read) for _ in range(min(workers, missing))]
        told = {task.output for task in tally.tasks if tally.shop.is_done(task.output, task.key)}
        try:
            while running:
                ended, running = ray.wait(running, timeout=PATIENCE)
                ray.get(ended)
                _tell(tally, told, on_made)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except ray.exceptions.RayError as error:
            raise MediaError(f"`workers` could not go on: {str(error).splitlines()[0]}") from error
    tally.made = tally.done - tally.before
    return report(tally)


def _work(source: str, folder: str, here: str, read: ReadJob) -> int:
    os.chdir(here)  # to which the paths of options and rows are relative
    return make_batch(Path(source), Path(folder), read, lambda path: None)


def _tell(tally: Tally, told: set[str], on_made: Callable[[Path], None]) -> None:
    """Say what has been made since."""
    tally.shop.records.refresh()
    for task in tally.tasks:
        if task.output not in told and tally.shop.is_done(task.output, task.key):
            told.add(task.output)
            note(f"[{len(told)} of {len(tally.tasks)}] {task.output}", quiet=True)
            on_made(tally.shop.folder / task.output)
