"""A folder of videos with sound as a dataset: a random piece of each, at one rate and size (KeyVID, section 4.1)."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from .clip import Clip, MediaError
from .datasets.splits import Entry, Split, take_split
from .decode import read_video
from .info import MediaInfo, probe
from .listing import Captions, check_name, read_scores, score_file, scores_at
from .resize import Framing, check_size, resize_crop
from .sound import load_sound

logger = logging.getLogger(__name__)

SHORTAGE = 2  # frames that may be missing at the end (headers round); the last one is shown on


class VideoFolder(Dataset):
    """Pieces of the videos below a folder, as dicts.

    ============== ============================================================================================
    key            value
    ============== ============================================================================================
    frames         (t, 3, h, w) float32 in [-1, 1], or (t, h, w, 3) with `as_uint8`; only those of `select_frames`
    frame_indices  (t,) int64, which of the `num_frames` they are
    times          (t,) float64, seconds from the start of the piece
    waveform       (c, s) float32 as long as the piece; native rate, or what `load_audio` gives
    sample_rate    samples per second of `waveform`
    motion_score   (num_frames,) float32, if `motion_scores` is given: the motion that leads to each frame
    caption        text
    class_name     its class: the name of the file's folder, or what the dataset's layout says
    path, start    file, and second in it at which the piece starts
    ============== ============================================================================================

    The piece depends on the seed, the epoch, and the index alone, whatever process reads it. Files that cannot be
    used are logged and listed in `broken`; one that fails later, in the middle, is logged and the next takes its place.

    Args:
        root: Folder of videos, searched at any depth, whose subfolders are classes; with `split` a dataset too.
        split: "train" or "test" as the lists of the dataset say that the folder is or belongs to; every file where
            there are none, or with "all".
        num_frames: Frames of a piece.
        fps: Frames per second of a piece.
        size: Height and width in pixels, or one number for a square.
        framing: How the size is met, see `resize_crop`.
        select_frames: ``(motion_score or None, numpy generator) -> indices`` of the frames wanted.
        caption: "folder" (the class in words), "txt" (a file beside each video), or a .csv or .jsonl file with `path`
            (below the videos) and `caption`.
        motion_scores: "beside", or a folder, of .npy files with one score for each pair of neighbouring frames.
        sound: Whether sound is read; files without are then listed as broken.
        load_audio: ``(path, start=, duration=) -> object with waveform and sample_rate``, such as
            ``asva_audio.load_audio``, which gives every piece the same rate and channels (needed to batch).
        random_start: Draw the start of the piece; otherwise it is the start of the picture.
        seed: Of the draws.
        as_uint8: Whether frames stay (t, h, w, 3) uint8, as they are decoded.
        transform: Called on each sample; what it returns is the sample.
        backend: See `read_video`.

    Raises:
        MediaError: If an argument is out of range or no file can be used.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        *,
        split: Split = "all",
        num_frames: int = 48,
        fps: float = 24.0,
        size: int | tuple[int, int] = 256,
        framing: Framing = "training",
        select_frames: Callable[[np.ndarray | None, np.random.Generator], Any] | None = None,
        caption: str | os.PathLike = "folder",
        motion_scores: str | os.PathLike | None = None,
        sound: bool = True,
        load_audio: Callable[..., Any] | None = None,
        random_start: bool = True,
        seed: int = 0,
        as_uint8: bool = False,
        transform: Callable[[dict[str, Any]], Any] | None = None,
        backend: str = "pyav",
    ) -> None:
        if num_frames < 1 or not 0 < fps <= 1000:
            raise MediaError(f"`num_frames` must be at least 1 and `fps` in (0, 1000], got {num_frames} and {fps}.")
        self.num_frames, self.fps, self.size = num_frames, float(fps), check_size(size)
        self.framing, self.select_frames, self.motion_scores = framing, select_frames, motion_scores
        self.sound, self.load_audio, self.random_start = sound, load_audio, random_start
        self.seed, self.as_uint8, self.transform, self.backend = seed, as_uint8, transform, backend
        # Shared memory: workers that live through several epochs see the new number too.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self.broken: list[tuple[Path, str]] = []
        self.taken = take_split(Path(root), split)
        self.root = self.taken.videos
        self.entries = self._list(Captions(self.root, caption))
        if not self.entries:
            got = f"{len(self.broken)} others, such as {self.broken[0][1]}" if self.broken else "none."
            raise MediaError(f"`root` must hold usable videos, got in {root} {got}")

    @property
    def duration(self) -> float:
        """Seconds of a piece."""
        return self.num_frames / self.fps

    def set_epoch(self, epoch: int) -> None:
        """Draw other pieces from now on, in the workers too."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"`index` must be below {len(self)}, got {index}.")
        index %= len(self)
        for step in range(len(self)):
            entry = self.entries[(index + step) % len(self)]
            try:
                sample = self.piece(entry, index, int(self._epoch))
            except MediaError as error:
                logger.warning("Skipped, the next video takes its place: %s", error)
                continue
            return sample if self.transform is None else self.transform(sample)
        raise MediaError(f"`root` must hold readable videos, got none in {self.root}.")

    def piece(self, entry: Entry, index: int, epoch: int) -> dict[str, Any]:
        """The piece of one file that `epoch` takes at `index`, without `transform`.

        Raises:
            MediaError: If the file cannot be read; no other takes its place here.
        """
        generator = np.random.default_rng([self.seed, epoch, index])
        info = probe(entry.path)
        begin, end = _part(entry, info)
        start = generator.uniform(begin, max(begin, end - self.duration)) if self.random_start else begin
        clip, score = self._read(entry, start), None
        if self.motion_scores is not None:
            stored = score_file(entry.path, self.root, self.motion_scores)
            score = scores_at(stored, info, start + np.arange(self.num_frames) / self.fps)
        indices = self._choose(score, generator)
        chosen = clip.frames[np.minimum(indices, len(clip.frames) - 1)]
        frames = torch.from_numpy(resize_crop(chosen, self.size, framing=self.framing))
        sample = {
            "frames": frames if self.as_uint8 else frames.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0),
            "frame_indices": torch.from_numpy(indices),
            "times": torch.from_numpy(indices / self.fps),
            "caption": entry.caption,
            "class_name": entry.class_name,
            "path": str(entry.path),
            "start": float(start),
        }
        if score is not None:
            sample["motion_score"] = torch.from_numpy(score)
        if self.sound:
            sample["waveform"], sample["sample_rate"] = self._waveform(entry, start, clip)
        return sample

    def _list(self, captions: Captions) -> list[Entry]:
        entries = []
        for entry in self.taken.entries:
            try:
                check_name(entry.path)
                self._check(entry)
                entries.append(entry._replace(caption=captions(entry)))
            except MediaError as error:
                self.broken.append((entry.path, str(error)))
                logger.warning("Skipped: %s", error)
        return entries

    def _check(self, entry: Entry) -> None:
        info = probe(entry.path)
        if self.sound and not info.has_sound:
            raise MediaError(f"`root` must hold videos with sound, got {entry.path} without; or give sound=False.")
        begin, end = _part(entry, info)
        if end is None or end - begin < self.duration - 0.5 / self.fps:
            seconds = end if end is None else end - begin
            raise MediaError(f"`root` must hold videos of {self.duration:g} s or more, got {seconds} s: {entry.path}.")
        if self.motion_scores is not None:
            read_scores(score_file(entry.path, self.root, self.motion_scores))

    def _read(self, entry: Entry, start: float) -> Clip:
        native = self.sound and self.load_audio is None
        clip = read_video(
            entry.path, backend=self.backend, start=start, duration=self.duration, fps=self.fps, sound=native
        )
        if len(clip.frames) < self.num_frames - SHORTAGE:
            raise MediaError(
                f"`path` must last {self.duration:g} s from {start:.2f} s on,"
                f" got {len(clip.frames)} frames in {entry.path}."
            )
        return clip

    def _choose(self, score: np.ndarray | None, generator: np.random.Generator) -> np.ndarray:
        if self.select_frames is None:
            return np.arange(self.num_frames)
        indices = np.asarray(self.select_frames(score, generator))
        if indices.ndim != 1 or not indices.size or indices.min() < 0 or indices.max() >= self.num_frames:
            raise ValueError(f"`select_frames` must give indices from 0 to {self.num_frames - 1}, got {indices}.")
        return indices.astype(np.int64)

    def _waveform(self, entry: Entry, start: float, clip: Clip) -> tuple[torch.Tensor, int]:
        if self.load_audio is None:
            waveform, rate = torch.from_numpy(clip.waveform), clip.sample_rate
        else:
            waveform, rate = load_sound(self.load_audio, entry.path, start, self.duration)
        missing = round(self.duration * rate) - waveform.shape[-1]
        return torch.nn.functional.pad(waveform, (0, missing)), rate  # a negative number cuts


def _part(entry: Entry, info: MediaInfo) -> tuple[float, float | None]:
    """Seconds at which the picture of a part begins and ends."""
    ends = [end for end in (info.duration, entry.end) if end is not None]
    return max(info.start, entry.start or 0.0), min(ends, default=None)
