"""The clips of a published comparison: three of each test video, with moments, first frames and words (AVSyncD)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..avsyncd import FrameRule, clip_frames, clip_starts
from ..clip import MediaError
from ..decode import iter_frames
from ..info import shared_seconds
from .layouts import Layout, detect_layout, get_layout
from .splits import read_split

MARGIN = 0.5
"""Seconds decoded around a moment, in which a frame must lie."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkClip:
    """One clip that every system makes.

    Attributes:
        name: Of the generated file without its ending, below a system's folder: ``CLASS/VIDEO_clip-KK``.
        video: True file.
        start: Second of it at which the clip begins.
        class_name: Its class as the folder has it.
        prompt: Its class in words.
    """

    name: str
    video: Path
    start: float
    class_name: str
    prompt: str


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What a comparison on a dataset is made of.

    Attributes:
        layout: How the dataset lies on disk.
        videos: Folder of the true files.
        seconds: Length of a clip.
        clips: In the order of the list.
    """

    layout: Layout
    videos: Path
    seconds: float
    clips: tuple[BenchmarkClip, ...]

    @property
    def classes(self) -> dict[Path, str]:
        """The class of each true file."""
        return {clip.video: clip.class_name for clip in self.clips}


def read_benchmark(
    root: str | os.PathLike,
    *,
    layout: str | None = None,
    listed: Path | None = None,
    num_clips: int = 3,
    seconds: float = 2.0,
) -> Benchmark:
    """The clips of a dataset's test videos, at the start times of the published protocol.

    Args:
        root: Folder of the dataset.
        layout: Name of its layout, or None: what `detect_layout` says.
        listed: A list in place of `test.txt`, such as for AVSync48, whose own was never published.
        num_clips: Clips of each video.
        seconds: Length of a clip.

    Raises:
        MediaError: If there is no list, or it names files that are missing, twice there, or parts of files.
    """
    root = Path(root)
    form = detect_layout(root) if layout is None else get_layout(layout)
    if form.lists == "none" and listed is None:
        raise MediaError(f"`root` must hold test.txt, got none in {root}; write one, or give a list.")
    folder = root / form.videos.format(split="test")
    entries = read_split(root, form, "test", listed=listed)
    if missing := [entry.path for entry in entries if not entry.path.is_file()]:
        raise MediaError(f"`test` must name files that are there, got {len(missing)} missing, such as {missing[0]}.")
    if any(entry.start is not None for entry in entries):
        raise MediaError("`test` must name whole files, got parts; cut them by `asva data prepare`.")
    if len({entry.path for entry in entries}) < len(entries):
        raise MediaError(f"`test` must name each video once, got {len(entries)} lines with fewer videos.")
    clips = []
    for entry in entries:
        stem = entry.path.relative_to(folder).with_suffix("").as_posix()
        moments = clip_starts(shared_seconds(entry.path), num_clips, clip_seconds=seconds)
        clips += [
            BenchmarkClip(
                name=f"{stem}_clip-{number:02}",
                video=entry.path,
                start=max(0.0, float(start)),
                class_name=entry.class_name,
                prompt=entry.caption,
            )
            for number, start in enumerate(moments)
        ]
    return Benchmark(layout=form, videos=folder, seconds=seconds, clips=tuple(clips))


def first_frame(path: str | os.PathLike, start: float, *, rule: FrameRule = "official") -> np.ndarray:
    """(h, w, 3) uint8 frame of a video that a clip from a moment on begins with, see `clip_frames`.

    Raises:
        MediaError: If the file cannot be read or ends before.
    """
    begin = max(0.0, start - MARGIN)
    pictures = list(iter_frames(path, start=begin, duration=start - begin + MARGIN))
    if not pictures:
        raise MediaError(f"`path` must show something at {start:.2f} s, got {path}, which ends before.")
    times = np.array([time for time, _ in pictures]) + begin
    return pictures[clip_frames(times, start, num_frames=1, rule=rule)[0]][1]
