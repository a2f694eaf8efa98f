"""Reading videos: exact frames and times behind one small interface, PyAV by default."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

import numpy as np

from asva_weights.limits import limits

from .clip import Clip, MediaError
from .decode_decord import decord_pictures
from .decode_pyav import pyav_pictures
from .info import probe
from .resize import check_size, resize_crop
from .sound import read_sound

TOLERANCE = 1e-3  # seconds; Matroska keeps times in whole milliseconds
BACKENDS = {"pyav": pyav_pictures, "decord": decord_pictures}  # of the picture; sound is always decoded by PyAV


def read_video(
    path: str | os.PathLike,
    *,
    backend: str = "pyav",
    start: float = 0.0,
    duration: float | None = None,
    fps: float | None = None,
    size: int | tuple[int, int] | None = None,
    sound: bool = True,
) -> Clip:
    """Read a video and its sound into memory.

    Time zero is where the earlier of picture and sound starts; `start` moves it. Frames keep their own time stamps
    (variable rates too) unless `fps` is given: then frame i is the one on screen at i / fps, the nearest previous.

    Args:
        path: A video of any usual kind; no playlist.
        backend: "pyav" (exact everywhere) or "decord" (refuses the kinds of file that it misreads).
        start: Seconds from time zero where the clip begins.
        duration: Seconds of the clip, or None for all.
        fps: Frames per second of the clip, or None for the frames as they are.
        size: Height and width (or one number for a square) to crop to the aspect of and resize, or None.
        sound: Whether to decode the sound.

    Returns:
        The clip; its `times` and its sound start at `start`.

    Raises:
        MediaError: If the file is missing, empty, damaged, without picture or without a frame in the cut; if an
            argument is out of range; if the frames would take more than 8 GiB.
    """
    info = probe(path)
    frames, times, held = [], [], 0
    for time, frame in iter_frames(path, backend=backend, start=start, duration=duration, fps=fps, size=size):
        frames.append(frame)
        times.append(time)
        held += frame.nbytes
        if held > limits().held:
            raise MediaError(
                f"`path` must fit in {limits().held >> 30} GiB as frames, got {path};"
                " give `duration`, `fps` or `size`, or use `iter_frames`."
            )
    if not frames:
        raise MediaError(
            f"`start` must lie within the picture of {path}, got {start} s; its end is near {info.duration} s."
        )
    waveform, rate = read_sound(path, info, start, duration) if sound and info.has_sound else (None, None)
    return Clip(
        frames=np.stack(frames),
        times=np.array(times),
        fps=float(fps or info.fps),
        waveform=waveform,
        sample_rate=rate,
    )


def iter_frames(
    path: str | os.PathLike,
    *,
    backend: str = "pyav",
    start: float = 0.0,
    duration: float | None = None,
    fps: float | None = None,
    size: int | tuple[int, int] | None = None,
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (seconds, (h, w, 3) uint8 RGB) one by one, holding two frames at most; arguments as in `read_video`."""
    if backend not in BACKENDS:
        raise MediaError(f"`backend` must be 'pyav' or 'decord', got {backend!r}.")
    _check_cut(start, duration, fps)
    target = None if size is None else check_size(size)
    info = probe(path)
    stop = math.inf if duration is None else start + duration
    pictures = BACKENDS[backend](path, info, start)
    chosen = _native(pictures, start, stop) if fps is None else _resampled(pictures, start, stop, float(fps))
    for time, frame in chosen:
        yield time, frame if target is None else resize_crop(frame, target)


def _native(pictures, start, stop):
    for picture in pictures:
        if picture.time >= stop - TOLERANCE:
            return
        if picture.time >= start - TOLERANCE:
            yield max(picture.time - start, 0.0), picture.to_rgb()


def _resampled(pictures, start, stop, fps):
    """Frame i is the last picture that appears at or before start + i / fps; before the first there are none."""
    index, previous, end = 0, None, start
    for picture in pictures:
        if previous is None:
            index = max(0, math.ceil((picture.time - start - TOLERANCE) * fps))
        else:
            index = yield from _hold(previous, index, min(picture.time - TOLERANCE, stop - TOLERANCE), start, fps)
        previous, end = picture, picture.end
        if start + index / fps >= stop - TOLERANCE:
            return
    if previous is not None:
        yield from _hold(previous, index, min(end, stop) - TOLERANCE, start, fps)


def _hold(picture, index, until, start, fps):
    frame = None
    while start + index / fps < until:
        frame = picture.to_rgb() if frame is None else frame
        yield index / fps, frame
        index += 1
    return index


def _check_cut(start, duration, fps) -> None:
    if not math.isfinite(start) or start < 0:
        raise MediaError(f"`start` must be a number of seconds, 0 or more, got {start}.")
    if duration is not None and not (math.isfinite(duration) and duration > 0):
        raise MediaError(f"`duration` must be a number of seconds above 0, got {duration}.")
    if fps is not None and not (math.isfinite(fps) and 0 < fps <= 1000):
        raise MediaError(f"`fps` must be above 0 and at most 1000, got {fps}.")
