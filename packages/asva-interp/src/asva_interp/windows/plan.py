"""How many frames a sound of any length gives, and the windows that make them; nothing here loads a network."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

RESAMPLING = ("nearest", "blend")
_NTSC = (24, 30, 48, 60, 120)  # rates that are meant where a number a thousandth below them is given
LONGEST = 10_000_000  # frames; beyond it a number is a mistake, not a length


@dataclass(frozen=True)
class Window:
    """Frames that are generated together, counted from the start of the video.

    Attributes:
        start: First frame; the picture that the window starts from stands there.
        keep: First frame that is taken from this window, and the one behind the last.
        calm: Whether nothing moves at its start.
    """

    start: int
    keep: tuple[int, int]
    calm: bool = True

    @property
    def kept(self) -> slice:
        """The frames that are taken, counted from the window's first."""
        return slice(self.keep[0] - self.start, self.keep[1] - self.start)


@dataclass(frozen=True, kw_only=True)
class ClipPlan:
    """A video of exactly the wanted length.

    Attributes:
        num_frames: Frames of the video.
        fps: Its frames per second.
        native_fps: Frames per second at which the network works.
        native_frames: Frames that it has to give.
        window_size: Frames that it makes at once.
        windows: In order; what they keep follows one another without a gap.
        resampling: How its frames become the video's, see :func:`make_clip_plan`.
    """

    num_frames: int
    fps: Fraction
    native_fps: Fraction
    native_frames: int
    window_size: int
    windows: tuple[Window, ...]
    resampling: str = "nearest"

    @property
    def duration(self) -> Fraction:
        """Seconds of the video, and of its sound."""
        return self.num_frames / self.fps

    @property
    def padded_frames(self) -> int:
        """Frames that the windows look at: those of the video, and silence behind it."""
        return self.windows[-1].start + self.window_size

    def resample(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Frames of the network, one by one, as frames of the video: pictures stay at their times."""
        ratio, wanted = self.native_fps / self.fps, 0
        before: Any = None
        for index, frame in enumerate(frames):
            while wanted < self.num_frames:
                place = wanted * ratio
                if self.resampling == "blend" and place.denominator > 1:
                    if math.ceil(place) > index:
                        break
                    yield _mix(before, frame, float(place - (index - 1)))
                elif nearest(place) > index:
                    break
                else:
                    yield frame
                wanted += 1
            before = frame


def count_frames(duration: float | Fraction, fps: float | Fraction) -> int:
    """Frames of a video as long as a sound: the nearest whole number, at least one.

    Raises:
        ValueError: If the duration or the rate is not a positive number, or there are more than ten million frames.

    >>> count_frames(0.3, 24), count_frames(30, 29.97)
    (7, 899)
    """
    if not 0 < duration < math.inf:
        raise ValueError(f"`duration` must be a positive number of seconds, got {duration}.")
    count = max(round(_exact(duration) * exact_rate(fps)), 1)
    if count > LONGEST:
        raise ValueError(f"`duration` must give at most {LONGEST} frames, got {count}. Cut it into pieces.")
    return count


def exact_rate(fps: float | Fraction) -> Fraction:
    """The rate that a number stands for, as video files have it.

    >>> exact_rate(29.97), exact_rate(12.5), exact_rate(3)
    (Fraction(30000, 1001), Fraction(25, 2), Fraction(3, 1))
    """
    if not 0 < fps <= 1000:
        raise ValueError(f"`fps` must be above 0 and at most 1000, got {fps}.")
    ntsc = Fraction(round(fps) * 1000, 1001)
    is_ntsc = round(fps) in _NTSC and abs(float(fps) - ntsc) < 0.005
    return ntsc if is_ntsc else Fraction(fps).limit_denominator(1001)


def nearest(place: Fraction) -> int:
    """The whole number nearest to a place, the later of two.

    >>> nearest(Fraction(1, 2)), nearest(Fraction(5, 4))
    (1, 1)
    """
    return math.floor(place + Fraction(1, 2))


def make_clip_plan(
    duration: float | Fraction,
    fps: float | Fraction,
    *,
    native_fps: float | Fraction,
    window_size: int,
    overlaps: tuple[int, int] = (1, 1),
    unrest: ArrayLike | None = None,
    borders: Sequence[int] = (),
    resampling: str = "nearest",
    cover: Callable[[int], Iterable[tuple[int, int]]] | None = None,
) -> ClipPlan:
    """Cover a sound with windows.

    Every window starts at a frame of the one before it, which is its first picture, and from there on the new window's
    frames are taken. Where it may start, within `overlaps`, the calmest frame is chosen.

    Args:
        duration: Seconds of sound.
        fps: Frames per second wanted. The network keeps its own rate: another one never changes the speed.
        native_fps: Frames per second at which the network works.
        window_size: Frames that it makes at once.
        overlaps: Fewest and most frames that two windows share, at least 1 and less than `window_size`.
        unrest: (t,) how bad a frame of the network is to start at; the latest of equals is taken. None is all equal.
        borders: Frames of the network at which something begins, such as a prompt: a window keeps frames from there.
        resampling: `"nearest"` shows the frame nearest in time, `"blend"` mixes the two around it.
        cover: ``cover(native_frames)`` gives (start, stop) of each window for a network with windows of its own, which
            take over all that they share; then `overlaps`, `unrest` and `borders` do not count.

    Raises:
        ValueError: If a number is not allowed.

    >>> plan = make_clip_plan(3.0, 24, native_fps=24, window_size=48)
    >>> plan.num_frames, [window.keep for window in plan.windows]
    (72, [(0, 48), (48, 72)])
    """
    rate, native = exact_rate(fps), exact_rate(native_fps)
    if resampling not in RESAMPLING:
        raise ValueError(f"`resampling` must be one of {', '.join(RESAMPLING)}, got {resampling}.")
    if not 1 <= overlaps[0] <= overlaps[1] < window_size:
        raise ValueError(f"`overlaps` must rise from at least 1 to less than {window_size}, got {overlaps}.")
    count = count_frames(duration, rate)
    last = (count - 1) * native / rate
    needed = (math.ceil(last) if resampling == "blend" else nearest(last)) + 1
    cost = np.zeros(needed) if unrest is None else np.asarray(unrest, np.float64)
    if cover is None:
        starts = _starts(needed, window_size, overlaps, cost, sorted({b for b in borders if 0 < b < needed}))
    else:
        starts = [(int(start), int(stop)) for start, stop in cover(needed)]
    ends = [start + 1 for start, _ in starts[1:]] if cover is None else [stop for _, stop in starts[:-1]]
    ends.append(needed)
    begins = [0, *ends[:-1]]
    windows = tuple(
        Window(start, (begin, min(end, needed)), calm=bool(cost[min(start, len(cost) - 1)] <= 0))
        for (start, _), begin, end in zip(starts, begins, ends, strict=True)
    )
    return ClipPlan(
        num_frames=count,
        fps=rate,
        native_fps=native,
        native_frames=needed,
        window_size=window_size,
        windows=tuple(window for window in windows if window.keep[0] < window.keep[1]),
        resampling=resampling,
    )


def _starts(
    needed: int, size: int, overlaps: tuple[int, int], unrest: np.ndarray, borders: list[int]
) -> list[tuple[int, int]]:
    starts = [0]
    while starts[-1] + size < needed or bisect_right(borders, starts[-1] + 1) < len(borders):
        start = starts[-1]
        place = bisect_right(borders, start + 1)
        if place < len(borders) and borders[place] <= start + size:
            starts.append(borders[place] - 1)
            continue
        allowed = np.arange(start + size - overlaps[1], start + size - overlaps[0] + 1)
        allowed = allowed[allowed > start]
        costs = np.interp(allowed, np.arange(len(unrest)), unrest)
        starts.append(int(allowed[len(costs) - 1 - int(np.argmin(costs[::-1]))]))
    return [(start, start + size) for start in starts]


def _exact(duration: float | Fraction) -> Fraction:
    """Seconds as they were meant: 0.3 is 3/10."""
    return duration if isinstance(duration, Fraction) else Fraction(float(duration)).limit_denominator(1_000_000)


def _mix(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    return np.round(before * (1 - share) + after * share).astype(before.dtype)
