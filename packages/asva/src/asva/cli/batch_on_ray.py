"""`asva sample --batch` by workers of Ray: on this machine, or on the machines of a cluster that share the folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from asva.cli.batch import PATIENCE, Tally, begin, make_batch, report
from asva.cli.terminal import note

RETRIES = 3  # of a worker that is killed; the one that follows goes on


def make_batch_on_ray(
    source: Path, folder: Path, given: Mapping[str, Any], *, workers: int, address: str | None, gpus: float
) -> int:
    """Make a video of every row that is not done yet; each worker takes what is free, as any process may.

    Args:
        source: Table or folder, under this path on every machine.
        folder: For the videos; the same one on every machine, where file locks work.
        given: See :func:`asva.cli.batch.make_batch`.
        workers: At most.
        address: Of the cluster; None is this machine alone.
        gpus: Of each worker, where Ray finds any.

    Returns:
        Exit code: 0 if every row is done, else 1.

    Raises:
        UsageProblem: If a row cannot be made; nothing is made then.
        MediaError: If Ray cannot start, be reached or go on.
        OSError: If the disk is full; what was done stays.
    """
    from asva_data import MediaError
    from asva_data.scale.on_ray import started

    tally = begin(source, folder, given)
    missing = len(tally.tasks) - tally.before
    if not missing:
        return report(tally)
    with started(workers, address):
        import ray

        gpus = gpus if ray.cluster_resources().get("GPU", 0) else 0.0
        work = ray.remote(num_cpus=1, num_gpus=gpus or None, max_retries=RETRIES)(_work)
        paths = (str(source.resolve()), str(folder.resolve()), os.getcwd())
        running = [work.remote(*paths, dict(given)) for _ in range(min(workers, missing))]
        told = {task.output for task in tally.tasks if tally.shop.is_done(task.output, task.key)}
        try:
            while running:
                ended, running = ray.wait(running, timeout=PATIENCE)
                ray.get(ended)
                _tell(tally, told)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except ray.exceptions.RayError as error:
            raise MediaError(f"`workers` could not go on: {str(error).splitlines()[0]}") from error
    tally.made = tally.done - tally.before
    return report(tally)


def _work(source: str, folder: str, here: str, given: dict[str, Any]) -> int:
    os.chdir(here)  # to which the paths of options and rows are relative
    return make_batch(Path(source), Path(folder), given)


def _tell(tally: Tally, told: set[str]) -> None:
    """Say what has been made since."""
    tally.shop.records.refresh()
    for task in tally.tasks:
        if task.output not in told and tally.shop.is_done(task.output, task.key):
            told.add(task.output)
            note(f"[{len(told)} of {len(tally.tasks)}] {task.output}", quiet=True)
            typer.echo(tally.shop.folder / task.output)
