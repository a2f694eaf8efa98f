"""Samples in the order of a run: any step's can be made without the steps before."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from asva_train.clips import clip_source
from asva_train.draws import generator_at
from asva_train.errors import RunError
from asva_train.fields import DataRecipe
from asva_train.training_clip import TrainingClip


class RunClips(Dataset):
    """Samples by their place in the run, each seen through the task's ``view``."""

    def __init__(self, recipe: DataRecipe, view: Callable[[TrainingClip, torch.Generator], dict[str, Any]]):
        self.recipe, self.view, self.source = recipe, view, None

    def __getitem__(self, index: int) -> dict[str, Any]:
        if self.source is None:
            self.source = clip_source(self.recipe)
        return self.view(self.source[index], generator_at(self.recipe.seed, 1, index))


def run_order(first: int, last: int, batch_size: int, process: int, num_processes: int) -> list[range]:
    """Batches of sample indices for one process, from micro step `first` of the run up to `last`.

    Sample ``i`` of micro step ``m`` in process ``p`` has index ``(m * num_processes + p) * batch_size + i``.

    >>> run_order(1, 3, batch_size=2, process=1, num_processes=2)
    [range(6, 8), range(10, 12)]
    """
    starts = ((micro_step * num_processes + process) * batch_size for micro_step in range(first, last))
    return [range(start, start + batch_size) for start in starts]


def collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Stack what is numbers; keep the rest as lists."""
    columns = {name: [sample[name] for sample in samples] for name in samples[0]}
    return {
        name: values if isinstance(values[0], str) else torch.stack([torch.as_tensor(value) for value in values])
        for name, values in columns.items()
    }


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """The batch with its tensors on a device."""
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}


def run_loader(clips: RunClips, order: list[range], workers: int) -> DataLoader:
    """Loader of a run's batches. Worker processes are spawned, since decoders do not survive a fork."""
    spawn: dict[str, Any] = {"multiprocessing_context": "spawn", "prefetch_factor": 4} if workers else {}
    return DataLoader(
        clips, batch_sampler=order, num_workers=workers, collate_fn=collate, worker_init_fn=_one_thread, **spawn
    )


@contextmanager
def killed_worker_named() -> Generator[None]:
    """Say in one line that a worker was killed, which torch says anywhere in the block.

    Raises:
        RunError: If one was.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise RunError(
            "A worker that reads clips was killed, most often for want of memory. With `--resume` the run goes on "
            "from the last checkpoint, with `--set data.workers=0` without such a worker."
        ) from error


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
