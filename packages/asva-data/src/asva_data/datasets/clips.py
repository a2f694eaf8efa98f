"""Clips of a dataset of the field, by the protocol that one asks for (AVSyncD, sections 5 and 6 of its code)."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from ..avsyncd import FrameRule, clip_frames, clip_pixels, clip_starts
from ..clip import MediaError
from ..decode import read_video
from ..info import MediaInfo, probe
from ..listing import score_file, scores_at
from ..resize import check_size
from ..sound import load_sound, read_sound
from .encodings import encoding_of
from .layouts import detect_layout, get_layout
from .sampling import SyncRule, random_start, sync_frames, sync_starts
from .splits import Entry, read_split

logger = logging.getLogger(__name__)

EARLY = 0.1  # seconds decoded before a clip, so that its first frame is chosen by its own time
Sampling = Literal["random", "uniform", "sync"]


class VideoClips(Dataset):
    """Clips of the videos of one split, as dicts.

    ============== ============================================================================================
    key            value
    ============== ============================================================================================
    frames         (t, 3, h, w) float32 in [-1, 1]; with "sync" (n, t, 3, h, w), a row for each shifted clip
    waveform       (c, s) float32 at its own rate, or what `load_audio` gives; with "sync" a list of n
    sample_rate    samples per second
    start          second of the file at which the clip starts; with "sync" (n,) float64
    flipped        whether left and right were exchanged
    caption        the class in words
    class_name     the class
    path           the file
    text_encoding  (77, d), with `encodings`
    motion_score   (t,) float32, with `motion_scores`: the motion that leads to each frame
    ============== ============================================================================================

    A clip depends on the seed, the epoch and the index alone. A video that cannot be read raises `MediaError`: run
    `check_dataset` first.

    Args:
        root: Folder of the dataset.
        layout: Name of its layout, or None: what `detect_layout` says.
        split: "train" or "test"; "all" for a plain folder.
        entries: Videos to use instead of the split's list.
        sampling: "random" one clip anywhere (training), "uniform" `clips_per_video` evenly spread (evaluation, one item
            each), "sync" that many shifted clips of one video (the classifier of synchrony).
        clips_per_video: Clips of one video, for "uniform" and "sync".
        sync_rule: Where shifted clips lie, see `sync_starts`.
        shift: Seconds between them.
        num_frames: Frames of a clip.
        fps: Frames per second of a clip, whatever the video has.
        size: Height and width in pixels, or None: what the layout says.
        flip: Probability that left and right are exchanged.
        frame_rule: "official" as in published figures, or "nearest", see `clip_frames`.
        sound: Whether sound is read.
        load_audio: ``(path, start=, duration=) -> object with waveform and sample_rate``; asva_audio.load_audio, with
            ``stereo="official"`` for the sound that released weights were trained on.
        encodings: What `load_text_encodings` gives.
        motion_scores: Folder of .npy files, at the same places as the videos below `root`.
        seed: Of the draws.

    Raises:
        MediaError: If an argument is out of range, or the split cannot be listed.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        *,
        layout: str | None = None,
        split: str = "train",
        entries: Sequence[Entry] | None = None,
        sampling: Sampling = "random",
        clips_per_video: int = 3,
        sync_rule: SyncRule = "random-compact",
        shift: float = 0.2,
        num_frames: int = 12,
        fps: float = 6.0,
        size: int | tuple[int, int] | None = None,
        flip: float = 0.0,
        frame_rule: FrameRule = "official",
        sound: bool = True,
        load_audio: Callable[..., Any] | None = None,
        encodings: Any = None,
        motion_scores: str | os.PathLike | None = None,
        seed: int = 0,
    ) -> None:
        if num_frames < 1 or not 0 < fps <= 1000 or not 0 <= flip <= 1 or clips_per_video < 1:
            raise MediaError(
                "`num_frames` and `clips_per_video` must be at least 1, `fps` in (0, 1000], `flip` in [0, 1],"
                f" got {num_frames}, {clips_per_video}, {fps} and {flip}."
            )
        if sampling not in Sampling.__args__:
            raise MediaError(f"`sampling` must be one of {Sampling.__args__}, got {sampling!r}.")
        self.root = Path(root)
        self.layout = detect_layout(self.root) if layout is None else get_layout(layout)
        self.entries = list(read_split(self.root, self.layout, split) if entries is None else entries)
        self.sampling, self.clips_per_video, self.sync_rule, self.shift = sampling, clips_per_video, sync_rule, shift
        self.num_frames, self.fps, self.size = num_frames, float(fps), check_size(size or self.layout.size)
        self.flip, self.frame_rule, self.sound, self.load_audio = flip, frame_rule, sound, load_audio
        self.encodings, self.motion_scores, self.seed = encodings, motion_scores, seed
        # Shared memory: workers that live through several epochs see the new number too.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def clip_seconds(self) -> float:
        """Seconds of a clip."""
        return self.num_frames / self.fps

    def set_epoch(self, epoch: int) -> None:
        """Draw other clips from now on, in the workers too."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.entries) * (self.clips_per_video if self.sampling == "uniform" else 1)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"`index` must be below {len(self)}, got {index}.")
        index %= len(self)
        video, place = divmod(index, self.clips_per_video) if self.sampling == "uniform" else (index, 0)
        entry, generator = self.entries[video], np.random.default_rng([self.seed, int(self._epoch), index])
        info = probe(entry.path)
        starts = self._starts(entry, info, generator)
        if self.sampling == "sync":
            clips = self._clips(entry, info, starts, generator)
            sample: dict[str, Any] = {key: [clip[key] for clip in clips] for key in clips[0]}
            sample["frames"], sample["start"] = torch.stack(sample["frames"]), starts
            sample |= {"sample_rate": clips[0]["sample_rate"]} if self.sound else {}
        else:
            (sample,) = self._clips(entry, info, starts[place : place + 1], generator)
        sample |= {"caption": entry.caption, "class_name": entry.class_name, "path": str(entry.path)}
        if self.encodings is not None:
            sample["text_encoding"] = encoding_of(self.encodings, entry.caption)
        return sample

    def _starts(self, entry: Entry, info: MediaInfo, generator: np.random.Generator) -> np.ndarray:
        begin, end = entry.start or 0.0, self._end(entry, info)
        duration, seconds = end - begin, self.clip_seconds
        if self.sampling == "random":
            return np.array([begin + random_start(duration, generator, clip_seconds=seconds)])
        if self.sampling == "uniform":
            return begin + clip_starts(duration, self.clips_per_video, clip_seconds=seconds)
        return begin + sync_starts(
            duration - seconds,
            num_clips=self.clips_per_video,
            shift=self.shift,
            rule=self.sync_rule,
            generator=generator,
        )

    def _end(self, entry: Entry, info: MediaInfo) -> float:
        """The end of picture or sound, whichever comes first, and of the part that belongs to the set."""
        ends = [end for end in (info.duration, info.sound_end if self.sound else None, entry.end) if end is not None]
        if not ends:
            raise MediaError(f"`path` must say how long it is, got {entry.path}; convert it to mp4.")
        return min(ends)

    def _clips(
        self, entry: Entry, info: MediaInfo, starts: np.ndarray, generator: np.random.Generator
    ) -> list[dict[str, Any]]:
        """Clips of one video from one pass over its picture."""
        early = max(0.0, float(starts[0]) - EARLY)
        until = float(starts[-1]) + self.clip_seconds + 1 / self.fps
        video = read_video(entry.path, start=early, duration=until - early, sound=False)
        samples = []
        for start, chosen in zip(starts, self._chosen(video.times + early, starts), strict=True):
            flipped = bool(generator.uniform() < self.flip)
            sample = {"frames": clip_pixels(video.frames[chosen], self.size, flip=flipped), "start": float(start)}
            sample["flipped"] = flipped
            if self.motion_scores is not None:
                stored = score_file(entry.path, self.root, self.motion_scores)
                times = start + np.arange(self.num_frames) / self.fps
                sample["motion_score"] = torch.from_numpy(scores_at(stored, info, times))
            if self.sound:
                sample["waveform"], sample["sample_rate"] = self._waveform(entry, info, float(start))
            samples.append(sample)
        return samples

    def _chosen(self, times: np.ndarray, starts: np.ndarray) -> np.ndarray:
        if self.sampling == "sync" and self.frame_rule == "official":
            return sync_frames(times, starts, fps=self.fps, num_frames=self.num_frames)
        rule = self.frame_rule
        return np.stack([clip_frames(times, s, fps=self.fps, num_frames=self.num_frames, rule=rule) for s in starts])

    def _waveform(self, entry: Entry, info: MediaInfo, start: float) -> tuple[torch.Tensor, int]:
        if self.load_audio is not None:
            return load_sound(self.load_audio, entry.path, start, self.clip_seconds)
        if not info.has_sound:
            raise MediaError(f"`path` must have sound, got {entry.path} without; or give sound=False.")
        waveform, rate = read_sound(entry.path, info, max(0.0, start), self.clip_seconds)
        missing = round(self.clip_seconds * rate) - waveform.shape[1]
        return torch.nn.functional.pad(torch.from_numpy(waveform), (0, missing)), rate
