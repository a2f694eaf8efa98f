"""What plot and strip need of a video that nobody holds as a whole, taken down as its frames pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from asva_pipelines.make.made import Made

MOST_FRAMES = 12  # on a strip without keyframes
MOST_KEYFRAMES = 24
AT_ONCE = 32  # frames whose motion is measured together


@dataclass
class Watched:
    """A video that has passed.

    Attributes:
        made: Its frames, its sound, and what is known of it.
        strip: Numbers of the frames that are shown side by side.
        measure: Whether motion is measured in the picture.
        shown: Those frames.
        motion: Motion measured, that which leads to each frame but the first.
        count: Frames that have passed.
    """

    made: Made
    strip: Sequence[int] = ()
    measure: bool = False
    shown: list[np.ndarray] = field(default_factory=list)
    motion: list[float] = field(default_factory=list)
    count: int = 0

    def frames(self) -> Iterator[np.ndarray]:
        """Its frames; each is looked at before it is handed on."""
        wanted, waiting = set(self.strip), []
        for frame in self.made.frames:
            if self.count in wanted:
                self.shown.append(frame)
            if self.measure:
                waiting.append(frame)
                if len(waiting) > AT_ONCE:
                    waiting = self._measure(waiting)
            self.count += 1
            yield frame
        if self.measure and len(waiting) > 1:
            self._measure(waiting)

    def _measure(self, frames: list[np.ndarray]) -> list[np.ndarray]:
        from asva_keyframe import motion_curve

        self.motion += motion_curve(np.stack(frames)).tolist()
        return frames[-1:]


def frames_to_show(num_frames: int, keyframes: np.ndarray | None) -> list[int]:
    """Numbers of the frames of a strip: the keyframes, or some at equal distances; never so many as to fill a wall."""
    if keyframes is None:
        count = min(num_frames, MOST_FRAMES)
        return (np.arange(count) * num_frames // count).tolist()
    some = np.unique(np.asarray(keyframes))
    places = np.unique(np.linspace(0, len(some) - 1, min(len(some), MOST_KEYFRAMES)).round().astype(int))
    return some[places].tolist()
