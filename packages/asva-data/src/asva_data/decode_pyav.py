"""The PyAV backend: every frame with its own time stamp, turned upright."""

from __future__ import annotations

import os
from collections.abc import Iterator

import av
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter

from asva_weights.limits import limits

from .clip import MediaError, Picture
from .info import MediaInfo
from .media import check_pixels
from .tracks import decode


def pyav_pictures(path: str | os.PathLike, info: MediaInfo, start: float) -> Iterator[Picture]:
    """Frames in order of time from the one on screen at `start` seconds, or earlier, by FFmpeg on one thread."""
    reformatter = VideoReformatter()
    for time, end, frame in timed_frames(path, info, start):
        yield Picture(time, end, lambda frame=frame: to_rgb(frame, reformatter, info.pixel_aspect))


def timed_frames(
    path: str | os.PathLike, info: MediaInfo, start: float | None = None
) -> Iterator[tuple[float, float, av.VideoFrame]]:
    """Every frame from `start` on, or earlier, with the seconds at which it appears and goes."""
    length, previous = 1 / info.fps, -1 / info.fps
    for frame in decode(path, "video", None if start is None else info.zero + start):
        # Raw streams carry no time stamps: then frames follow at the average rate.
        time = previous + length if frame.pts is None else float(frame.pts * frame.time_base) - info.zero
        if time > limits().seconds:
            raise MediaError(f"`path` must end within {limits().seconds} s, got {path} with a frame at {time:.0f} s.")
        check_pixels(frame.width, frame.height, info.pixel_aspect, path)
        end = time + (float(frame.duration * frame.time_base) if frame.duration else length)
        previous = time
        yield time, end, frame


def to_rgb(frame: av.VideoFrame, reformatter: VideoReformatter, pixel_aspect: float = 1.0) -> np.ndarray:
    """(h, w, 3) uint8 RGB with square pixels, turned as the display matrix says."""
    width = max(1, round(frame.width * pixel_aspect))
    # threads=1: the default starts a thread pool that hangs for ever in a forked child.
    rgb = reformatter.reformat(frame, width=width, format="rgb24", dst_color_range=ColorRange.JPEG, threads=1)
    return turn(rgb.to_ndarray(), display_matrix(frame))


def display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """The 2 x 2 part (a, b, c, d) of ``x' = a x + c y, y' = b x + d y``; the identity where there is none."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5]
    return int(a), int(b), int(c), int(d)


def turn(picture: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """Turn and mirror by the nearest of the eight right-angled positions."""
    a, b, c, d = matrix
    if abs(a) + abs(d) < abs(b) + abs(c):
        picture, a, d = picture.transpose(1, 0, 2), c, b
    if a < 0:
        picture = picture[:, ::-1]
    if d < 0:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)
