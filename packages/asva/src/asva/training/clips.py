"""Training clips in the order of a run: any step's samples can be made without the steps before."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from asva.training.draws import generator_at
from asva.training.recipe import DataRecipe

SAMPLE_RATE = 16000


@dataclass(frozen=True, kw_only=True)
class TrainingClip:
    """One clip as every training sees it.

    Attributes:
        frames: (t, h, w, 3) uint8.
        waveform: (s,) float32 at 16 kHz, as long as the frames.
        caption: What the clip shows.
        motion_curve: (t,) motion score of each frame.
        class_index: Index of the sound's class, -1 if it is not known.
        moving: (t, h, w) bool, pixels of moving objects; all true if it is not known.
    """

    frames: np.ndarray
    waveform: np.ndarray
    caption: str
    motion_curve: np.ndarray
    class_index: int
    moving: np.ndarray


class SyntheticClips:
    """Endless clips of the synthetic world."""

    def __init__(self, recipe: DataRecipe):
        from asva_data import synthetic

        self.recipe = recipe
        if recipe.height != recipe.width:
            raise ValueError(f"`height` must equal `width` in the synthetic world, got {recipe.height}x{recipe.width}.")
        self.world = synthetic.SyntheticWorld(
            recipe.seed,
            size=recipe.height,
            num_frames=recipe.num_frames,
            fps=recipe.fps,
            classes=recipe.classes or None,
            two_objects=recipe.two_objects,
        )
        self.class_names = tuple(synthetic.CLASSES)

    def __getitem__(self, index: int) -> TrainingClip:
        clip = self.world[index]
        return TrainingClip(
            frames=clip.frames,
            waveform=clip.waveform[0],
            caption=clip.caption,
            motion_curve=motion_at(self.recipe, clip.motion_score, len(clip.frames)),
            class_index=self.class_names.index(clip.class_name),
            moving=clip.mask,
        )


class FolderClips:
    """Clips of a folder of videos with sound; every epoch visits each video once, in an order of its own."""

    def __init__(self, recipe: DataRecipe):
        from asva_audio import load_audio
        from asva_data import VideoFolder

        if recipe.root is None:
            raise ValueError("`data.root` must be a folder of videos, got none. Give it with --data.")
        self.recipe = recipe
        self.folder = VideoFolder(
            recipe.root,
            num_frames=recipe.num_frames,
            fps=recipe.fps,
            size=(recipe.height, recipe.width),
            motion_scores=recipe.motion_scores,
            load_audio=partial(load_audio, sample_rate=SAMPLE_RATE),
            seed=recipe.seed,
        )
        self.class_names = tuple(sorted({entry.path.parent.name for entry in self.folder.entries}))

    def __getitem__(self, index: int) -> TrainingClip:
        from asva_keyframe import motion_curve

        epoch, place = divmod(index, len(self.folder))
        self.folder.set_epoch(epoch)
        order = torch.randperm(len(self.folder), generator=generator_at(self.recipe.seed, epoch))
        sample = self.folder[int(order[place])]
        frames = ((sample["frames"].permute(0, 2, 3, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
        score = sample.get("motion_score")
        pairs = motion_curve(frames) if score is None else score[1:].numpy()
        return TrainingClip(
            frames=frames,
            waveform=sample["waveform"][0].numpy(),
            caption=sample["caption"],
            motion_curve=motion_at(self.recipe, pairs, len(frames)),
            class_index=self.class_names.index(Path(sample["path"]).parent.name),
            moving=np.ones(frames.shape[:3], bool),
        )


def motion_at(recipe: DataRecipe, curve: np.ndarray, num_frames: int) -> np.ndarray:
    """Motion from each frame to the next, counted as the recipe says, (num_frames,) float32."""
    pairs = np.asarray(curve, np.float32)[: num_frames - 1]
    return np.r_[pairs, pairs[-1:]] if recipe.motion_at == "start" else np.r_[pairs[:1], pairs]


def clip_source(recipe: DataRecipe) -> SyntheticClips | FolderClips:
    """The clips that a recipe names."""
    return SyntheticClips(recipe) if recipe.kind == "synthetic" else FolderClips(recipe)


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


def run_loader(clips: RunClips, order: RunOrder, workers: int) -> DataLoader:
    """Loader of a run's batches. Worker processes are spawned, since decoders do not survive a fork."""
    spawn = {"multiprocessing_context": "spawn", "prefetch_factor": 4} if workers else {}
    return DataLoader(
        clips, batch_sampler=order, num_workers=workers, collate_fn=collate, worker_init_fn=_one_thread, **spawn
    )


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
