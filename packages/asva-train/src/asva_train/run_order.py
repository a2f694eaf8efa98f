"""Samples in the order of a run: any step's can be made without the steps before."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from asva_train.clips import clip_source
from asva_train.draws import generator_at
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


class RunOrder(Sampler[list[int]]):
    """Batches of sample indices for one process, from a step of the run to its end.

    Sample ``i`` of micro step ``m`` in process ``p`` has index ``(m * num_processes + p) * batch_size + i``.
    """

    def __init__(self, first: int, last: int, batch_size: int, process: int, num_processes: int):
        self.micro_steps, self.batch_size = range(first, last), batch_size
        self.process, self.num_processes = process, num_processes

    def __len__(self) -> int:
        return len(self.micro_steps)

    def __iter__(self) -> Iterator[list[int]]:
        for micro_step in self.micro_steps:
            first = (micro_step * self.num_processes + self.process) * self.batch_size
            yield list(range(first, first + self.batch_size))


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


def run_loader(clips: RunClips, order: RunOrder, workers: int) -> DataLoader:
    """Loader of a run's batches. Worker processes are spawned, since decoders do not survive a fork."""
    spawn = {"multiprocessing_context": "spawn", "prefetch_factor": 4} if workers else {}
    return DataLoader(
        clips, batch_sampler=order, num_workers=workers, collate_fn=collate, worker_init_fn=_one_thread, **spawn
    )


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
