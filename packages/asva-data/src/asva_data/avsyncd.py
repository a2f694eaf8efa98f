"""How AVSyncD takes clips from videos: start times, frames, pixels (AVSyncD, section 5; the released code)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .clip import MediaError
from .resize import check_size

FrameRule = Literal["official", "nearest"]


def clip_starts(duration: float, num_clips: int = 3, *, clip_seconds: float = 2.0) -> np.ndarray:
    """Start times of the clips of one video, evenly spread; of a single one, so that it lies in the middle.

    As in the original there is no limit: of a video shorter than a clip they fall below zero.

    Args:
        duration: Of picture or sound, whichever is shorter, in seconds.
        num_clips: Clips wanted.
        clip_seconds: Length of one.

    Returns:
        (num_clips,) float64 seconds.

    Raises:
        MediaError: If there is no clip or no time.
    """
    if num_clips < 1:
        raise MediaError(f"`num_clips` must be at least 1, got {num_clips}.")
    if not duration > 0:
        raise MediaError(f"`duration` must be positive, got {duration}.")
    room = duration - clip_seconds
    return np.array([room / 2]) if num_clips == 1 else np.linspace(0, room, num_clips)


def clip_frames(
    times: np.ndarray, start: float, *, fps: float = 6.0, num_frames: int = 12, rule: FrameRule = "official"
) -> np.ndarray:
    """Which frames of a video a clip of a lower frame rate shows.

    - ``"official"``: the first frame not before each target; targets are added up in floating point and times come in
      whole microseconds, so that a video of exactly ``fps`` gives frames 0, 1, 3, 4, ... (published figures of
      AVSyncD were measured on such clips).
    - ``"nearest"``: the frame whose time is nearest to each target.

    Args:
        times: (n,) rising times of the frames in seconds.
        start: Of the clip in seconds.
        fps: Frames per second of the clip.
        num_frames: Frames of the clip; where the video ends earlier, its last frame is repeated.
        rule: Which frame stands for a moment.

    Returns:
        (num_frames,) indices into ``times``.

    Raises:
        MediaError: If no frame lies in the clip, or an argument is none of the above.
    """
    if rule not in ("official", "nearest"):
        raise MediaError(f"`rule` must be 'official' or 'nearest', got {rule!r}.")
    if rule == "nearest":
        targets = start + np.arange(num_frames) / fps
        return np.abs(np.asarray(times)[None] - targets[:, None]).argmin(axis=1)
    microseconds = np.round(np.asarray(times, np.float64) * 1e6).astype(np.int64)
    chosen = _walk(microseconds, start, fps, num_frames)
    if not chosen:
        raise MediaError(f"`start` must lie within the video, got {start} s of {float(times[-1]):g} s.")
    return np.array(chosen + chosen[-1:] * (num_frames - len(chosen)))


def _walk(microseconds: np.ndarray, start: float, fps: float, num_frames: int) -> list[int]:
    target, end = start, start + num_frames / fps + 0.5 / fps
    chosen: list[int] = []
    for index, time in enumerate(microseconds):
        seconds = time * 1e-6
        if seconds > end or len(chosen) == num_frames:
            break
        if seconds >= target:
            chosen.append(index)
            target += 1 / fps
    return chosen


def clip_pixels(frames: np.ndarray, size: int | tuple[int, int], *, flip: bool = False) -> Tensor:
    """Frames as the network takes them: the middle part of the aspect, resized (bilinear, antialiased), in [-1, 1].

    Args:
        frames: (t, h, w, 3) uint8.
        size: Height and width in pixels, or one number for a square.
        flip: Whether left and right are exchanged.

    Returns:
        (t, 3, *size) float32.

    Raises:
        MediaError: If an argument is none of the above.
    """
    height, width = check_size(size)
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise MediaError(f"`frames` must be uint8 (t, h, w, 3), got {frames.dtype} {frames.shape}.")
    middle = np.ascontiguousarray(middle_part(frames, (height, width)))
    pixels = torch.from_numpy(middle).permute(0, 3, 1, 2).float() / 255
    scaled = F.interpolate(pixels, (height, width), mode="bilinear", align_corners=False, antialias=True)
    return (scaled.flip(-1) if flip else scaled) * 2 - 1


def middle_part(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The largest middle part of (..., h, w, 3) frames with the aspect of a size, in whole pixels, not resized."""
    (h, w), (height, width) = frames.shape[-3:-1], size
    tall, wide = (int(w * height / width), w) if h / w > height / width else (h, int(h * width / height))
    top, left = (h - tall) // 2, (w - wide) // 2
    return frames[..., top : top + tall, left : left + wide, :]
