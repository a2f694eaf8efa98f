"""The offset between sound and picture of files: what each says, and what all of a system say together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asva_audio import load_audio
from asva_data import MediaError, iter_frames, move_sound, probe, shared_seconds
from asva_eval.score import finite_or_none
from asva_metrics import OffsetReading, offset_evidence, read_offset
from asva_metrics.offset import REACH

WINDOW, MOST_WINDOWS = 4.0, 8
"""Seconds that are looked at together, and how many such stretches of a long video, evenly spread."""
PRIMING = 0.1
"""Seconds that an encoder may put before a sound."""
SIDE = 128
"""Pixels that the shorter side of a picture is brought to."""


@dataclass(frozen=True)
class Offsets:
    """Readings of some videos.

    Attributes:
        videos: Of each file.
        shared: Of all together, as if one system had made them; None of a single file.
    """

    videos: dict[Path, OffsetReading]
    shared: OffsetReading | None

    def record(self) -> dict[str, Any]:
        """Plain values for JSON, None where there is no figure."""

        def plain(one: OffsetReading | None) -> dict[str, Any] | None:
            values = {} if one is None else asdict(one)
            return {name: finite_or_none(v) if isinstance(v, float) else v for name, v in values.items()} or None

        return {"videos": {str(path): plain(one) for path, one in self.videos.items()}, "shared": plain(self.shared)}

    def fix(self, folder: Path | None = None, *, together: bool = False) -> dict[Path, Path]:
        """Copy the videos with their sound moved to where it fits; no packet is encoded anew.

        Args:
            folder: Where the copies go, see `copy_targets`; made if it is missing.
            together: Whether all are moved by what they share, each by its own reading if not.

        Returns:
            The copy of each video whose offset could be read.

        Raises:
            MediaError: As `asva_data.move_sound`.
            ValueError: As `copy_targets`.
        """
        targets = copy_targets(self.videos, folder)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        readings = dict.fromkeys(self.videos, self.shared) if together and self.shared else self.videos
        read = {path: one.offset for path, one in readings.items() if not one.reason}
        return {path: move_sound(path, targets[path], offset) for path, offset in read.items()}


def copy_targets(paths: Iterable[Path], folder: Path | None = None) -> dict[Path, Path]:
    """Where the copies of `Offsets.fix` go: into a folder under their names, or beside the video as ``NAME_synced``.

    Raises:
        ValueError: If two copies would have one name.
    """
    paths = list(paths)
    targets = {path: path.with_stem(f"{path.stem}_synced") if folder is None else folder / path.name for path in paths}
    if len(set(targets.values())) < len(targets):
        raise ValueError(f"`paths` must have different names for copies in one folder, got {len(paths)} with a double.")
    return targets


def read_offsets(paths: Sequence[str | os.PathLike[str]], on_video: Callable[[int], None] | None = None) -> Offsets:
    """By how much the sound of some videos must move to fit their pictures.

    Args:
        paths: Videos with sound.
        on_video: Called with the number of videos done.

    Raises:
        MediaError: If a file cannot be read.
        ValueError: If no file is given.
    """
    if not paths:
        raise ValueError("`paths` must name at least one video, got none.")
    readings, evidence = {}, []
    for done, path in enumerate(map(Path, paths), start=1):
        try:
            found = video_evidence(path)
            readings[path] = read_offset(found)
            evidence += found
        except MediaError:
            raise
        except ValueError as error:
            nan = float("nan")
            readings[path] = OffsetReading(nan, nan, nan, nan, nan, 0, str(error))
        if on_video:
            on_video(done)
    return Offsets(readings, read_offset(evidence) if len(readings) > 1 else None)


def video_evidence(path: Path) -> list[np.ndarray]:
    """`offset_evidence` of every stretch of a video that is looked at.

    Raises:
        MediaError: If it cannot be read.
        ValueError: If it has no sound, or picture and sound share less than 1.2 s.
    """
    info = probe(path)
    if not info.has_sound:
        raise ValueError("it has no sound")
    late = info.sound_start + PRIMING if info.sound_start > 0 else 0.0  # where it begins is no event
    begin, end = max(info.start, late), shared_seconds(path, info)
    if end - begin < 2 * REACH + 0.05:
        raise ValueError(f"picture and sound share {max(0.0, end - begin):.2f} s, {2 * REACH:g} s are searched")
    count = min(MOST_WINDOWS, max(1, int((end - begin) / WINDOW)))
    length = min(WINDOW, end - begin)
    return [_evidence(path, info.fps, start, length) for start in np.linspace(begin, end - length, count)]


def _evidence(path: Path, fps: float, start: float, seconds: float) -> np.ndarray:
    frames = [_small(frame) for time, frame in iter_frames(path, start=start, duration=seconds)]
    sound = load_audio(path, sample_rate=None, start=start, duration=seconds)
    return offset_evidence(sound.waveform, sound.sample_rate, np.stack(frames), fps)


def _small(frame: np.ndarray) -> np.ndarray:
    import cv2

    scale = SIDE / min(frame.shape[:2])
    size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
    return frame if scale >= 1 else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
