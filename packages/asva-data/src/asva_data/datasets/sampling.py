"""Where clips start: in training, in the evaluation, and for the classifier of synchrony (AVSyncD, suppl. 1)."""

from __future__ import annotations

from itertools import accumulate
from typing import Literal, Protocol

import numpy as np

from ..clip import MediaError

JUST_BEHIND = 1e-4  # seconds
SyncRule = Literal["uniform", "center-compact", "random-compact", "random"]


class Uniform(Protocol):
    """What draws: `numpy.random.Generator` and `random.Random` both do."""

    def uniform(self, low: float, high: float) -> float: ...


def random_start(duration: float, generator: Uniform, *, clip_seconds: float = 2.0) -> float:
    """Where a clip of a training starts: anywhere, or at 0 of a video shorter than the clip.

    Args:
        duration: Of picture or sound, whichever is shorter, in seconds.
        generator: Draws one number, also of a short video, as the original does.
        clip_seconds: Length of the clip.
    """
    return max(float(generator.uniform(0, duration - clip_seconds)), 0.0)


def sync_starts(
    end: float,
    *,
    num_clips: int = 21,
    shift: float = 0.2,
    rule: SyncRule = "random-compact",
    generator: Uniform | None = None,
) -> np.ndarray:
    """Starts of shifted clips of one video, of which the classifier of synchrony tells the true pairs.

    Training takes 21 clips 0.2 s apart from a random place ("random-compact"), evaluation 31 clips 0.04 s apart in the
    middle ("center-compact").

    Args:
        end: Last second at which a clip may start: the duration less the length of a clip.
        num_clips: Clips wanted.
        shift: Seconds from one start to the next; the least, for "uniform" and "random".
        rule: "uniform" over all of the video, "center-compact" and "random-compact" `shift` apart, "random" each at a
            random place that leaves room for the rest.
        generator: Draws for the random ones.

    Returns:
        (num_clips,) rising float64 seconds.

    Raises:
        MediaError: If the clips do not fit, or an argument is none of the above.
    """
    reach = (num_clips - 1) * shift
    if num_clips < 2 or not shift > 0 or end < reach - 1e-9:
        raise MediaError(f"`end` must leave room for {num_clips} clips {shift} s apart, got {end} s.")
    if rule == "uniform":
        return np.linspace(0.0, end, num_clips)
    if rule == "center-compact":
        first = max((end - reach) / 2, 0.0)
        return first + np.arange(num_clips) * shift
    if rule not in ("random-compact", "random") or generator is None:
        raise MediaError(f"`rule` must be one of {SyncRule.__args__}, the random ones with `generator`, got {rule!r}.")
    first = generator.uniform(0.0, max(end - reach, 0.0))
    if rule == "random-compact":
        return first + np.arange(num_clips) * shift
    left = range(num_clips - 2, -1, -1)
    steps = accumulate(left, lambda s, rest: generator.uniform(s + shift, end - rest * shift), initial=first)
    return np.array([*steps])


def sync_frames(times: np.ndarray, starts: np.ndarray, *, fps: float = 6.0, num_frames: int = 12) -> np.ndarray:
    """Which frames the shifted clips of one video show: the nearest to each moment, of those that were decoded.

    The original seeks to just behind the first start and stops at the last moment that any clip wants, so a frame
    outside is never the nearest.

    Args:
        times: (t,) rising times of the frames in seconds.
        starts: (n,) rising starts of the clips.
        fps: Frames per second of a clip.
        num_frames: Frames of a clip.

    Returns:
        (n, num_frames) indices into `times`.

    Raises:
        MediaError: If no frame lies between.
    """
    times = np.round(np.asarray(times, np.float64) * 1e6) * 1e-6
    wanted = np.asarray(starts)[:, None] + np.arange(num_frames) / fps
    decoded = np.flatnonzero((times >= wanted[0, 0] + JUST_BEHIND) & (times <= wanted[-1, -1]))
    if not len(decoded):
        raise MediaError(f"`starts` must lie within the video, got {wanted[0, 0]:g} to {wanted[-1, -1]:g} s.")
    return decoded[np.abs(times[decoded] - wanted[..., None]).argmin(axis=-1)]
